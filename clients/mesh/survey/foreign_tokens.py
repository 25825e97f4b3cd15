"""RequestAuthentications of the root namespace that judge tokens of a run: where they look, and for which workloads.

Rules: Istio's reference of RequestAuthentication. Those of the root namespace apply in every namespace, next to a
namespace's own: a token of an issuer that they alone do not know gets 401 where a run expects 200, above all in the
state before a change. A rule without places looks into the header `Authorization` and the parameter `access_token`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clients.kube.fields import spec_of, targets_of

Json = Mapping[str, Any]

USUAL = frozenset({"authorization", "x-token", "x-scope-token", "?token", "?access_token", "=session"})
"""Places of a run's tokens but for IAP's: headers in lower case, `?` parameters, `=` cookies."""
IAPS = frozenset({"ingress-authorization"})
"""Place of the token that IAP adds."""
APPS = frozenset({"httpbin", "istio-ingress", "istio-ingressgateway"})
"""Labels `app` of what takes tokens in a run; other labels of gateways have the run's prefix."""
_DEFAULT = frozenset({"authorization", "?access_token"})


def judging(policies: Iterable[Json], places: frozenset[str]) -> list[Json]:
    """Those of the root namespace's RequestAuthentications that look for tokens there, in a run's workloads."""
    return [one for one in policies if reaches(one) and places & frozenset(places_of(one))]


def reaches(policy: Json) -> bool:
    """Whether an object of the root namespace is for workloads of a run that take tokens, or for its gateways."""
    spec = spec_of(policy)
    if targets := targets_of(policy):  # a Gateway or a Service is one of the root namespace itself
        return any(one.get("kind") == "GatewayClass" for one in targets)
    workloads = spec.get("selector") or spec.get("workloadSelector") or {}
    labels = workloads.get("matchLabels") or workloads.get("labels") or {}
    return all(name == "app" and value in APPS for name, value in labels.items())


def places_of(policy: Json) -> Iterator[str]:
    """Where its rules look, written as in `USUAL`."""
    for rule in spec_of(policy).get("jwtRules") or ():
        headers = [str(one.get("name", "")).lower() for one in rule.get("fromHeaders") or ()]
        parameters = [f"?{name}" for name in rule.get("fromParams") or ()]
        cookies = [f"={name}" for name in rule.get("fromCookies") or ()]
        yield from [*headers, *parameters, *cookies] or _DEFAULT
