"""Callers that show no identity, and policies that mean to keep callers out by theirs.

Source: istio.io, "Authorization Policy": a field of a source that names an identity matches no caller without one, and
its negation matches each of them; where ALLOW policies are there, a request that none of them matches is refused.
"""

from __future__ import annotations

from clients.mesh.why.objects import AUTHORIZATION, Policy, WorkloadView
from clients.mesh.why.peers import PeerMode, mode_at
from clients.mesh.why.reason import OPEN, Reason, named
from clients.mesh.why.rules import IDENTITY, Rule, conditions, operations, reaches, sources, values
from clients.mesh.why.view import PolicyView

_NEGATED = frozenset(f"not{name[0].upper()}{name[1:]}" for name in IDENTITY)
_KEYS = frozenset({"source.principal", "source.namespace", "source.serviceAccount"})


def stranger_not_denied(view: PolicyView) -> list[Reason]:
    """A DENY rule names callers by identity, and a caller that shows none is let in."""
    found = []
    for policy in view.of_kind(AUTHORIZATION):
        fields = named({name for name, _ in values(policy, *IDENTITY)})
        if policy.action != "DENY" or not fields:
            continue
        weak = {one: mode for one in view.selected(policy) if (mode := _weakest(view, policy, one))}
        weak = {one: mode for one, mode in weak.items() if not _refused(view, one)}
        if weak:
            text = (
                f"{policy} denies by {fields}: a caller without a sidecar shows no identity and is let in, "
                f"as mutual TLS at {named(weak)} is {next(iter(weak.values()))}"
            )
            found.append(Reason(text, OPEN, policy, frozenset(weak)))
    return found


def _weakest(view: PolicyView, policy: Policy, workload: WorkloadView) -> PeerMode | None:
    """A mode that lets plain text in to a port for which the policy denies callers; None for none, or for unknown."""
    by_identity = [rule for rule in policy.rules if any(part.get(name) for part in sources(rule) for name in IDENTITY)]
    ports = [port for port in sorted(set(workload.ports.values())) if any(reaches(rule, port) for rule in by_identity)]
    modes = [mode_at(view, workload, port) for port in ports]
    return next((mode for mode in modes if mode and mode.mode != "STRICT"), None)


def _refused(view: PolicyView, workload: WorkloadView) -> bool:
    """Whether other policies refuse whatever shows no identity; also where not all of them are known."""
    if not view.certain(AUTHORIZATION, workload):
        return True
    applying = view.applying(AUTHORIZATION, workload)
    if any(one.action == "DENY" and any(map(_means_strangers, one.rules)) for one in applying):
        return True
    allowing = [one for one in applying if one.action == "ALLOW"]
    return bool(allowing) and all(_needs_identity(rule) for one in allowing for rule in one.rules)


def _means_strangers(rule: Rule) -> bool:
    """Whether a rule matches each request of a caller without identity (`notPrincipals: ["*"]`)."""
    if any(any(part.values()) for part in operations(rule)):
        return False
    if any(one.get("values") or one.get("key") not in _KEYS for one in conditions(rule)):
        return False
    parts = [{name for name, stated in part.items() if stated} for part in sources(rule)]
    return not parts or any(part <= _NEGATED for part in parts)


def _needs_identity(rule: Rule) -> bool:
    """Whether a rule matches no request of a caller without identity."""
    if any(one.get("key") in _KEYS and one.get("values") for one in conditions(rule)):
        return True
    parts = sources(rule)
    return bool(parts) and all(any(part.get(name) for name in IDENTITY) for part in parts)
