"""Mutual TLS: which PeerAuthentication decides, and which never comes into force.

Source: istio.io, "PeerAuthentication": the workload's own, then the namespace's, then the mesh's; of several of one
level the oldest; a port's mode counts for the container's port and needs a selector. One of the root namespace with a
selector is left out (Istio, `ComposePeerAuthentication` in `pilot/pkg/security/authn`). A gateway's ports follow its
Gateway alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from clients.mesh.why.objects import PEER, Policy, WorkloadView
from clients.mesh.why.reason import EITHER, Effect, Reason, lost, named
from clients.mesh.why.services import target_of
from clients.mesh.why.view import PolicyView

PERMISSIVE = "PERMISSIVE"


@dataclass(frozen=True)
class PeerMode:
    """Mode of mutual TLS at a port, and the policy that decides it; None where it is the default."""

    mode: str
    by: Policy | None = None

    def __str__(self) -> str:
        return f"{self.mode} by {self.by}" if self.by else f"{self.mode} by default: no PeerAuthentication applies"


def mode_at(view: PolicyView, workload: WorkloadView, port: int | None) -> PeerMode | None:
    """The mode that is in force; None where it is not known, and for a workload whose ports have none."""
    if not view.certain(PEER, workload) or not _has_mode(workload):
        return None
    for level in _levels(view, workload):
        first = oldest(level)
        if first is None:
            return None
        modes = [first.port_modes.get(port, "") if first.selector and port else "", first.mode]
        if mode := next(filter(None, modes), ""):
            return PeerMode(mode, first)
    return PeerMode(PERMISSIVE)


def oldest(level: list[Policy]) -> Policy | None:
    """The one of a level that is in force; None where the time of creation is not known."""
    if len(level) > 1 and not all(policy.created for policy in level):
        return None
    return min(level, key=lambda policy: (policy.created, f"{policy.name}.{policy.namespace}"))


def older_peer(view: PolicyView) -> list[Reason]:
    """Another PeerAuthentication of the same level is older, and only the oldest is in force."""
    return [reason for workload in view.workloads for reason in _younger(view, workload)]


def _younger(view: PolicyView, workload: WorkloadView) -> Iterator[Reason]:
    for level in _levels(view, workload):
        if len(level) < 2:
            continue
        first, where = oldest(level), frozenset({workload})
        if first is None:
            text = f"{named(level)} are of the same level for {workload}: only the oldest is in force"
            yield Reason(text, EITHER, level[0], where)
            continue
        for policy in level:
            if policy is not first and (policy.mode, policy.port_modes) != (first.mode, first.port_modes):
                text = f"{policy} is not in force at {workload}: {first} of the same level is older"
                yield Reason(text, lost(policy), policy, where)


def overridden(view: PolicyView) -> list[Reason]:
    """A PeerAuthentication of the namespace or of the mesh is overridden by a narrower one of another mode."""
    found: dict[tuple[Policy, Policy], list[WorkloadView]] = {}
    for workload in view.workloads:
        stated = [first for level in _levels(view, workload) if (first := oldest(level)) is not None and first.mode]
        for wider in stated[1:]:
            if wider.mode != stated[0].mode:
                found.setdefault((wider, stated[0]), []).append(workload)
    return [
        Reason(
            f"{wider} ({wider.mode}) is overridden at {named(workloads)} by {narrower} ({narrower.mode})",
            lost(wider),
            wider,
            frozenset(workloads),
        )
        for (wider, narrower), workloads in found.items()
    ]


def root_with_selector(view: PolicyView) -> list[Reason]:
    """A PeerAuthentication of the root namespace has a selector, and so is in force nowhere."""
    found = []
    for policy in view.of_kind(PEER):
        meant = [one for one in view.workloads if one.has(policy.selector)]
        if policy.namespace == view.root and policy.selector and meant:
            text = f"{policy} has a selector, and so is in force nowhere, also not at {named(meant)}"
            found.append(Reason(text, lost(policy), policy, frozenset(meant)))
    return found


def port_of_the_service(view: PolicyView) -> list[Reason]:
    """`portLevelMtls` names the Service's port instead of the container's, and so comes into force nowhere."""
    return [reason for policy in view.of_kind(PEER) for reason in _port_of_a_service(view, policy)]


def _port_of_a_service(view: PolicyView, policy: Policy) -> Iterator[Reason]:
    for workload in view.selected(policy) if policy.selector else ():
        pairs = [(service, port) for service in view.services_of(workload) for port in service.ports]
        targets = {target_of(port, workload) for _, port in pairs} | set(workload.ports.values())
        if None in targets:
            continue  # a name that no container declares: which port it is is not known
        for number, mode in policy.port_modes.items():
            for service, port in pairs:
                target = target_of(port, workload)
                if port.number == number and number not in targets and target:
                    text = (
                        f"{policy} sets {mode or 'UNSET'} for port {number}, which is the port of Service {service}; "
                        f"the container's is {target}"
                    )
                    yield Reason(text, lost(policy), policy, frozenset({workload}), frozenset({target}))


def excluded_port(view: PolicyView) -> list[Reason]:
    """A workload keeps an inbound port out of its proxy, so that no policy applies to it."""
    found = []
    for workload in view.workloads:
        served = {target_of(port, workload) for one in view.services_of(workload) for port in one.ports}
        for port in sorted(one for one in served if one and workload.bypasses(one)):
            by = "excludeInboundPorts" if port in workload.excluded else "includeInboundPorts"
            text = (
                f"port {port} of {workload} bypasses its proxy (traffic.sidecar.istio.io/{by}): "
                f"neither mutual TLS nor authorization applies to it"
            )
            effects = frozenset({Effect.OPEN, Effect.BROKEN})
            found.append(Reason(text, effects, None, frozenset({workload}), frozenset({port})))
    return found


def _levels(view: PolicyView, workload: WorkloadView) -> Iterator[list[Policy]]:
    """PeerAuthentications that its control plane is known to read, by level, the narrowest first."""
    applying = view.applying(PEER, workload) if _has_mode(workload) else []
    known = [policy for policy in applying if view.reads(workload, policy)]
    ranked = [(rank, policy) for policy in known if (rank := _rank(view, policy)) is not None]
    for _, level in groupby(sorted(ranked, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
        yield [policy for _, policy in level]


def _has_mode(workload: WorkloadView) -> bool:
    """Whether a PeerAuthentication can be in force there."""
    return workload.injected is not False and not workload.gateway


def _rank(view: PolicyView, policy: Policy) -> int | None:
    if policy.namespace == view.root:  # see `root_with_selector`
        return None if policy.selector else 2
    return 0 if policy.selector else 1
