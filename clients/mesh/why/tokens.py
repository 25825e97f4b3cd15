"""Tokens: rules that no token can satisfy, and verification that nothing requires.

Source: istio.io, "RequestAuthentication" and "Authorization Policy Conditions": a request principal is `iss/sub`; of a
claim only strings, and strings in a list, are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from clients.mesh.why.objects import AUTHORIZATION, REQUEST, Policy, WorkloadView
from clients.mesh.why.reason import EITHER, OPEN, Reason, misread, named
from clients.mesh.why.rules import conditions, values
from clients.mesh.why.view import PolicyView

CLAIMS = "request.auth.claims"
_DOTTED = re.compile(r"request\.auth\.claims\[([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)\]")
PRINCIPAL_FIELDS = ("requestPrincipals", "notRequestPrincipals")


def keys(policy: Policy) -> Iterator[str]:
    """Keys of the policy's conditions."""
    return (str(one.get("key", "")) for rule in policy.rules for one in conditions(rule))


def issuers(view: PolicyView, workload: WorkloadView) -> list[str] | None:
    """Issuers whose tokens the workload verifies; None where that is not known."""
    if not view.certain(REQUEST, workload):
        return None
    rules = [rule for one in view.applying(REQUEST, workload) for rule in one.spec.get("jwtRules") or ()]
    return [str(rule.get("issuer", "")) for rule in rules]


def reads_elsewhere(view: PolicyView, workload: WorkloadView) -> bool:
    """Whether the workload looks for tokens in other places than the Authorization header."""
    places = ("fromHeaders", "fromParams", "fromCookies")
    rules = (rule for one in view.applying(REQUEST, workload) for rule in one.spec.get("jwtRules") or ())
    return any(rule.get(place) for rule in rules for place in places)


def request_principal_form(view: PolicyView) -> list[Reason]:
    """A request principal without a slash: it is `issuer/subject`."""
    found = []
    for policy in view.of_kind(AUTHORIZATION):
        odd = [value for _, value in values(policy, *PRINCIPAL_FIELDS) if "/" not in value and "*" not in value]
        if odd:
            text = f"{policy} names request principal {named(odd)}: it is issuer/subject, so this matches no token"
            found.append(Reason(text, misread(policy, matches_nothing=True), policy, frozenset(view.selected(policy))))
    return found


def claim_with_dots(view: PolicyView) -> list[Reason]:
    """A nested claim by dots, where each level needs brackets of its own."""
    found = []
    for policy in view.of_kind(AUTHORIZATION):
        for match in filter(None, map(_DOTTED.fullmatch, dict.fromkeys(keys(policy)))):
            right = CLAIMS + "".join(f"[{part}]" for part in match[1].split("."))
            text = f"{policy} asks for {match[0]}, a claim with dots in its name; the nested one is {right}"
            found.append(Reason(text, EITHER, policy, frozenset(view.selected(policy))))
    return found


def untrusted_issuer(view: PolicyView) -> list[Reason]:
    """A rule asks for tokens of an issuer that no RequestAuthentication of the workload verifies."""
    found = []
    for policy in view.of_kind(AUTHORIZATION):
        asked = {issuer for _, value in values(policy, "requestPrincipals") if (issuer := _issuer(value))}
        for issuer in sorted(asked):
            trusted = {one: issuers(view, one) for one in view.selected(policy)}
            without = [one for one, known in trusted.items() if known is not None and issuer not in known]
            if without:
                names = named({name for one in without for name in trusted[one] or ()}) or "none at all"
                text = (
                    f"{policy} asks for tokens of {issuer}, and {named(without)} verifies "
                    f"{'tokens of ' if names != 'none at all' else ''}{names}"
                )
                found.append(Reason(text, misread(policy, matches_nothing=True), policy, frozenset(without)))
    return found


def token_not_required(view: PolicyView) -> list[Reason]:
    """Tokens are verified, and no AuthorizationPolicy requires one: a request without a token passes."""
    found = []
    for policy in view.of_kind(REQUEST):
        open_to = [one for one in view.selected(policy) if view.certain(AUTHORIZATION, one) and not _asks(view, one)]
        if open_to:
            text = f"{policy} verifies tokens, and no AuthorizationPolicy at {named(open_to)} requires one"
            found.append(Reason(text, OPEN, policy, frozenset(open_to)))
    return found


def _asks(view: PolicyView, workload: WorkloadView) -> bool:
    """Whether any policy at the workload asks for a token, or refuses everything, or leaves it to a provider."""
    for policy in view.applying(AUTHORIZATION, workload):
        by_token = any(True for _ in values(policy, *PRINCIPAL_FIELDS))
        if by_token or any(key.startswith("request.auth.") for key in keys(policy)):
            return True
        if policy.action == "CUSTOM" or (policy.action == "ALLOW" and not policy.rules):
            return True
    return False


def _issuer(value: str) -> str:
    """Issuer of a request principal: all before the last slash; empty where a wildcard hides it."""
    if value.endswith("/*"):
        value = value[:-1]
    return "" if "*" in value else value.rpartition("/")[0]
