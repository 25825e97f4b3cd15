"""Everything that the detectors look at. Nothing here asks the cluster.

What could not be read is absent from `PolicyView.known`, so that a detector which needs it says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from clients.kube.labels import MANAGED_BY_LABEL, MANAGER
from clients.mesh.survey.survey import ROOT_NAMESPACE
from clients.mesh.why import forms
from clients.mesh.why.network_objects import NETWORK, Direction, NetworkPolicyView
from clients.mesh.why.objects import MARKERS, PEER, POLICY_KINDS, Json, Policy, WorkloadView
from clients.mesh.why.services import ServiceView
from clients.mesh.why.templates import WORKLOAD_KINDS, is_of_the_api, uninjected_namespaces, workload_of

ObjectKey = tuple[str, str, str]
"""Kind, namespace and name."""


@dataclass(frozen=True)
class PolicyView:
    """All that the detectors look at.

    Attributes:
        destination_rules, service_entries: of Istio, as they are.
        known: kinds that could be read; of any other kind the absence says nothing.
        revisions: names by which the revisions of control planes are known, tags too: name → revision; None where
            they could not be read.
        root: namespace whose policies apply to the whole mesh.
        odd: objects of another form than the API's, which are in nothing else: what each is, and what is odd.
    """

    policies: tuple[Policy, ...] = ()
    workloads: tuple[WorkloadView, ...] = ()
    services: tuple[ServiceView, ...] = ()
    destination_rules: tuple[Json, ...] = field(default=(), hash=False)
    service_entries: tuple[Json, ...] = field(default=(), hash=False)
    network_policies: tuple[NetworkPolicyView, ...] = ()
    known: frozenset[str] = frozenset()
    revisions: Mapping[str, str] | None = field(default=None, hash=False)
    root: str = ROOT_NAMESPACE
    odd: tuple[tuple[ObjectKey, str], ...] = ()

    def of_kind(self, kind: str) -> list[Policy]:
        """Its policies of a kind, in their order."""
        return [policy for policy in self.policies if policy.kind == kind]

    def selected(self, policy: Policy) -> list[WorkloadView]:
        """The workloads that a policy selects, whether its revision is theirs or not; none for an attached one.

        A waypoint has attached policies alone.
        """
        if policy.attached:
            return []
        wide = policy.namespace == self.root and not (policy.kind == PEER and policy.selector)
        near = [one for one in self.workloads if wide or one.namespace == policy.namespace]
        return [one for one in near if one.has(policy.selector) and not one.waypoint]

    def reads(self, workload: WorkloadView, policy: Policy) -> bool | None:
        """Whether the control plane of the workload's proxy reads the policy; None where that is not known."""
        if not policy.revision:
            return True
        if not workload.revision or self.revisions is None:
            return None
        return self.revisions.get(policy.revision, policy.revision) == workload.revision

    def applying(self, kind: str, workload: WorkloadView) -> list[Policy]:
        """The policies of a kind that are in force at the workload, as far as is known."""
        there = [policy for policy in self.of_kind(kind) if workload in self.selected(policy)]
        return [policy for policy in there if self.reads(workload, policy) is not False and not policy.dry_run]

    def certain(self, kind: str, workload: WorkloadView) -> bool:
        """Whether `applying` is known to be all of them, and all of them to be in force."""
        if kind not in self.known:
            return False
        near = [one for one in self.of_kind(kind) if one.namespace in (workload.namespace, self.root)]
        return not any(one.may_be_of(workload) or self.reads(workload, one) is None for one in near)

    @cached_property
    def by_key(self) -> dict[tuple[str, str, str], Policy]:
        """Policies by kind, namespace and name."""
        return {(one.kind, one.namespace, one.name): one for one in self.policies}

    def services_of(self, workload: WorkloadView) -> list[ServiceView]:
        """The Services in front of the workload."""
        return [service for service in self.services if service.serves(workload)]

    def isolated(self, policy: NetworkPolicyView) -> list[WorkloadView]:
        """The workloads that a NetworkPolicy selects."""
        return [one for one in self.workloads if policy.isolates(one)]

    def limiting(self, workload: WorkloadView, way: Direction) -> list[NetworkPolicyView]:
        """The NetworkPolicies that limit the workload's connections of a direction."""
        return [one for one in self.network_policies if way in one.types and one.isolates(workload)]

    def __hash__(self) -> int:
        return id(self)


def _marks(body: Json) -> bool:
    """Whether it is a policy of our own that matches no request but a marker's."""
    meta = body["metadata"]
    ours = (meta.get("labels") or {}).get(MANAGED_BY_LABEL) == MANAGER
    return ours and str(meta["name"]).startswith(MARKERS)


def view_of(
    objects: Iterable[Json],
    *,
    known: Iterable[str],
    revisions: Mapping[str, str] | None = None,
    root: str = ROOT_NAMESPACE,
) -> PolicyView:
    """The view of API objects, or of manifests: policies, Pods, Deployments, Services, and what is sent out.

    An object that occurs twice counts as its last form. Of a kind of which an object has another form than the API's,
    not all is known.
    """
    kept: dict[ObjectKey, Json] = {}
    for body in objects:
        meta = body["metadata"]
        kept[str(body["kind"]), str(meta.get("namespace") or ""), str(meta["name"])] = body
    odd = {key: wrong for key, body in kept.items() if (wrong := forms.problem(body))}
    bodies = [body for key, body in kept.items() if key not in odd]
    of: dict[str, list[Json]] = {}
    for body in bodies:
        of.setdefault(str(body["kind"]), []).append(body)
    return PolicyView(
        policies=tuple(Policy.from_json(body) for body in bodies if body["kind"] in POLICY_KINDS and not _marks(body)),
        workloads=tuple(_workloads(bodies, of.get("Namespace", ()))),
        services=tuple(map(ServiceView.from_json, of.get("Service", ()))),
        destination_rules=tuple(of.get("DestinationRule", ())),
        service_entries=tuple(of.get("ServiceEntry", ())),
        network_policies=tuple(map(NetworkPolicyView.from_json, of.get(NETWORK, ()))),
        known=frozenset(known) - {"Pod" if key[0] in WORKLOAD_KINDS else key[0] for key in odd},
        revisions=revisions,
        root=root,
        odd=tuple(odd.items()),
    )


def _workloads(bodies: Iterable[Json], namespaces: Iterable[Json]) -> Iterable[WorkloadView]:
    """The workloads, each once: pods that differ in nothing but their names are of one."""
    uninjected = uninjected_namespaces(namespaces)
    found: dict[WorkloadView, WorkloadView] = {}
    for body in bodies:
        if body["kind"] == "Pod" and is_of_the_api(body):
            one = WorkloadView.from_pod(body)
        elif body["kind"] in WORKLOAD_KINDS or body["kind"] == "Pod":
            one = workload_of(body, uninjected)
        else:
            continue
        found[replace(one, name="")] = one
    return found.values()
