"""Which policy decided about a request, by the rules as they are in force."""

from __future__ import annotations

from collections.abc import Iterator

from clients.mesh.why import matching
from clients.mesh.why.comparison import UNKNOWN, Match
from clients.mesh.why.objects import AUTHORIZATION, PEER, REQUEST, Policy
from clients.mesh.why.peers import mode_at
from clients.mesh.why.reason import CLOSED, OPEN, Effect, Reason, named
from clients.mesh.why.request import CaseView
from clients.mesh.why.rules import http_fields

_UNAUTHENTICATED, _FORBIDDEN = 401, 403


def denied_by(case: CaseView) -> list[Reason]:
    """A DENY rule matches the request."""
    return [
        Reason(f"{policy} refuses it: rule {number} matches", CLOSED, policy)
        for policy in _of_action(case, "DENY")
        for number, match in _matches(case, policy)
        if match.yes
    ][:1]


def deny_misses(case: CaseView) -> list[Reason]:
    """A DENY policy is there, and no rule of it matches the request."""
    return [
        Reason(f"{policy} does not refuse it: {why}", OPEN, policy)
        for policy in _of_action(case, "DENY")
        if (why := _no_rule(case, policy))
    ]


def allowed_by(case: CaseView) -> list[Reason]:
    """A rule of an ALLOW policy matches the request."""
    for policy in _of_action(case, "ALLOW"):
        for number, match in _matches(case, policy):
            if match.yes:
                return [Reason(f"{policy} allows it: rule {number} matches", OPEN, policy)]
    return []


def nothing_allows(case: CaseView) -> list[Reason]:
    """ALLOW policies are there, and no rule of any of them matches the request."""
    allowing = _of_action(case, "ALLOW")
    whys = {policy: _no_rule(case, policy) for policy in allowing}
    if not allowing or not all(whys.values()) or not case.view.certain(AUTHORIZATION, case.workload):
        return []
    text = "; ".join(f"{policy} does not allow it: {why}" for policy, why in list(whys.items())[:3])
    return [Reason(text, CLOSED, allowing[0])]


def strict_without_identity(case: CaseView) -> list[Reason]:
    """Mutual TLS is STRICT, and the caller cannot speak it."""
    mode = mode_at(case.view, case.workload, case.request.port)
    if mode is None or mode.mode != "STRICT" or not case.no_identity or case.observed is not None:
        return []
    if case.workload.bypasses(case.request.port):
        return []
    return [Reason(f"mutual TLS at {case.workload} is {mode}, and {case.no_identity}", CLOSED, mode.by)]


def no_policy(case: CaseView) -> list[Reason]:
    """No policy that could have refused the request selects the workload or the port."""
    kind = {_UNAUTHENTICATED: REQUEST, _FORBIDDEN: AUTHORIZATION, None: PEER}.get(case.expected)
    if kind is None or not case.view.certain(kind, case.workload):
        return []
    if kind == PEER:
        return _not_strict(case)
    if case.view.applying(kind, case.workload):
        return []
    return [Reason(f"no {kind} selects {case.workload}{_of_stage(case, kind)}", OPEN)]


def _not_strict(case: CaseView) -> list[Reason]:
    """Plain text is accepted, where a caller without a sidecar should have been refused."""
    mode = mode_at(case.view, case.workload, case.request.port)
    if mode is None or mode.mode == "STRICT" or case.caller.injected is not False or case.workload.injected is None:
        return []
    if not case.http and case.view.applying(AUTHORIZATION, case.workload):
        return []  # a TCP port is refused by authorization without a response, too
    port = f" port {case.request.port}" if case.request.port else ""
    if not case.workload.injected:
        return [Reason(f"{case.workload} has no sidecar, so no policy applies to it", OPEN)]
    return [Reason(f"mutual TLS at {case.workload}{port} is {mode}{_of_stage(case, PEER)}", OPEN, mode.by)]


def _of_stage(case: CaseView, kind: str) -> str:
    """`; AuthorizationPolicy a/b of this stage does not apply there`."""
    own = (case.view.by_key.get(key) for key in sorted(case.stage) if key[0] == kind)
    applying = case.view.applying(kind, case.workload)
    others = [one for one in own if one is not None and one not in applying]
    return f"; {named(others)} of this stage is not for it" if others else ""


def no_sidecar(case: CaseView) -> list[Reason]:
    """The workload has no proxy, so that no policy applies to it."""
    if case.workload.injected is not False or case.effect is not Effect.OPEN:
        return []
    return [Reason(f"{case.workload} has no sidecar, so no policy applies to it", OPEN)]


def _of_action(case: CaseView, action: str) -> list[Policy]:
    """Policies of an action that are in force at the workload, those of the case's stage first.

    None where the outcome is not one that such a policy makes, or could have made.
    """
    if not case.by_authorization:
        return []
    found = [one for one in case.view.applying(AUTHORIZATION, case.workload) if one.action == action]
    found = [one for one in found if case.view.reads(case.workload, one)]
    return sorted(found, key=lambda one: (one.kind, one.namespace, one.name) not in case.stage)


def _matches(case: CaseView, policy: Policy) -> Iterator[tuple[int, Match]]:
    for number, rule in enumerate(policy.rules):
        invisible = case.tcp and http_fields(rule)  # see `rules.http_field_on_tcp`
        yield number, UNKNOWN if invisible else matching.rule(case, rule, policy.namespace)


def _no_rule(case: CaseView, policy: Policy) -> str:
    """Why no rule matches, each with what is missing; empty where one matches, or may match."""
    if not policy.rules:
        return "it has no rule" if policy.action == "ALLOW" else ""
    found = list(_matches(case, policy))
    if any(match.yes is not False for _, match in found):
        return ""
    if len(found) == 1:
        return found[0][1].why
    return ", ".join(f"rule {number} ({match.why})" for number, match in found[:3])
