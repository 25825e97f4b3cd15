"""Rules of AuthorizationPolicies that mean something else than they seem to.

Source: istio.io, "Authorization Policy": a string is compared letter by letter; `*` at its beginning, at its end, or
alone is a wildcard, anywhere else a letter. In a namespace each `*` is one; an address is known of any connection
(Istio, `pilot/pkg/security/authz/model`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from clients.mesh.why.objects import AUTHORIZATION, Policy
from clients.mesh.why.reason import EITHER, OPEN, Effect, Reason, misread, named
from clients.mesh.why.services import target_of
from clients.mesh.why.view import PolicyView

Rule = Mapping[str, Any]
IDENTITY = ("principals", "namespaces", "serviceAccounts")
"""Fields of a source that only a caller with a certificate of the mesh can have."""
_HTTP_FIELDS = (
    ("methods", "paths", "hosts", "notMethods", "notPaths", "notHosts"),
    ("requestPrincipals", "notRequestPrincipals"),
)


def sources(rule: Rule) -> list[Mapping[str, Any]]:
    """Its sources; any of them is enough."""
    return [one.get("source") or {} for one in rule.get("from") or ()]


def operations(rule: Rule) -> list[Mapping[str, Any]]:
    """Its operations; any of them is enough."""
    return [one.get("operation") or {} for one in rule.get("to") or ()]


def conditions(rule: Rule) -> list[Mapping[str, Any]]:
    """Its conditions; all of them must hold."""
    return list(rule.get("when") or ())


def values(policy: Policy, *names: str) -> Iterator[tuple[str, str]]:
    """(field, value) of every string in these fields of the policy's sources and operations."""
    for rule in policy.rules:
        for part in (*sources(rule), *operations(rule)):
            for name in names:
                yield from ((name, str(value)) for value in part.get(name) or ())


def http_fields(rule: Rule) -> list[str]:
    """Fields of a rule that only an HTTP request has."""
    used = [name for part in operations(rule) for name in _HTTP_FIELDS[0] if part.get(name)]
    used += [name for part in sources(rule) for name in _HTTP_FIELDS[1] if part.get(name)]
    keys = (str(one.get("key", "")) for one in conditions(rule))
    used += [key for key in keys if key.startswith("request.")]
    return list(dict.fromkeys(used))


def refuses_nothing(view: PolicyView) -> list[Reason]:
    """An AuthorizationPolicy is a dry run, or only audits: it refuses nothing."""
    found = []
    for policy in view.of_kind(AUTHORIZATION):
        what = "is a dry run" if policy.dry_run else "has action AUDIT" if policy.action == "AUDIT" else ""
        if what:
            text = f"{policy} {what}, and so refuses nothing"
            found.append(Reason(text, OPEN, policy, frozenset(view.selected(policy))))
    return found


def http_field_on_tcp(view: PolicyView) -> list[Reason]:
    """A rule has a field of HTTP, and selects a workload behind a port that is handled as TCP."""
    found = []
    for policy in view.of_kind(AUTHORIZATION):
        fields = list(dict.fromkeys(name for rule in policy.rules for name in http_fields(rule)))
        if policy.action not in ("ALLOW", "DENY") or not fields:
            continue
        # A gateway's protocols are those of its Gateway, whatever the Service calls its ports.
        for workload in (one for one in view.selected(policy) if not one.gateway):
            for service in view.services_of(workload):
                for port in service.ports:
                    target = target_of(port, workload)
                    if port.protocol == "tcp" and target and _reads_http_at(policy, target):
                        text = (
                            f"{policy} uses {named(fields)}, and port {port.number} of Service {service} "
                            f"({port.name or 'by appProtocol'}) is TCP: {_ON_TCP[policy.action]}"
                        )
                        where = frozenset({workload}), frozenset({target})
                        found.append(Reason(text, frozenset({Effect.CLOSED, Effect.BROKEN}), policy, *where))
    return found


_ON_TCP = {
    "ALLOW": "such a rule is left out there, and what no rule allows is refused",
    "DENY": "the rule refuses there without looking at these fields",
}


def _reads_http_at(policy: Policy, target: int) -> bool:
    """Whether a rule with a field of HTTP is one for this port too."""
    return any(http_fields(rule) and reaches(rule, target) for rule in policy.rules)


def reaches(rule: Rule, target: int) -> bool:
    """Whether a rule is one for this port of the container, by all that it says of ports."""
    stated = [one for one in conditions(rule) if one.get("key") == "destination.port"]
    by_operation = [_has_port(part, "ports", "notPorts", target) for part in operations(rule)]
    return (any(by_operation) or not by_operation) and all(
        _has_port(one, "values", "notValues", target) for one in stated
    )


def _has_port(part: Mapping[str, Any], these: str, others: str, target: int) -> bool:
    ports, left_out = (set(map(str, part.get(name) or ())) for name in (these, others))
    return (not ports or str(target) in ports) and str(target) not in left_out


def remote_address_believed(view: PolicyView) -> list[Reason]:
    """`remoteIpBlocks` at a workload that is no gateway: the caller itself writes `X-Forwarded-For`."""
    found = []
    for policy in view.of_kind(AUTHORIZATION):
        rules = [rule for rule in policy.rules if _believes(rule)]
        inside = [one for one in view.selected(policy) if not one.gateway]
        if rules and inside:
            text = (
                f"{policy} decides by the remote address at {named(inside)}: a workload takes it from the caller's "
                f"own X-Forwarded-For"
            )
            found.append(Reason(text, EITHER, policy, frozenset(inside)))
    return found


def _believes(rule: Rule) -> bool:
    """Whether the remote address decides alone. Where an identity must match too, the header comes from that caller."""
    fields = ("remoteIpBlocks", "notRemoteIpBlocks")
    by_field = any(
        any(part.get(name) for name in fields) and not any(part.get(name) for name in IDENTITY)
        for part in sources(rule)
    )
    return by_field or any(one.get("key") == "remote.ip" for one in conditions(rule))


def method_spelling(view: PolicyView) -> list[Reason]:
    """A method is not in capital letters: methods are compared letter by letter."""
    found = []
    for policy in view.of_kind(AUTHORIZATION):
        odd = sorted({value for _, value in values(policy, "methods", "notMethods") if value != value.upper()})
        if odd:
            text = f"{policy} names method {named(odd)}, letter by letter: {odd[0].upper()} is another method"
            effects = misread(policy, matches_nothing=True)
            found.append(Reason(text, effects, policy, frozenset(view.selected(policy))))
    return found


def path_shape(view: PolicyView) -> list[Reason]:
    """A denied path is exact, or a prefix that goes on in the middle of a name."""
    found = []
    for policy in view.of_kind(AUTHORIZATION):
        paths = [value for _, value in values(policy, "paths")]
        if policy.action != "DENY":
            continue
        exact = [path for path in paths if "*" not in path and "{" not in path and not _is_leaf(path)]
        bare = [path for path in exact if not any(_below(path, other) for other in paths)]
        if bare:
            text = f"{policy} denies exactly {named(bare)}: nothing below, and not with a slash at the end"
            found.append(Reason(text, OPEN, policy, frozenset(view.selected(policy))))
    return found


def _is_leaf(path: str) -> bool:
    """Whether nothing is expected below a path: the root itself, a file, a method of gRPC (`/pkg.Service/Method`)."""
    return path in ("/", "") or "." in path


def _below(path: str, other: str) -> bool:
    """Whether another pattern covers what lies below the path."""
    base = path.rstrip("/")
    return other in (f"{base}/*", f"{base}*", f"{base}/{{**}}", "*") or other.startswith(f"{base}/{{")


_PRINCIPAL = re.compile(r"[^/]+/ns/[^/]+/sa/[^/]+")


def account_pattern(view: PolicyView) -> list[Reason]:
    """A principal or namespace is written in a way that matches nothing, or more than its author thought of."""
    found = []
    for policy in view.of_kind(AUTHORIZATION):
        for name, value in dict.fromkeys(values(policy, "principals", "notPrincipals", "namespaces", "notNamespaces")):
            if what := _pattern(name, value):
                effects = misread(policy, field=name, matches_nothing=what[1])
                text = f"{policy}: {name} {value!r} {what[0]}"
                found.append(Reason(text, effects, policy, frozenset(view.selected(policy))))
    return found


def _pattern(name: str, value: str) -> tuple[str, bool] | None:
    """What is odd about a pattern, and whether it then matches nothing."""
    if name.lower().endswith("principals"):
        if "*" in value[1:-1]:
            return "has '*' in its middle, where it is no wildcard: it matches no caller", True
        if len(value) > 1 and value.startswith("*") and value.endswith("*"):
            return "has '*' at both ends, where only the first is a wildcard: it matches no caller", True
        if value.startswith("spiffe://"):
            return "begins with spiffe://, which no principal does: it matches no caller", True
        if "*" not in value and not _PRINCIPAL.fullmatch(value):
            return "is not of the form trust-domain/ns/namespace/sa/account: it matches no caller", True
        if re.fullmatch(r"[^/]+/ns/[^/]+\*", value):
            return "ends in the middle of a namespace's name: it matches every namespace that begins so", False
        if re.fullmatch(r"\*/?sa/[^/*]+", value):
            return "matches that account of every namespace", False
    elif value.endswith("*") and len(value) > 1 and not value.endswith("-*"):
        return "matches every namespace that begins so", False
    return None
