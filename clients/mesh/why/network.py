"""NetworkPolicies that do something else than they seem to, or that keep pods from what every pod needs.

Source: kubernetes.io, "Network Policies", and the API reference of `networking.k8s.io/v1`: policies of one pod and
direction add up; without `policyTypes` a policy limits ingress, and egress if it has rules for it; entries of a list
are alternatives, selectors in one entry must both match; a port is the pod's, not the Service's.
"""

from __future__ import annotations

from collections.abc import Iterator

from clients.mesh.why.network_objects import NAMESPACE_NAME, NETWORK, Direction, NetworkPolicyView, Rule, matches
from clients.mesh.why.objects import Json, WorkloadView
from clients.mesh.why.reason import Effect, Reason, named
from clients.mesh.why.request import CaseView
from clients.mesh.why.services import target_of
from clients.mesh.why.view import PolicyView

DROPPED, UNBLOCKED = frozenset({Effect.DROPPED}), frozenset({Effect.UNBLOCKED})
_EITHER = DROPPED | UNBLOCKED
_UNRESOLVED = frozenset({Effect.UNRESOLVED})
_NAMES = (53, 5353)
"""Ports of name servers: the usual one, and the pods' of OpenShift."""
_NAMESPACES = ("kube-system", "openshift-dns")
"""Namespaces of name servers."""
_CONTROL = (15012, 15010, 443)
"""Ports of control planes: istiod's by mutual TLS and in plain text; those outside the cluster."""


def selects_no_pod(view: PolicyView) -> list[Reason]:
    """No pod of its namespace has the labels of the NetworkPolicy's `podSelector`."""
    if "Pod" not in view.known:
        return []
    there = {one.namespace for one in view.workloads}
    return [
        Reason(
            f"{policy} selects no pod of {policy.namespace}: {policy.selector_text}",
            _EITHER,
            about=(NETWORK, policy.namespace, policy.name),
        )
        for policy in view.network_policies
        if policy.namespace in there and not view.isolated(policy)
    ]


def rules_without_type(view: PolicyView) -> list[Reason]:
    """A NetworkPolicy has rules for a direction that its `policyTypes` leave out: they do nothing."""
    return [
        _about(view, policy, f"has rules for {way.lower()} that do nothing: its policyTypes leave {way} out", _EITHER)
        for policy in view.network_policies
        for way in Direction
        if policy.rules(way) and way not in policy.types
    ]


def shuts_ingress_too(view: PolicyView) -> list[Reason]:
    """A NetworkPolicy for egress has no `policyTypes`, and so lets nothing in either."""
    return [
        _about(view, policy, "has no policyTypes, and so limits ingress as well: it lets nothing in", DROPPED)
        for policy in view.network_policies
        if not policy.types_stated and policy.rules(Direction.EGRESS) and not policy.rules(Direction.INGRESS)
    ]


def either_selector(view: PolicyView) -> list[Reason]:
    """A namespace and a pod are two entries of a list, where one entry with both selectors may be meant."""
    return [
        _about(view, policy, text, UNBLOCKED)
        for policy in view.network_policies
        for way in policy.types
        for rule in policy.rules(way)
        for text in _two_entries(policy, rule)
    ]


def _two_entries(policy: NetworkPolicyView, rule: Rule) -> Iterator[str]:
    for first, second in zip(rule.peers, rule.peers[1:], strict=False):
        if set(first) == {"namespaceSelector"} and set(second) == {"podSelector"} and second["podSelector"]:
            yield (
                f"names a namespace and then a pod in two entries: it means every pod of such namespaces, and such "
                f"pods of {policy.namespace}"
            )


def network_port_of_the_service(view: PolicyView) -> list[Reason]:
    """A NetworkPolicy names the Service's port, where a connection is judged by the pod's."""
    found: dict[str, Reason] = {}
    for policy in view.network_policies:
        for way in policy.types:
            for rule in policy.rules(way):
                for other in _meant(view, policy, way, rule):
                    for text in _ports_of_services(view, rule, other):
                        found.setdefault(f"{policy}{text}", _about(view, policy, text, DROPPED))
    return list(found.values())


def _meant(view: PolicyView, policy: NetworkPolicyView, way: Direction, rule: Rule) -> list[WorkloadView]:
    """The workloads whose ports a rule is about, as far as labels show it."""
    if way is Direction.INGRESS:
        return view.isolated(policy)
    return [one for one in view.workloads if any(policy.is_peer(peer, one) for peer in rule.peers)]


def _ports_of_services(view: PolicyView, rule: Rule, workload: WorkloadView) -> Iterator[str]:
    pairs = [(service, port) for service in view.services_of(workload) for port in service.ports]
    targets = {target_of(port, workload) for _, port in pairs} | set(workload.ports.values())
    if None in targets or any(rule.lets(target) for target in targets if target):
        return
    for service, port in pairs:
        target = target_of(port, workload)
        if port.number not in targets and target and rule.names(port.number):
            yield f"names port {port.number}, which is the port of Service {service}; the pod's is {target}"


def no_name_server(view: PolicyView) -> list[Reason]:
    """NetworkPolicies let no connection out to the port of name servers: no name is resolved."""
    return [
        Reason(f"{named(policies)} let nothing out of {workload} to port 53: it resolves no names", _UNRESOLVED, None,
               frozenset({workload}))
        for workload, policies in _limited(view)
        if not any(_to_names(one, rule) and rule.lets_any(_NAMES) for one in policies for rule in one.egress)
    ]  # fmt: skip


def no_control_plane(view: PolicyView) -> list[Reason]:
    """NetworkPolicies let no connection out to the port of a control plane, which a proxy needs."""
    return [
        Reason(
            f"{named(policies)} let nothing out of {workload} to port 15012: its proxy gets neither certificates nor "
            f"configuration, and a new one does not start",
            frozenset({Effect.BROKEN}),
            None,
            frozenset({workload}),
        )
        for workload, policies in _limited(view)
        if workload.injected
        and not any(
            (_elsewhere(rule) or _has_control_plane(view, one)) and rule.lets_any(_CONTROL)
            for one in policies
            for rule in one.egress
        )
    ]


def not_let_out(case: CaseView) -> list[Reason]:
    """NetworkPolicies limit what leaves the caller, and the connection did not come about."""
    limiting = case.view.limiting(case.workload, Direction.EGRESS) if case.outbound else []
    if not limiting:
        return []
    text = f"what leaves {case.workload} is limited by {named(limiting)}, and none of them may let this out"
    return [Reason(text, DROPPED)]


def not_let_in(case: CaseView) -> list[Reason]:
    """NetworkPolicies limit what reaches the server, and the connection did not come about."""
    limiting = [] if case.outbound else case.view.limiting(case.workload, Direction.INGRESS)
    if not limiting:
        return []
    text = f"what reaches {case.workload} is limited by {named(limiting)}, and none of them may let this in"
    return [Reason(text, DROPPED)]


def not_isolated(case: CaseView) -> list[Reason]:
    """The stage has NetworkPolicies, and none of them limits what leaves the caller."""
    stated = any(kind == NETWORK for kind, _, _ in case.stage) and NETWORK in case.view.known
    if not case.outbound or not stated or case.view.limiting(case.workload, Direction.EGRESS):
        return []
    return [Reason(f"no NetworkPolicy limits what leaves {case.workload}", UNBLOCKED)]


def _limited(view: PolicyView) -> Iterator[tuple[WorkloadView, list[NetworkPolicyView]]]:
    """Workloads with the NetworkPolicies that limit what leaves them, where all of these are known."""
    if NETWORK not in view.known:
        return
    for workload in view.workloads:
        if policies := view.limiting(workload, Direction.EGRESS):
            yield workload, policies


def _to_names(policy: NetworkPolicyView, rule: Rule) -> bool:
    """Whether a rule can be about name servers: an address, or a namespace that they may be in, also the policy's."""
    if not rule.peers or policy.namespace in _NAMESPACES:
        return True
    return any("ipBlock" in peer or _of_names(peer.get("namespaceSelector")) for peer in rule.peers)


def _of_names(selector: Json | None) -> bool:
    """Whether a selector of namespaces can select that of name servers; labels other than the name are not known."""
    if selector is None:
        return False
    stated = (selector.get("matchLabels") or {}).keys() | {
        one.get("key") for one in selector.get("matchExpressions") or ()
    }
    return bool(stated - {NAMESPACE_NAME}) or any(matches(selector, {NAMESPACE_NAME: one}) for one in _NAMESPACES)


def _elsewhere(rule: Rule) -> bool:
    """Whether a rule can be about another namespace, or about an address."""
    return not rule.peers or any(set(peer) != {"podSelector"} for peer in rule.peers)


def _has_control_plane(view: PolicyView, policy: NetworkPolicyView) -> bool:
    """Whether a control plane may be in the policy's own namespace."""
    istiod = (one for one in view.workloads if one.labels.get("app") == "istiod")
    return policy.namespace in {view.root, *(one.namespace for one in istiod)}


def _about(view: PolicyView, policy: NetworkPolicyView, text: str, effects: frozenset[Effect]) -> Reason:
    return Reason(f"{policy} {text}", effects, None, frozenset(view.isolated(policy)))
