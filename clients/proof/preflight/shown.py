"""What was tried of a cluster, and what that has shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class CheckName(StrEnum):
    """What is tried, as reports and `doctor` call it."""

    INJECTION = "injection"
    EXEC = "exec"
    REQUEST = "request in the mesh"
    POLICIES = "policies of new namespaces"
    MORE_POLICIES = "more policies of new namespaces"
    LOAD_BALANCER = "load balancer"
    CLOCK = "clock"
    NODE_CLOCKS = "clocks of nodes"
    NODES = "nodes"
    IMAGES = "images"
    POD_SECURITY = "pod security"
    ADMISSION = "admission"
    WORKLOADS = "workloads"
    NEW_NAMESPACES = "new namespaces"
    NETWORK_POLICIES = "network policies"
    WAY_IN = "way in"
    MODE = "plaintext in new namespaces"
    LOGS = "access logs"
    OPENING = "opening the mesh"
    LABELS = "labels of new namespaces"
    OUTSIDE = "pods outside the mesh"


@dataclass(frozen=True)
class Tried:
    """One thing that was tried.

    Attributes:
        needed: a run is of little use without it.
        blocks: where it is not ok, nothing can be proven: a run ends.
    """

    name: CheckName
    ok: bool
    detail: str
    hint: str = ""
    needed: bool = False
    blocks: bool = False


@dataclass(frozen=True)
class Shown:
    """What all of it, or one check, has shown; None and empty where it was not found out.

    Attributes:
        deploys_gateways: pods of gateways that the mesh deploys by itself are accepted.
        guarding: network policies that the cluster puts into new namespaces, by name.
        denying: policies of the mesh there that allow nothing, by kind and name; a run sets them aside.
        left: what else is put there and stays in force.
        permissive: new namespaces may take plaintext where the mesh takes none.
        logs: a Telemetry for access logs is accepted there.
        plaintext_client: pods that opt out of the mesh are outside, and are let in where no stage refuses them.
        own_tokens, own_iap_tokens: only a run's own policies judge its tokens there.
        late: something has begun to give a load balancer an address, and has not in time.
        shut_ports: of load balancers, those that nothing comes through to from here.
        service_type: accepted in the place of a load balancer, where that was refused.
        refused_annotations: of pods, optional ones that the cluster does not accept.
        outside_address: this machine's, as a pod behind a gateway's Service sees it.
    """

    lines: tuple[Tried, ...] = ()
    network_policy: bool | None = None
    load_balancer: bool | None = None
    client_address: bool | None = None
    deploys_gateways: bool | None = None
    guarding: tuple[str, ...] = ()
    denying: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    permissive: bool | None = None
    logs: bool | None = None
    plaintext_client: bool | None = None
    own_tokens: bool | None = None
    own_iap_tokens: bool | None = None
    late: bool | None = None
    shut_ports: tuple[int, ...] = ()
    service_type: str = ""
    refused_annotations: tuple[str, ...] = ()
    outside_address: str = ""

    def plus(self, more: Tried | Shown) -> Shown:
        """With the lines of another check behind these, and with what it has found out."""
        if isinstance(more, Tried):
            return replace(self, lines=(*self.lines, more))
        found = {name: value for name, value in vars(more).items() if value not in (None, "", ())}
        return replace(self, **{**found, "lines": (*self.lines, *more.lines)})
