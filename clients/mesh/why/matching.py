"""Whether a rule of an AuthorizationPolicy matches a request: yes, no, or not known.

A rule matches where one of its sources, one of its operations and all of its conditions do (istio.io, "Authorization
Policy"). What is not known of the request is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from clients.mesh.why.claims import audiences, claim, request_principals
from clients.mesh.why.comparison import UNKNOWN, YES, Field, Match, like
from clients.mesh.why.request import CaseView
from clients.mesh.why.rules import Rule, conditions, operations, sources
from clients.mesh.why.tokens import CLAIMS


def rule(case: CaseView, stated: Rule, namespace: str = "") -> Match:
    """Whether a rule matches.

    Args:
        namespace: of its policy, which an account without a namespace is of.
    """
    accounts = _accounts_of(namespace)
    parts = [
        _any(case, sources(stated), {**_SOURCE, "serviceAccounts": accounts}),
        _any(case, operations(stated), _OPERATION),
        *(condition(case, one, accounts) for one in conditions(stated)),
    ]
    return _all(parts)


def _any(case: CaseView, alternatives: Sequence[Mapping[str, Any]], fields: Mapping[str, Field]) -> Match:
    if not alternatives:
        return YES
    found = [_all(_fields(case, one, fields)) for one in alternatives]
    if any(one.yes for one in found):
        return YES
    if all(one.yes is False for one in found):
        return Match(False, found[0].why)
    return UNKNOWN


def _all(parts: Iterable[Match]) -> Match:
    found = list(parts)
    if wrong := next((one for one in found if one.yes is False), None):
        return wrong
    return YES if all(one.yes for one in found) else UNKNOWN


def _fields(case: CaseView, stated: Mapping[str, Any], fields: Mapping[str, Field]) -> Iterable[Match]:
    for name, patterns in stated.items():
        if not patterns:
            continue
        positive = name if not name.startswith("not") else name[3].lower() + name[4:]
        match = fields[positive](case, list(map(str, patterns))) if positive in fields else UNKNOWN
        if positive == name or match.yes is None:
            yield Match(match.yes, f"{name} [{', '.join(map(str, patterns))}]: {match.why}" if match.why else "")
        else:
            yield Match(not match.yes, f"{name} [{', '.join(map(str, patterns))}] excludes it")


def _principals(case: CaseView, patterns: list[str]) -> Match:
    principal = case.principal
    if principal is None:
        return UNKNOWN
    if not principal:
        return Match(False, f"the caller shows no identity ({case.no_identity})")
    ours = [pattern for pattern in patterns if pattern.startswith(("cluster.local/", "*"))]
    if any(like(pattern, f"cluster.local/{principal}") for pattern in ours):
        return YES
    return Match(False, f"the caller is cluster.local/{principal}") if len(ours) == len(patterns) else UNKNOWN


def _namespaces(case: CaseView, patterns: list[str]) -> Match:
    return _identity(case, case.caller.namespace, patterns, _like_namespace)


def _like_namespace(pattern: str, namespace: str) -> bool:
    """Of a namespace, each `*` is a wildcard, wherever it is (Istio, `srcNamespaceGenerator`)."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), namespace) is not None


def _accounts_of(namespace: str) -> Field:
    """Compares accounts, `namespace/name` or a name alone, letter by letter (Istio, `srcServiceAccountGenerator`)."""

    def compared(case: CaseView, patterns: list[str]) -> Match:
        own = f"{case.caller.namespace}/{case.caller.account}"
        stated = [one if "/" in one else f"{namespace}/{one}" for one in patterns]
        match = _identity(case, own, stated, str.__eq__)
        if match.yes is False and case.principal:
            dotted = [one for one in stated if "." in one and re.fullmatch(re.escape(one).replace(r"\.", "."), own)]
            if dotted:
                return Match(False, f"{match.why}, which differs only where the rule's {dotted[0]} has a dot")
        return match

    return compared


def _identity(case: CaseView, own: str, patterns: list[str], equal: Callable[[str, str], bool]) -> Match:
    if case.principal is None:
        return UNKNOWN
    if not case.principal:
        return Match(False, f"the caller shows no identity ({case.no_identity})")
    return YES if any(equal(pattern, own) for pattern in patterns) else Match(False, f"the caller is of {own}")


def _methods(case: CaseView, patterns: list[str]) -> Match:
    method = case.request.method
    if not method:
        return UNKNOWN
    if any(like(pattern, method) for pattern in patterns):
        return YES
    spelt = [one for one in patterns if one.upper() == method.upper()]
    more = ", and methods are compared letter by letter" if spelt else ""
    return Match(False, f"the request's method is {method}{more}")


def _paths(case: CaseView, patterns: list[str]) -> Match:
    path = case.request.path.split("?", 1)[0].split("#", 1)[0]
    if not path:
        return UNKNOWN
    if any(like(pattern, path) for pattern in patterns):
        return YES
    if any("{" in one for one in patterns) or re.search(r"//|\\|%|/\.", path):
        return UNKNOWN  # templates, and paths that the mesh may normalise
    near = [one for one in patterns if one.lower().rstrip("/") == path.lower().rstrip("/")]
    below = [one for one in patterns if "*" not in one and path.startswith(f"{one.rstrip('/')}/")]
    more = ", and paths are compared letter by letter" if near else ""
    more = more or (f", and {below[0]} is an exact path" if below else "")
    return Match(False, f"the request's path is {path}{more}")


def _hosts(case: CaseView, patterns: list[str]) -> Match:
    host = case.request.host.lower()
    return YES if host and any(like(one.lower(), host) for one in patterns) else UNKNOWN


def _ports(case: CaseView, patterns: list[str]) -> Match:
    if case.request.port is None:
        return UNKNOWN
    return YES if str(case.request.port) in patterns else Match(False, f"the container's port is {case.request.port}")


def condition(case: CaseView, stated: Mapping[str, Any], accounts: Field) -> Match:
    """Whether a condition (`when`) holds; `accounts` compares service accounts."""
    key, wanted = str(stated.get("key", "")), [str(one) for one in stated.get("values") or ()]
    unwanted = [str(one) for one in stated.get("notValues") or ()]
    fields = {**_CONDITION, "source.serviceAccount": accounts}
    field = fields.get(key) or (claim(key) if key.startswith(f"{CLAIMS}[") else None)
    if field is None:
        return UNKNOWN
    parts = [field(case, wanted)] if wanted else []
    if unwanted:
        found = field(case, unwanted)
        parts.append(Match(None if found.yes is None else not found.yes, f"notValues {unwanted} excludes it"))
    match = _all(parts)
    return Match(match.yes, f"{key} {wanted or unwanted}: {match.why}") if match.yes is False else match


def _token_principal(case: CaseView, patterns: list[str]) -> Match:
    return request_principals(case, patterns)


_SOURCE: Mapping[str, Field] = {
    "principals": _principals,
    "namespaces": _namespaces,
    "requestPrincipals": request_principals,
}
_OPERATION: Mapping[str, Field] = {"methods": _methods, "paths": _paths, "hosts": _hosts, "ports": _ports}
_CONDITION: Mapping[str, Field] = {
    "source.namespace": _namespaces,
    "source.principal": _principals,
    "request.auth.principal": _token_principal,
    "request.auth.audiences": audiences,
    "destination.port": _ports,
}
