"""Which policy refused a request, by the log of the proxy that did.

Source: Envoy's response code details: `rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]`, `…[none]`,
`jwt_authn_access_denied{Jwt_is_expired}`; routes and clusters by Istio's names.
"""

from __future__ import annotations

import re

from clients.mesh.why.objects import AUTHORIZATION, REQUEST
from clients.mesh.why.reason import CLOSED, Effect, Reason, named
from clients.mesh.why.request import CaseView

_RULE = re.compile(
    r"rbac_access_denied_matched_policy\[(?:\w+-)?ns\[(?P<ns>[^\]]+)\]-policy\[(?P<name>[^\]]+)\]-rule\[(?P<rule>\d+)\]"
)
_NONE = re.compile(r"rbac_access_denied_matched_policy\[none\]")
_TOKEN = re.compile(r"jwt_authn_access_denied\{(?P<why>[^}]*)\}")


def refused_by_rule(case: CaseView) -> list[Reason]:
    """The proxy's log names the rule of the DENY policy that refused the request."""
    for entry in case.entries:
        if match := _RULE.search(entry.details):
            policy = case.view.by_key.get((AUTHORIZATION, match["ns"], match["name"]))
            shadow = ", which applies to the whole mesh" if match["ns"] == case.view.root else ""
            name = f"{AUTHORIZATION} {match['ns']}/{match['name']}"
            text = f"{name} refused it at {case.workload} by its rule {match['rule']} (the proxy's log){shadow}"
            return [Reason(text, CLOSED, policy)]
    return []


def refused_as_not_allowed(case: CaseView) -> list[Reason]:
    """The proxy's log says that ALLOW policies are there and that none of them matched."""
    if not any(_NONE.search(entry.details) for entry in case.entries):
        return []
    allowing = [one for one in case.view.applying(AUTHORIZATION, case.workload) if one.action == "ALLOW"]
    by = f"no rule of {named(allowing)}" if allowing else "no rule of an ALLOW policy"
    first = allowing[0] if allowing else None
    return [Reason(f"{by} matched it at {case.workload} (the proxy's log)", CLOSED, first)]


def refused_token(case: CaseView) -> list[Reason]:
    """The proxy's log says why the token was refused."""
    for entry in case.entries:
        if match := _TOKEN.search(entry.details):
            why = match["why"].replace("_", " ")
            by = case.view.applying(REQUEST, case.workload)
            return [Reason(f"{named(by) or REQUEST} refused the token at {case.workload}: {why}", CLOSED)]
    return []


def refused_by_client(case: CaseView) -> list[Reason]:
    """The caller's own proxy refused: the host is not in its registry (`REGISTRY_ONLY`)."""
    for entry in case.entries:
        if entry.route == "block_all" or entry.upstream_cluster == "BlackHoleCluster":
            where = entry.route or entry.upstream_cluster
            text = f"the proxy of {case.workload} knows no such host, and sends nothing on ({where}: REGISTRY_ONLY)"
            return [Reason(text, frozenset({Effect.CLOSED, Effect.BROKEN}))]
    return []
