"""Whether istiod can fetch an issuer's keys, and how often it does: what its Deployment says."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from clients.mesh.survey.survey import Survey

_REFRESH = "PILOT_JWT_PUB_KEY_REFRESH_INTERVAL"
_REFRESH_LIMIT_S = 5.0
"""Longest interval, in seconds, that fits into a case's budget together with the spread of the change."""
_BLOCKED = "BLOCKED_CIDRS_IN_JWKS_URIS"
REFRESH_HINT = f"set {_REFRESH} of istiod to 1s"
FETCH_HINT = f"run istiod in the cluster, with the range of the Services left out of its {_BLOCKED}"


def not_refreshed(seen: Survey) -> str:
    """Why keys are not fetched often enough for a case's budget; empty where they are."""
    soon = any(_soon(_variables(one).get(_REFRESH, "")) for one in seen.istiods)
    return "" if soon else f"no istiod has {_REFRESH} of at most {_REFRESH_LIMIT_S:g} s"


def not_fetched(seen: Survey) -> str:
    """Why keys are not fetched from a Service of the cluster; empty where they are.

    istiod takes an unknown key in place of those that it may not, or cannot, fetch: each token is refused then.
    """
    if not seen.istiods:
        return "no Deployment of the control plane is seen: from outside the cluster it reaches no Service"
    blocked = [text for one in seen.istiods if (text := _variables(one).get(_BLOCKED, "")) and _hits(text, seen)]
    return f"istiod's {_BLOCKED} has the range of the cluster's Services" if blocked else ""


def _hits(text: str, seen: Survey) -> bool:
    """Whether one of the ranges has the Services' addresses; a text or an address that is not one counts as that."""
    try:
        address = ipaddress.ip_address(seen.service_address)
        ranges = [ipaddress.ip_network(one.strip(), strict=False) for one in text.split(",") if one.strip()]
    except ValueError:
        return True
    return any(address in one for one in ranges)


def _variables(istiod: Mapping[str, Any]) -> dict[str, str]:
    containers = istiod["spec"]["template"]["spec"]["containers"]
    return {one["name"]: str(one.get("value", "")) for c in containers for one in c.get("env", ())}


def _soon(interval: str) -> bool:
    """Go writes durations as `1s`, `500ms`, `20m0s`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", interval)
    return found is not None and float(found[1]) / (1000 if found[2] == "ms" else 1) <= _REFRESH_LIMIT_S
