"""What others put into every new namespace, seen in one of them: policies and scopes that decide about its requests.

Controllers of namespaces and admission policies (Kyverno's `generate`) make them. Rules: Istio's reference of
PeerAuthentication, AuthorizationPolicy, RequestAuthentication and Sidecar. Of two PeerAuthentications or Sidecars of a
namespace the older one counts, so a run's own would not; AuthorizationPolicies and RequestAuthentications add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clients.kube.cluster import Cluster
from clients.kube.fields import spec_of
from clients.mesh.survey import foreign_tokens
from clients.mesh.survey.prior import KINDS, action, enforced, of_others

_INSTEAD = ("PeerAuthentication", "Sidecar")
"""Kinds of which only one counts in a namespace."""
_LEFT = ("DestinationRule", "EnvoyFilter", "Telemetry", "WasmPlugin")
"""Kinds that nothing is set against, as in the root namespace."""


@dataclass(frozen=True)
class Generated:
    """By kind and name, without those that no workload of a run is selected by.

    Attributes:
        denying: AuthorizationPolicies that refuse what no other policy allows, and let nothing in themselves.
        decisive: what counts in the place of what a run applies, or lets in or refuses besides it.
        tokens: the RequestAuthentication that judges a run's tokens in their usual places; empty where none does.
        iap_tokens: the same of the token that IAP adds.
        left: what stays in force, and which the requests of a run show the effect of.
    """

    denying: tuple[str, ...] = ()
    decisive: tuple[str, ...] = ()
    tokens: str = ""
    iap_tokens: str = ""
    left: tuple[str, ...] = ()


def look(cluster: Cluster, namespace: str) -> Generated:
    """Look at a namespace of a run, as far as this identity may."""
    there = {
        kind: sorted(
            (one for one in of_others(cluster, version, kind, namespace) if foreign_tokens.reaches(one)),
            key=lambda one: str(one["metadata"]["name"]),
        )
        for kind, version in KINDS.items()
    }
    policies = [one for one in there["AuthorizationPolicy"] if enforced(one) and action(one) != "AUDIT"]
    denying = [one for one in policies if action(one) == "ALLOW" and not spec_of(one).get("rules")]
    deciding = [one for one in policies if one not in denying]
    judges = there["RequestAuthentication"]
    usual = foreign_tokens.judging(judges, foreign_tokens.USUAL)
    of_iap = foreign_tokens.judging(judges, foreign_tokens.IAPS)
    left = [one for kind in _LEFT for one in there[kind]]
    left += [one for one in judges if one not in usual and one not in of_iap]
    return Generated(
        _named(denying),
        _named([*deciding, *(one for kind in _INSTEAD for one in there[kind])]),
        next(iter(_named(usual)), ""),
        next(iter(_named(of_iap)), ""),
        _named(left),
    )


def _named(bodies: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(f"{one['kind']} {one['metadata']['name']}" for one in bodies)
