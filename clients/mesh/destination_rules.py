"""Settings of DestinationRules, in each of the places that may state them.

Source: istio.io, "Destination Rule": a rule and each of its subsets have a traffic policy, and each policy may have
settings for single ports of the Service. A port's settings replace the policy's, also in what they leave out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clients.kube.fields import spec_of

Json = Mapping[str, Any]


def settings(body: Json) -> Iterator[Json]:
    """All settings of a rule: its own and those of its subsets, each followed by those of single ports."""
    stated = (spec_of(body).get("trafficPolicy"), *(one.get("trafficPolicy") for one in _subsets(body)))
    for policy in filter(None, stated):
        yield policy
        yield from policy.get("portLevelSettings") or ()


def tls_settings(body: Json) -> Iterator[Json]:
    """The settings of TLS among them; empty ones where none are stated."""
    return (one.get("tls") or {} for one in settings(body))


def tls_mode(body: Json, port: int) -> str:
    """Mode of TLS to a port of the Service, of no subset; empty for the mesh's own choice.

    Args:
        port: of the Service, by number.
    """
    policy = spec_of(body).get("trafficPolicy") or {}
    own = [one for one in policy.get("portLevelSettings") or () if (one.get("port") or {}).get("number") == port]
    return str(((own[0] if own else policy).get("tls") or {}).get("mode") or "")


def _subsets(body: Json) -> list[Json]:
    return list(spec_of(body).get("subsets") or ())
