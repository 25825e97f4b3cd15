"""The proxies on the path of a case's request, and its requests that were refused, or answered, as pinned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from clients.kube.pods import SIDECAR, Pod
from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.mesh.access_logs.log_lines import LogLines
from clients.mesh.access_logs.logs import LogSource
from clients.model.attempt import Attempt, Phase
from clients.model.counted import counted
from clients.model.decision import Decision, Mechanism, Proxy
from clients.model.probe import Probe
from clients.probe.outside import OutsideClient
from clients.proof.proving import ProvingCase
from clients.proof.rig.ready_pods import key_of
from clients.proof.rig.rig import Rig


@dataclass(frozen=True)
class Route:
    """The pods on the path of a probe.

    Attributes:
        client: the client's pods; those of the gateway for a client outside the cluster.
        servers: ready pods behind the Service that is dialled, or that the gateway routes to.
        gateway: pods of the egress gateway; empty where the destination is not outside the cluster.
        outside: the client is outside the cluster.
        external: the destination is an external host.
        door: pods of an ingress gateway that a client inside the cluster dials.
    """

    client: tuple[Pod, ...]
    servers: tuple[Pod, ...]
    gateway: tuple[Pod, ...]
    outside: bool
    external: bool
    door: tuple[Pod, ...] = ()

    @property
    def keeps_ids(self) -> bool:
        """Whether requests have the ids that were sent on the whole path: a gateway gives them ids of its own."""
        return not (self.outside or self.external or self.door)

    def proxies(self, at: Proxy) -> tuple[Pod, ...]:
        """Pods with a proxy at one place."""
        pods = {Proxy.CLIENT: self.client, Proxy.SERVER: self.servers, Proxy.GATEWAY: self.gateway}[at]
        return tuple(pod for pod in pods if pod.injected)

    @property
    def receiving(self) -> tuple[Pod, ...]:
        """Pods whose proxies take requests in, and so may refuse them by a policy."""
        entry = self.proxies(Proxy.CLIENT) if self.outside else ()
        return tuple(dict.fromkeys((*entry, *self.door, *self.proxies(Proxy.GATEWAY), *self.proxies(Proxy.SERVER))))

    def deciding(self, decision: Decision) -> tuple[Pod, ...]:
        """Pods whose proxies may have made a decision.

        What is no HTTP is refused by the first proxy that parses it: a client's sidecar that detects the protocol
        hands it on as a mere connection, up to the server's.
        """
        if decision.at:
            return self.proxies(decision.at)
        first = self.proxies(Proxy.CLIENT) if decision.mechanism is Mechanism.NOT_HTTP else ()
        return tuple(dict.fromkeys((*first, *self.receiving)))


def route(rig: Rig, probe: Probe) -> Route:
    """The pods on the path of a probe.

    Raises:
        MeshproofError: they cannot be listed.
    """
    workloads = rig.workloads
    servers = workloads.backends(probe)
    gateway = workloads.gateway_pods() if rig.external is not None else []
    by_gateway = bool(servers) and set(map(key_of, servers)) <= set(map(key_of, gateway))
    external = rig.external is not None and (
        by_gateway or any(rig.external.knows(host) for host in (workloads.connect_host(probe), probe.destination))
    )
    return Route(
        client=tuple(workloads.pods(probe.source)),
        servers=() if by_gateway else tuple(servers),
        gateway=tuple(gateway) if external else (),
        outside=isinstance(probe.source, OutsideClient),
        external=external,
        door=tuple(pod for pod in workloads.door(probe) if pod.injected),
    )


def last_row(proving: ProvingCase) -> tuple[Attempt, ...]:
    """The attempts in a row that saw the pinned outcome to the end: all of the confirmations."""
    return row_at_end(proving.seen.attempts)


def row_at_end(attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
    """Those of the attempts that matched after the last one that did not, in order."""
    return tuple(takewhile(lambda one: one.matched, reversed(attempts)))[::-1]


def refused_requests(proving: ProvingCase) -> tuple[Attempt, ...]:
    """The case's refused requests: the confirmations, and those that were sent again after the twin."""
    after = (one for one in proving.attempts if one.phase is not Phase.TWIN and one.matched)
    return (*last_row(proving), *after)


def traceable(requests: Sequence[Attempt], by_id: bool) -> tuple[Attempt, ...]:
    """Those of the requests that logs can show.

    Args:
        by_id: the logs have the ids that were sent. A gateway gives requests ids of its own, and many an application
            logs the user agent only: they show requests that are marked, not those like any user's.
    """
    return tuple(one for one in requests if by_id or not one.ordinary)


class ProxyLogs:
    """Entries of single requests in the access logs of proxies.

    Args:
        since: monotonic time from which on logs matter, in seconds.
    """

    def __init__(self, rig: Rig, since: float) -> None:
        self._rig = rig
        self.since = since

    def of(self, pod: Pod) -> LogLines:
        """The access log of one proxy."""
        return self._rig.logs.of(LogSource(pod, SIDECAR), self.since)

    def entries(self, pods: tuple[Pod, ...], request: Attempt, hops: tuple[Pod, ...] = ()) -> list[AccessLogEntry]:
        """Entries of one request: by its id, or by the addresses of its connection where the proxy saw no request.

        Args:
            hops: pods of the client's own proxy, which opens the connection to these for it; empty where the client
                connects itself.
        """
        found = [entry for pod in pods for entry in self.of(pod).of_requests({request.request_id})]
        if not request.local:
            return found
        found += self._of_connection(pods, {request.local})  # also of a client that its own proxy does not redirect
        if not hops:
            return found
        before = [entry for pod in hops for entry in self.of(pod).of_requests({request.request_id})]
        before += self._of_connection(hops, {request.local})
        ends = {(entry.upstream_local, entry.upstream_host) for entry in before if entry.upstream_local}
        # where the proxy connects to what the client dialled, a Service's address is translated on the way
        dialled = {entry.upstream_local for entry in before if entry.upstream_host == entry.downstream_local}
        passed = self._of_connection(pods, {client for client, _ in ends})
        return found + [
            entry
            for entry in passed
            if (entry.downstream_remote, entry.downstream_local) in ends or entry.downstream_remote in dialled
        ]

    def _of_connection(self, pods: tuple[Pod, ...], clients: set[str]) -> list[AccessLogEntry]:
        found = [entry for pod in pods for entry in self.of(pod).of_clients(clients, self.since)]
        return [entry for entry in found if not entry.request_id]

    def torn(self, pods: Iterable[Pod]) -> str:
        """Which log has lines of which only a part is there, so that a missing entry may be one of them; else empty."""
        found = [(pod, line) for pod in pods for line in self.of(pod).torn(self.since)]
        if not found:
            return ""
        pod, first = found[0]
        return f"the log of {pod} has {counted(len(found), 'torn line')}, the first: {first[:200]}"

    def check(self, pods: tuple[Pod, ...]) -> None:
        """See that the logs have no gap.

        Raises:
            InfrastructureError: one has.
        """
        for pod in pods:
            self.of(pod).check(self.since)
