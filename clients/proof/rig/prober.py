"""Sends probes: from client pods by running shells, and from outside the cluster through a gateway."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from clients.apply.overlay import Overlay
from clients.identity.tokens import TokenIssuer
from clients.kube.cluster import Cluster
from clients.kube.pods import Pod
from clients.mesh.external_hosts import ExternalHosts
from clients.model.errors import AbandonedError, InfrastructureError, MeshproofError
from clients.model.outcome import Outcome, infrastructure
from clients.model.probe import Probe, Workload
from clients.model.redact import redact
from clients.probe import ordinary, outside, same_connection
from clients.probe.confirmation_row import ProbeMany
from clients.probe.outside import OutsideClient
from clients.probe.request import Request
from clients.probe.same_connection import Exchanges
from clients.probe.way_in import WaysIn
from clients.proof.rig.client_sessions import ClientSessions
from clients.proof.rig.entering import Entering
from clients.proof.rig.impostors import Impostors
from clients.proof.rig.request_maker import RequestMaker
from clients.proof.rig.workloads import Workloads


class Prober:
    """One per process. Probes may be sent from several threads at once.

    Probes from one client pod with a sidecar, or from outside through one gateway, follow one another whichever thread
    sends them: in parallel, the proxy would keep more connections, and each may give one stale answer more than
    `clients.probe.confirm` allows for. A client without a proxy keeps none, and has `SHELLS` shells.

    Args:
        probe_timeout_s: curl's `--max-time`, in seconds.
        ways_in: finds where gateways are reached from outside.
        ingress_roots: PEM of the authorities that clients outside trust.

    Attributes:
        entering: how clients outside the cluster reach gateways.
        abandoned: while it is set, no probe is sent, and a thread that sends one gets AbandonedError.
        by_gateway: client → path → when it last sent a request of this path by a gateway in the cluster, in monotonic
            seconds. Gateways give requests ids of their own, and ordinary ones have no other mark.
    """

    def __init__(
        self,
        cluster: Cluster,
        overlay: Overlay,
        tokens: TokenIssuer,
        workloads: Workloads,
        *,
        external: ExternalHosts | None = None,
        probe_timeout_s: float = 5.0,
        ways_in: WaysIn | None = None,
        ingress_roots: str = "",
    ) -> None:
        self.abandoned = threading.Event()
        self.by_gateway: dict[Workload, dict[str, float]] = {}
        self._workloads = workloads
        self.entering = Entering(overlay, ways_in or WaysIn(cluster), ingress_roots)
        self._sessions = ClientSessions(cluster)
        impostors = Impostors(cluster, workloads)
        self._maker = RequestMaker(overlay, tokens, workloads, impostors, external, probe_timeout_s)
        self._lock = threading.Lock()  # of the gateways' locks
        self._gateway_locks: dict[Workload, threading.Lock] = {}

    def request_for(self, probe: Probe, control: str, pod: Pod | None = None, *, like_a_users: bool = False) -> Request:
        """The request that carries the probe (`RequestMaker.request_for`)."""
        return self._maker.request_for(probe, control, pod, like_a_users=like_a_users)

    def many(self, probe: Probe, control: str, *, parallel: bool = False) -> ProbeMany:
        """A function that sends n probes, each on a fresh connection, spread over the client's ready pods.

        A share of them is ordinary (`clients.probe.ordinary`). It raises AbandonedError while `abandoned` is set.
        """
        sent = 0

        def send(count: int) -> list[Outcome]:
            nonlocal sent
            chosen = ordinary.chosen(count, sent)
            sent += count
            return self._send(probe, control, parallel, count, chosen)

        return send

    def probe(self, probe: Probe, control: str, count: int = 1) -> list[Outcome]:
        """Send the probe now, `count` times, easy to find in logs. Raises AbandonedError while `abandoned` is set."""
        return self._send(probe, control, False, count, frozenset())

    def probe_at(self, probe: Probe, to: tuple[str, int], control: str) -> list[Outcome]:
        """Send the probe from outside the cluster to a known address, even if the Service of that address is gone."""
        return outside.send([self.request_for(probe, control)], to, roots=self.ingress_roots)

    def on_one_connection(self, first: Probe, second: Probe, control: str) -> Exchanges | None:
        """Both in turn, as a user's; None where they cannot share a connection, as those of two clients.

        Raises:
            InfrastructureError: no way leads to the gateway, or no pod of the client is ready.
        """
        source = second.source
        if first.source != source or first.dial or second.dial:
            return None
        one, other = (self.request_for(probe, control, like_a_users=True) for probe in (first, second))
        if not same_connection.possible(one, other):
            return None
        if isinstance(source, OutsideClient):
            to = self.address(source, outside.port_of(one.url))
            with self.turn_at(source):
                pair = same_connection.from_outside(one, other, to, self.ingress_roots)
        else:
            session = self._sessions.of(self._workloads.pods(source)[0], source.container)
            pair = same_connection.from_pod(session, one, other)
        self.sent_behind(first, second)
        return pair

    def command_for(self, probe: Probe, control: str = "") -> str:
        """The request as a command that a person could repeat, redacted; by the name of what has no pod now."""
        try:
            request = self.request_for(probe, control, self._dialled(probe)[0])
        except MeshproofError:
            request = self.request_for(replace(probe, impostor_of=None, impostor_domain=""), control)
        return redact(outside.command(request))

    def address(self, source: OutsideClient, port: int) -> tuple[str, int]:
        """Address and port at which a client outside the cluster reaches its gateway; of several, the next.

        Raises:
            InfrastructureError: no way leads to the gateway's Service.
        """
        return self.entering.address(source, port)

    def forget(self) -> None:
        """Close the sessions, and look addresses up again: after a change to the workloads."""
        self._sessions.close()
        self.entering.forget()

    def _dialled(self, probe: Probe) -> Sequence[Pod | None]:
        """The pods that the probe dials in turn; None for one that dials the host of its URL.

        Raises:
            InfrastructureError: no pod is ready.
            ClusterError: the cluster does not answer.
        """
        if not probe.dial:
            return [None]
        if pods := self._workloads.backends(probe):
            return pods
        raise InfrastructureError(f"no ready pod is behind {probe.destination}")

    def _send(
        self, probe: Probe, control: str, parallel: bool, count: int, like_a_users: frozenset[int]
    ) -> list[Outcome]:
        if self.abandoned.is_set():
            raise AbandonedError
        try:
            dialled = self._dialled(probe)
            requests = [
                self.request_for(probe, control, dialled[turn % len(dialled)], like_a_users=turn in like_a_users)
                for turn in range(count)
            ]
        except MeshproofError as error:
            return [infrastructure("", error.message)] * count
        outcomes = self._outcomes(probe, requests, parallel)
        self.sent_behind(probe)
        return [replace(one, ordinary=index in like_a_users) for index, one in enumerate(outcomes)]

    def _outcomes(self, probe: Probe, requests: list[Request], parallel: bool) -> list[Outcome]:
        try:
            if isinstance(probe.source, OutsideClient):
                with self.turn_at(probe.source):
                    return self.entering.send(probe.source, requests, parallel=parallel)
            pods = self._workloads.pods(probe.source)
        except InfrastructureError as error:
            return [infrastructure(request.request_id, error.message) for request in requests]
        by_id: dict[str, Outcome] = {}
        for turn, pod in enumerate(pods):
            batch = requests[turn :: len(pods)]
            outcomes = self._sessions.of(pod, probe.source.container).run(batch, parallel=parallel)
            by_id |= {outcome.request_id: outcome for outcome in outcomes}
        if any(outcome.exit_code is None for outcome in by_id.values()):
            self._workloads.forget_client(probe.source)
        return [by_id[request.request_id] for request in requests]

    @property
    def sent_at(self) -> Mapping[str, float]:
        """Id of every request so far → when it was made, in monotonic seconds."""
        return self._maker.made_at

    @property
    def sent_ids(self) -> Set[str]:
        """Of all requests so far."""
        return self._maker.made_at.keys()

    @property
    def ingress_roots(self) -> str:
        """PEM of the authorities that clients outside trust."""
        return self.entering.roots

    def turn_at(self, source: OutsideClient) -> threading.Lock:
        """To be held while something is sent to the client's gateway."""
        with self._lock:
            return self._gateway_locks.setdefault(source.gateway, threading.Lock())

    def sent_behind(self, *probes: Probe) -> None:
        """Note when requests by a gateway were sent, which their backend sees by other ids."""
        for probe in probes:
            if probe.behind:
                self.by_gateway.setdefault(probe.source, {})[probe.record.path] = time.monotonic()
