"""Whether a proxy holds the policies that were applied: how its configuration differs from the objects, in words.

Rules: Istio's reference of AuthorizationPolicy, RequestAuthentication and PeerAuthentication (selection by namespace
and labels, precedence of modes). Only what those pages state is compared, so that a difference is one of the mesh.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from clients.kube.fields import kind_and_name, labels_of, spec_of
from clients.kube.labels import REVISION_LABEL
from clients.kube.pods import Pod
from clients.mesh.enforced import ANY_OTHER, CLOCK_SKEW_S, Enforced, Provider, keys
from clients.mesh.policies import is_for
from clients.mesh.survey.survey import ROOT_NAMESPACE

Object = Mapping[str, Any]

KINDS = ("AuthorizationPolicy", "RequestAuthentication", "PeerAuthentication")
_MODES = {"STRICT": (True, False), "PERMISSIVE": (True, True), "DISABLE": (False, True)}
"""Mode → whether connections with and without mutual TLS are taken."""
_WORD = re.compile(r"[a-z0-9_]+")
_SPIFFE, _OWN_DOMAIN = "spiffe://", "cluster.local/"
_IDENTITY_WORDS = frozenset({"spiffe", "ns", "sa", "cluster", "local", "payload"})
"""Words that istiod adds to what a rule states."""
_ADDRESSES = ("ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks")
"""Fields that a proxy holds in another form: an address without the bits that its prefix leaves out."""
_EXACT = frozenset({"exact", "prefix", "suffix", "contains"})


def selects(policy: Object, pod: Pod, root: str = ROOT_NAMESPACE) -> bool:
    """Whether a policy is one of this workload's; one that is for another revision's proxies is not.

    Args:
        root: namespace whose policies apply to the whole mesh.
    """
    namespace = policy["metadata"].get("namespace")
    if namespace not in (pod.namespace, root) or REVISION_LABEL in labels_of(policy):
        return False
    if policy["kind"] == "PeerAuthentication" and _has_labels(policy) and namespace == root:
        return False  # it is in force nowhere (Istio, `ComposePeerAuthentication`)
    return is_for(policy, pod)


def differences(policies: Sequence[Object], pod: Pod, held: Enforced, root: str = ROOT_NAMESPACE) -> list[str]:
    """How what a proxy holds differs from these policies, one line for each object that it differs from."""
    own = [policy for policy in policies if selects(policy, pod, root)]
    of_kind = {kind: [policy for policy in own if policy["kind"] == kind] for kind in KINDS}
    rules = (found for policy in of_kind["AuthorizationPolicy"] if (found := _rule_difference(policy, held)))
    tokens = (found for policy in of_kind["RequestAuthentication"] if (found := _token_difference(policy, held)))
    return [*rules, *tokens, *_mode_differences(of_kind["PeerAuthentication"], held, root)]


def unknown_policies(policies: Iterable[Object], held: Enforced) -> set[tuple[str, str]]:
    """Namespace and name of AuthorizationPolicies that the proxy holds and that are not among these."""
    known = {(one["metadata"].get("namespace"), one["metadata"]["name"]) for one in policies}
    return {(namespace, name) for namespace, name, _ in held.rules if (namespace, name) not in known}


def unstated_issuers(policies: Iterable[Object], pod: Pod, held: Enforced, root: str = ROOT_NAMESPACE) -> list[str]:
    """Issuers of these policies for which the proxy has a provider more that is like none of their rules."""
    of_issuer: dict[str, list[Object]] = {}
    for issuer, rule in _token_rules(policies, pod, root):
        of_issuer.setdefault(issuer, []).append(rule)
    return sorted(
        {
            one.issuer
            for one in held.providers
            if one.issuer in of_issuer and all(_provider_difference(rule, one) for rule in of_issuer[one.issuer])
        }
    )


def names_issuer(policies: Iterable[Object], pod: Pod, issuer: str, root: str = ROOT_NAMESPACE) -> bool:
    """Whether one of these RequestAuthentications is for the pod, and is about this issuer."""
    return any(name == issuer for name, _ in _token_rules(policies, pod, root))


def _token_rules(policies: Iterable[Object], pod: Pod, root: str) -> Iterator[tuple[str, Object]]:
    for policy in policies:
        if policy["kind"] == "RequestAuthentication" and selects(policy, pod, root):
            yield from ((rule.get("issuer", ""), rule) for rule in spec_of(policy).get("jwtRules") or ())


def _rule_difference(policy: Object, held: Enforced) -> str:
    """A rule without conditions has no form of its own, and one of AUDIT none that every mesh has."""
    spec, meta = spec_of(policy), policy["metadata"]
    rules = spec.get("rules") or []
    if spec.get("action") == "AUDIT" or not rules:
        return ""
    own = (meta["namespace"], meta["name"])
    numbers = {number for namespace, name, number in held.rules if (namespace, name) == own}
    if not numbers:
        return f"{kind_and_name(policy)} is not there"
    if missing := sorted(set(range(len(rules))) - numbers):
        return f"rule {missing[0]} of {kind_and_name(policy)} is not there"
    if more := sorted(numbers - set(range(len(rules)))):
        return f"rule {more[0]} of {kind_and_name(policy)} is there, which the object does not have"
    for number, rule in enumerate(rules):
        if found := _content(rule, held.rules[*own, number]):
            return f"rule {number} of {kind_and_name(policy)} {found}"
    return ""


def _content(rule: Object, forms: Sequence[Object]) -> str:
    """What a rule of a proxy lacks of what is stated in all its forms, or has in none of them without that."""
    stated = _words(map(_without_domain, _stated(rule)))
    lacking = min((stated - _words(_texts(form)) for form in forms), key=len)
    if lacking:
        return f"lacks {', '.join(sorted(lacking))}"
    known = _words(_texts(rule)) | _IDENTITY_WORDS
    extra = min((_words(map(_without_domain, _exact(form))) - known for form in forms), key=len)
    return f"has {', '.join(sorted(extra))}, which the object does not state" if extra else ""


def _without_domain(text: str) -> str:
    """An identity without its trust domain: a proxy has the mesh's own, and its aliases, in place of `cluster.local`.

    Source: Istio, "Trust Domain Migration".
    """
    return text.removeprefix(_SPIFFE).partition("/")[2] if text.startswith((_SPIFFE, _OWN_DOMAIN)) else text


def _stated(rule: Any) -> Iterator[str]:
    """The values that a rule states, without addresses, and without the keys of its conditions."""
    if isinstance(rule, dict):
        for name, value in rule.items():
            address = name in _ADDRESSES or (name.endswith("alues") and str(rule.get("key", "")).endswith(".ip"))
            if name != "key" and not address:
                yield from _stated(value)
    elif isinstance(rule, list):
        for one in rule:
            yield from _stated(one)
    else:
        yield str(rule)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield str(name)
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    else:
        yield str(value)


def _exact(value: Any) -> Iterator[str]:
    """The texts that a proxy compares as they are."""
    if isinstance(value, dict):
        for name, one in value.items():
            if name in _EXACT and isinstance(one, str):
                yield one
            else:
                yield from _exact(one)
    elif isinstance(value, list):
        for one in value:
            yield from _exact(one)


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in _WORD.findall(text.lower())}


def _token_difference(policy: Object, held: Enforced) -> str:
    for rule in spec_of(policy).get("jwtRules") or ():
        issuer = rule.get("issuer", "")
        providers = [one for one in held.providers if one.issuer == issuer]
        if not providers:
            return f"{kind_and_name(policy)} is not there: no provider of issuer {issuer}"
        # several policies may name the issuer, so one of its providers must be this rule's; no rule states a clock skew
        found = [_provider_difference(rule, one) for one in providers]
        skewed = [one.clock_skew_s for one in providers if one.clock_skew_s != CLOCK_SKEW_S]
        if all(found) or skewed:
            text = found[0] if all(found) else f"allows for clocks {skewed[0]} s off, not {CLOCK_SKEW_S} s"
            return f"{kind_and_name(policy)}: the provider of issuer {issuer} {text}"
    return ""


def _provider_difference(rule: Object, provider: Provider) -> str:
    audiences = frozenset(rule.get("audiences") or ())
    if audiences != provider.audiences:
        return f"has audiences {sorted(provider.audiences)}, not {sorted(audiences)}"
    stated = keys(rule.get("jwks") or "")
    return "has other keys" if stated and stated != provider.keys else ""


def _mode_differences(policies: Sequence[Object], held: Enforced, root: str) -> list[str]:
    """The modes by the most specific policy that states one: of the workload, of its namespace, of the mesh."""
    ranked = sorted(policies, key=lambda policy: _rank(policy, root))
    if not ranked or (len(ranked) > 1 and _rank(ranked[0], root) == _rank(ranked[1], root)):
        return []  # several of one level: the oldest counts, which manifests do not show
    name, spec = kind_and_name(ranked[0]), spec_of(ranked[0])
    mode = (spec.get("mtls") or {}).get("mode", "")
    by_port = {int(port): (one or {}).get("mode", "") for port, one in (spec.get("portLevelMtls") or {}).items()}
    found = []
    for port, seen in sorted(held.modes.items()):
        wanted = by_port.get(port, mode)
        which = "a port that no Service has" if port == ANY_OTHER else f"port {port}"
        if wanted in _MODES and seen != _MODES[wanted]:
            taken = " and ".join(name for name, takes in zip(("mutual TLS", "plaintext"), seen, strict=True) if takes)
            found.append(f"{name} is {wanted}, but {which} takes {taken or 'nothing'}")
        elif wanted == "STRICT" and port in held.unverified:
            found.append(f"{name} is STRICT, but {which} takes TLS without a verified client certificate")
        elif wanted == "STRICT" and port in held.foreign:
            found.append(f"{name} is STRICT, but {which} trusts another authority than the mesh's")
        elif wanted == "STRICT" and port in held.expired:
            found.append(f"{name} is STRICT, but {which} takes expired certificates")
        elif wanted == "STRICT" and port in held.unnamed:
            found.append(f"{name} is STRICT, but {which} takes certificates of any trust domain")
    return found[:1]


def _rank(policy: Object, root: str) -> int:
    if _has_labels(policy):
        return 0
    return 2 if policy["metadata"].get("namespace") == root else 1


def _has_labels(policy: Object) -> bool:
    """Whether it is for some workloads of its namespace only."""
    return bool((spec_of(policy).get("selector") or {}).get("matchLabels"))
