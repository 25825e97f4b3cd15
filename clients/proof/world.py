"""The ground a run stands on: cluster, overlay, tokens, and the running probe sessions of this process."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from clients.apply.applier import Applier
from clients.apply.environments import Environments
from clients.apply.overlay import Overlay
from clients.apply.stage_objects import StageObjects
from clients.identity.tokens import TokenIssuer
from clients.kube.cluster import Cluster
from clients.kube.exec import ExecSession
from clients.kube.pods import Pod
from clients.mesh import sidecar
from clients.mesh.discovery import MeshInfo
from clients.mesh.egress_gateway import EgressGateway
from clients.mesh.external_hosts import ExternalHosts
from clients.mesh.istioctl import Analyzer
from clients.model.case import Probe, Workload
from clients.model.errors import AbandonedError, ClusterError, InfrastructureError
from clients.model.evidence import Applied
from clients.model.outcome import Outcome, infrastructure
from clients.model.redact import redact
from clients.probe import outside
from clients.probe.confirm import confirmations
from clients.probe.converge import ConvergencePolicy, ProbeMany
from clients.probe.curl import Request
from clients.probe.outside import OutsideClient
from clients.probe.session import SHELL, ProbeSession

PORTS = range(20_000, 32_768)
"""Client ports of a pod with a sidecar, one for each request: proxies tell connections by them, where they see no more,
and the system gives one out for two servers at once. Above what listens in a pod, below what the system gives out."""
LANES = 8
"""Shells at work at once in a client container that has no proxy."""


class Lanes(threading.local):
    """Gives each thread one of the lanes, in turn."""

    _next = itertools.count()

    def __init__(self) -> None:
        self.mine = next(Lanes._next) % LANES


class World:
    """One per process. Probes may be sent from several threads at once; all else is for one.

    Probes from one client pod with a sidecar, or from outside through one gateway, follow one another whichever thread
    sends them: more at once would make the proxy keep more connections, each of which may give one stale answer more
    than `clients.probe.confirm` reckons with. A client without a proxy keeps none, and has `LANES` shells.

    Attributes:
        abandoned: while it is set, no probe is sent and whoever wants to gets AbandonedError.

    Args:
        manifests: the folder that manifest paths are relative to.
        mesh: what the cluster's mesh was found to be.
        patience: budget and confirmations of every convergence.
        probe_timeout_s: curl's `--max-time`.
        ready_s: for a ground or a change to be ready, and to be gone.
        external: hosts outside the cluster; None where the target has none.
        gateway: the egress gateway that suites route through.
        analyzer: istioctl; None where there is none.
        ingress_address: where gateways are reached from outside, instead of what their Service says.
        ingress_roots: PEM of the authorities that clients outside trust.
    """

    def __init__(
        self,
        cluster: Cluster,
        overlay: Overlay,
        tokens: TokenIssuer,
        manifests: Path,
        *,
        mesh: MeshInfo,
        policy: ConvergencePolicy | None = None,
        probe_timeout_s: float = 5.0,
        ready_s: float = 120.0,
        external: ExternalHosts | None = None,
        gateway: EgressGateway | None = None,
        analyzer: Analyzer | None = None,
        ingress_address: str = "",
        ingress_roots: str = "",
    ) -> None:
        self.cluster = cluster
        self.overlay = overlay
        self.tokens = tokens
        self.mesh = mesh
        self.policy = policy or ConvergencePolicy()
        self.probe_timeout_s = probe_timeout_s
        self.external = external
        self.gateway = gateway or EgressGateway()
        self.analyzer = analyzer
        self.applier = Applier(cluster, overlay, manifests, timeout_s=ready_s)
        self.stage_objects = StageObjects(self.applier)
        self.environments = Environments(self.applier, self.stage_objects)
        self.ingress_address = ingress_address
        self.ingress_roots = ingress_roots
        self._sessions: dict[tuple[str, str, int], ProbeSession] = {}
        self._clients: dict[Workload, list[Pod]] = {}
        self._threads: dict[Pod, int] = {}
        self._ports: dict[str, Iterator[int]] = {}  # never begun anew: those of a moment ago are still remembered
        self._addresses: dict[tuple[str, str, int], tuple[str, int]] = {}
        self.abandoned = threading.Event()
        self._lock = threading.RLock()  # of what is looked up once, and of the sessions
        self._turns: dict[Workload, threading.Lock] = {}
        self._lanes = Lanes()

    def ensure(self, environment: Sequence[str]) -> tuple[Applied, ...]:
        """Have this ground stand. Raises as `Environments.ensure` does."""
        return self.environments.ensure(environment)

    def prepare_in_background(self, environment: Sequence[str]) -> None:
        """Have this ground stand by and by (`Environments.begin`)."""
        self.environments.prepare_in_background(environment)

    @property
    def namespaces(self) -> frozenset[str]:
        """The namespaces that this process made, by their real names."""
        return self.environments.namespaces

    def pods(self, workload: Workload) -> list[Pod]:
        """Ready pods of a workload, by name; of its gateway, for a client outside the cluster.

        Raises:
            InfrastructureError: there is none, or the cluster does not answer.
        """
        workload = workload.gateway if isinstance(workload, OutsideClient) else workload
        with self._lock:
            return self._ready_pods(workload)

    def _ready_pods(self, workload: Workload) -> list[Pod]:
        known = self._clients.get(workload)
        if known is None:
            namespace = self.overlay.namespace(workload.namespace)
            try:
                known = [pod for pod in self.cluster.pods(namespace, f"app={workload.app}") if pod.ready]
            except ClusterError as error:
                raise InfrastructureError(error.message, error.hint) from None
            if not known:
                raise InfrastructureError(f"no ready pod app={workload.app} in {namespace}")
            self._clients[workload] = known
        return known

    def backends(self, probe: Probe) -> list[Pod]:
        """Ready pods behind the Service that the probe dials; empty when there is none or the host is no Service."""
        name, _, rest = self.overlay.host(self.connect_host(probe)).partition(".")
        namespace = rest.partition(".")[0] or self.overlay.namespace(probe.source.namespace)
        service = self.cluster.get("v1", "Service", name, namespace)
        selector = ((service or {}).get("spec") or {}).get("selector") or {}
        if not selector:
            return []
        labels = ",".join(f"{key}={value}" for key, value in selector.items())
        return [pod for pod in self.cluster.pods(namespace, labels) if pod.ready]

    def connect_host(self, probe: Probe) -> str:
        """Host that the probe connects to, by the documents' names."""
        return self._named(probe.resolve).rpartition(":")[0] or probe.destination

    def gateway_pods(self) -> list[Pod]:
        """Ready pods of the egress gateway; empty where none is deployed."""
        namespace = self.overlay.namespace(self.gateway.namespace)
        return [pod for pod in self.cluster.pods(namespace, self.gateway.label) if pod.ready]

    def egress_pods_for(self, probe: Probe) -> list[Pod]:
        """Pods of the gateway, for a probe towards an external host; empty for any other."""
        external = self.external is not None and self.external.knows(self.connect_host(probe))
        return self.gateway_pods() if external else []

    def replicas(self, probe: Probe) -> int:
        """How many ready pods answer for the probe's destination; at least 1."""
        return max(1, len(self.backends(probe)))

    def required_confirmations(self, probe: Probe, policy: ConvergencePolicy | None = None) -> int:
        """Confirmations that this path needs: derived for one client pod, times the client pods that take turns.

        Stale answers come from pools of the client's sidecar and from worker threads of the server's, whichever are
        more (see `clients.probe.confirm`).

        Raises:
            InfrastructureError: a sidecar does not tell how many threads it has.
        """
        policy = policy or self.policy
        if policy.confirmations is not None:
            return policy.confirmations
        clients = self.pods(probe.source)
        servers = self.egress_pods_for(probe) or self.backends(probe)
        threads = max(self._concurrency(pod) for pod in [*clients, *servers])
        if isinstance(
            probe.source, OutsideClient
        ):  # any thread of any replica of the gateway may answer, none takes turns
            return confirmations(threads, max(1, len(servers)) * len(clients), policy.error_rate)
        return confirmations(threads, max(1, len(servers)), policy.error_rate) * len(clients)

    def request_for(self, probe: Probe, control: str) -> Request:
        """The request that carries the probe, with a fresh request id.

        The id is not a 36-character UUID: Envoy rewrites one digit of those to keep its sampling decision.
        """
        request_id = f"mp-{self.overlay.run}-{secrets.token_hex(6)}"
        headers, url = probe.headers, self.overlay.url(probe.url)
        if probe.token:
            sent = probe.token_as.format(self.tokens.mint(probe.token))
            name, _, value = sent.partition(": ")
            url, headers = (url + sent, headers) if sent.startswith("?") else (url, (*headers, (name, value)))
        return Request(
            method=probe.method,
            url=url,
            headers=headers,
            request_id=request_id,
            user_agent=f"meshproof/{control} {request_id}",
            timeout_s=probe.timeout_s or self.probe_timeout_s,
            connect_timeout_s=probe.timeout_s or min(2.0, self.probe_timeout_s),
            connect_to=self._address(self._named(probe.resolve)),
            insecure=probe.insecure,
        )

    def _named(self, connect_host: str) -> str:
        """`<gateway>:443` with the name of the gateway's Service."""
        return connect_host.replace("<gateway>", f"{self.gateway.service}.{self.gateway.namespace}.svc.cluster.local")

    def _address(self, connect_host: str) -> str:
        """`host:port` to dial: an external host by its address, so that no name server has a say; else by its name."""
        host, _, port = connect_host.rpartition(":")
        known = self.external.hosts.get(host, "") if self.external else ""
        return f"{known}:{port}" if known else self.overlay.host(connect_host.removeprefix("open."))

    def many(self, probe: Probe, control: str, *, parallel: bool = False) -> ProbeMany:
        """A function that sends n probes, each on a fresh connection, spread over the client's ready pods."""
        return partial(self._send, probe, control, parallel)

    def probe(self, probe: Probe, control: str, count: int = 1) -> list[Outcome]:
        """Send it now, `count` times."""
        return self._send(probe, control, False, count)

    def command_for(self, probe: Probe, control: str = "") -> str:
        """The request as a command that a person could repeat, redacted."""
        return redact(outside.command(self.request_for(probe, control)))

    def probe_at(self, probe: Probe, to: tuple[str, int], control: str) -> list[Outcome]:
        """Send one from outside the cluster to a known address, also when the Service that it was of is gone."""
        return outside.send([self.request_for(probe, control)], to, roots=self.ingress_roots)

    def remove(self, environment: Sequence[str]) -> None:
        """Delete a ground before the end, and wait until it is gone; `ensure` makes it anew.

        Raises:
            ClusterError: something could not be deleted.
        """
        self.forget()
        self.environments.remove(environment)

    def remove_other_environments(self, environment: Sequence[str]) -> None:
        """Delete the grounds of other topics: idle pods cost a small machine time. They go while this one is made.

        Raises:
            ClusterError: something could not be deleted.
        """
        if others := self.environments.others(environment):
            self.forget()
            self.stage_objects.clear()
            self.environments.leave(others)

    def close(self, *, keep: bool = False) -> None:
        """Close the sessions, delete the grounds and wait until they are gone (`keep` leaves them).

        Raises:
            ClusterError: something could not be deleted.
        """
        self.forget()
        self.environments.close(keep=keep)

    def forget(self) -> None:
        """Close the sessions and look pods up again: after a change to the workloads themselves."""
        for session in self._sessions.values():
            session.close()
        self._sessions, self._clients, self._threads, self._addresses = {}, {}, {}, {}

    def _send(self, probe: Probe, control: str, parallel: bool, count: int) -> list[Outcome]:
        if self.abandoned.is_set():
            raise AbandonedError
        requests = [self.request_for(probe, control) for _ in range(count)]
        if isinstance(probe.source, OutsideClient):
            with self._lock:
                one_by_one = self._turns.setdefault(probe.source.gateway, threading.Lock())
            with one_by_one:
                return self._send_from_outside(probe.source, requests, parallel)
        try:
            pods = self.pods(probe.source)
        except InfrastructureError as error:
            return [infrastructure(request.request_id, error.message) for request in requests]
        by_id: dict[str, Outcome] = {}
        for turn, pod in enumerate(pods):
            batch = requests[turn :: len(pods)]
            outcomes = self._session(pod, probe.source.container).run(batch, parallel=parallel)
            by_id |= {outcome.request_id: outcome for outcome in outcomes}
        if any(outcome.exit_code is None for outcome in by_id.values()):
            self._clients.pop(probe.source, None)  # the pod may have been replaced: look again before the next probe
        return [by_id[request.request_id] for request in requests]

    def _send_from_outside(self, source: OutsideClient, requests: list[Request], parallel: bool) -> list[Outcome]:
        try:
            to = self.address(source, outside.port_of(requests[0].url))
        except InfrastructureError as error:
            return [infrastructure(request.request_id, error.message) for request in requests]
        return outside.send(requests, to, roots=self.ingress_roots, parallel=parallel)

    def address(self, source: OutsideClient, port: int) -> tuple[str, int]:
        """Where a client outside the cluster reaches its gateway.

        Raises:
            InfrastructureError: the gateway's Service has no address.
        """
        service, namespace = source.service or source.gateway.app, self.overlay.namespace(source.gateway.namespace)
        key = (namespace, service, port)
        if key not in self._addresses:
            given = "" if source.service else self.ingress_address
            self._addresses[key] = outside.address(self.cluster, service, namespace, port, given=given)
        return self._addresses[key]

    def _session(self, pod: Pod, container: str) -> ProbeSession:
        key = (str(pod), container, 0 if pod.injected else self._lanes.mine)
        with self._lock:
            if key not in self._sessions:
                ports = self._ports.setdefault(str(pod), itertools.cycle(PORTS if pod.injected else (0,)))
                self._sessions[key] = ProbeSession(lambda: ExecSession(self.cluster, pod, container, SHELL), ports)
            return self._sessions[key]

    def _concurrency(self, pod: Pod) -> int:
        with self._lock:
            if pod not in self._threads:
                self._threads[pod] = sidecar.concurrency(self.cluster, pod)
            return self._threads[pod]
