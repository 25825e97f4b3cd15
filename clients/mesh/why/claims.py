"""Whether the claims of a request's token match what a rule asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clients.mesh.why.comparison import UNKNOWN, YES, Field, Match, like
from clients.mesh.why.request import CaseView
from clients.mesh.why.tokens import issuers, reads_elsewhere


def request_principals(case: CaseView, patterns: list[str]) -> Match:
    """Issuer and subject of the verified token."""
    claims = _verified(case)
    if claims is None:
        return UNKNOWN
    missing = [name for name in ("iss", "sub") if not isinstance(claims.get(name), str)]
    if not claims:
        return Match(False, "the request has no token that is verified")
    if missing:
        return Match(False, f"the token has no {' and no '.join(missing)}, and so gives no request principal")
    principal = f"{claims['iss']}/{claims['sub']}"
    if any(_like_principal(one, claims["iss"], claims["sub"]) for one in patterns):
        return YES
    divided = ", and a rule's is divided at its last slash" if principal in patterns else ""
    return Match(False, f"the token's is {principal}{divided}")


def _like_principal(pattern: str, issuer: str, subject: str) -> bool:
    """Whether a request principal matches: all before its last slash is the issuer, the rest is the subject.

    Source: Istio, `requestPrincipalGenerator` in `pilot/pkg/security/authz/model`.
    """
    left, slash, right = pattern.rpartition("/")
    if pattern == "*":
        return True
    if pattern.startswith("*"):
        return issuer.endswith(left[1:]) and subject == right if slash else subject.endswith(pattern[1:])
    if pattern.endswith("*"):
        return issuer == left and subject.startswith(right[:-1]) if slash else issuer.startswith(pattern[:-1])
    return bool(slash) and (issuer, subject) == (left, right)


def _verified(case: CaseView) -> Mapping[str, Any] | None:
    """Claims of the token if the workload verifies it; an empty mapping where it verifies none such."""
    claims, trusted = case.request.claims, issuers(case.view, case.workload)
    if not claims or trusted is None or reads_elsewhere(case.view, case.workload):
        return claims if claims == {} else None
    return claims if claims.get("iss") in trusted else {}


def claim(key: str) -> Field:
    """Compares the claim that a condition's key names (`request.auth.claims[a][b]`)."""
    names = re.findall(r"\[([^\]]*)\]", key)

    def compared(case: CaseView, patterns: list[str]) -> Match:
        claims = _verified(case)
        if claims is None:
            return UNKNOWN
        value: Any = claims
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return _compared(names[-1], value, patterns)

    return compared


def _compared(name: str, value: Any, patterns: list[str]) -> Match:
    """A claim's value: only strings, and strings in a list, are compared."""
    if value is None:
        return Match(False, f"the token has no claim {name}")
    strings = (
        [value]
        if isinstance(value, str)
        else [one for one in value if isinstance(one, str)]
        if isinstance(value, list)
        else []
    )
    if not strings:
        return Match(False, f"claim {name} is {_kind(value)}, and only strings are compared")
    if any(like(pattern, one) for pattern in patterns for one in strings):
        return YES
    split = [one for one in strings if " " in one and set(one.split()) & set(patterns)]
    if split:
        return UNKNOWN  # spaceDelimitedClaims may split it
    return Match(False, f"claim {name} is {value!r}")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return f"a boolean ({str(value).lower()})"
    if isinstance(value, int | float):
        return f"a number ({value})"
    return "an object" if isinstance(value, Mapping) else "a list without strings"


def audiences(case: CaseView, patterns: list[str]) -> Match:
    """Audiences of the verified token."""
    claims = _verified(case)
    return UNKNOWN if claims is None else _compared("aud", claims.get("aud"), patterns)
