"""Stand-ins for a cluster and a rig, in memory: for the rules of our modules, never for a control's verdict."""

from __future__ import annotations

import copy
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any, Self

from clients.apply.stage_objects import StageObjects
from clients.kube.api import CONFLICT, RequestError
from clients.kube.pods import Pod
from clients.mesh.access_logs.log_lines import LogLines
from clients.mesh.access_logs.logs import LogSource
from clients.mesh.discovery import MeshInfo
from clients.mesh.egress_gateway import EgressGateway
from clients.mesh.external_hosts import ExternalHosts
from clients.mesh.policies import EnforcedPolicy
from clients.model.errors import AccessError, InfrastructureError
from clients.model.evidence import Applied
from clients.model.outcome import KIND_OF_EXIT_CODE, Outcome, OutcomeKind, infrastructure
from clients.model.probe import Probe, Workload
from clients.probe.convergence import ConvergencePolicy
from clients.probe.outside import OutsideClient
from clients.probe.same_connection import Exchanges

Key = tuple[str, str, str]
RUN = "run-1"
QUICK = ConvergencePolicy(budget_s=0.3, poll_s=0.001, window_s=0.0, confirmations=3)


def key_of(body: dict[str, Any]) -> Key:
    meta = body["metadata"]
    return body["kind"], meta.get("namespace", ""), meta["name"]


def _field(body: dict[str, Any], path: str) -> Any:
    found: Any = body
    for name in path.split("."):
        found = (found or {}).get(name)
    return found


def labelled(kind: str, name: str, namespace: str = "", run: str = RUN, **more: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "meshproof", "meshproof.dev/run": run} if run else {}
    meta = {"name": name, "labels": labels, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta, **more}


@dataclass
class FakeCluster:
    """Objects in a dictionary. `log` tells what was asked to change, in order."""

    store: dict[Key, dict[str, Any]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    refuse: dict[str, Exception] = field(default_factory=dict)
    refuse_replace: Exception | None = None
    sticky: set[str] = field(default_factory=set)
    now: float = 1000.0
    logs_of: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    pods_of: dict[str, list[Pod]] = field(default_factory=dict)
    forbidden: set[tuple[str, str, str]] = field(default_factory=set)
    api_lost_at: float = 0.0
    _versions: Any = field(default_factory=lambda: itertools.count(1))

    def can_i(self, verb: str, resource: str, namespace: str = "", **_: str) -> bool:
        return (verb, resource, namespace) not in self.forbidden

    @property
    def api(self) -> Any:
        return SimpleNamespace(time=lambda **_: self.now, lost_at=self.api_lost_at)

    def has_kind(self, *_: str) -> bool:
        return True

    def put(self, *bodies: dict[str, Any]) -> None:
        for body in bodies:
            stored = copy.deepcopy(body)
            version = str(next(self._versions))
            stored["metadata"] |= {"uid": stored["metadata"].get("uid", f"uid-{version}"), "resourceVersion": version}
            self.store[key_of(body)] = stored

    def get(self, _: str, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        return copy.deepcopy(self.store.get((kind, namespace, name)))

    def states(
        self, _: str, kind: str, name: str, namespace: str = "", *, deadline: float
    ) -> Iterator[dict[str, Any] | None]:
        """The object again and again, as the real watch does while nothing changes; an item of a list has no kind."""
        while True:
            found = self.get(_, kind, name, namespace)
            yield found and {key: value for key, value in found.items() if key not in ("apiVersion", "kind")}
            if time.monotonic() >= deadline:
                return
            time.sleep(0.01)

    def objects(
        self, _: str, kind: str, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[dict[str, Any]]:
        if ("list", kind, namespace) in self.forbidden:
            raise AccessError(f"may not list {kind}")
        selected = [part.split("=", 1) for part in fields.split(",") if part]
        wanted = dict(part.split("=", 1) for part in labels.split(",") if part)
        return [
            copy.deepcopy(body)
            for (its_kind, its_namespace, _), body in self.store.items()
            if its_kind == kind
            and (not namespace or its_namespace == namespace)
            and wanted.items() <= body["metadata"].get("labels", {}).items()
            and all(_field(body, path) == value for path, value in selected)
        ]

    def apply(self, body: dict[str, Any], *, manager: str, dry_run: bool = False) -> dict[str, Any]:
        name = body["metadata"]["name"]
        self.log.append(
            f"{'try' if dry_run else 'apply'} {body['kind']} {body['metadata'].get('namespace', '')}/{name}"
        )
        if body["kind"] in self.refuse:
            raise self.refuse[body["kind"]]
        if not dry_run:
            self.put(body)
        return body

    def patch(self, _: str, kind: str, name: str, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
        self.log.append(f"patch {kind} {namespace}/{name} {body}")
        return body

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        if key_of(body) in self.store:
            raise RequestError("create", CONFLICT, "exists")
        self.put(body)
        return copy.deepcopy(self.store[key_of(body)])

    def replace(self, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        if self.refuse_replace:
            raise self.refuse_replace
        current = self.store.get(key_of(body))
        if not current or current["metadata"]["resourceVersion"] != body["metadata"].get("resourceVersion"):
            raise RequestError("replace", CONFLICT, "changed")
        self.put({**body, "metadata": {**current["metadata"], **body["metadata"]}})
        return copy.deepcopy(self.store[key_of(body)])

    def delete(self, _: str, kind: str, name: str, namespace: str = "", *, uid: str = "", version: str = "") -> Any:
        self.log.append(f"delete {kind} {namespace}/{name}")
        found = self.store.get((kind, namespace, name))
        if found:
            meta = found["metadata"]
            if (uid and uid != meta["uid"]) or (version and version != meta["resourceVersion"]):
                raise RequestError("delete", CONFLICT, "another uid or version")
        if name not in self.sticky:
            self.store.pop((kind, namespace, name), None)
            if kind == "Namespace":
                self.store = {key: body for key, body in self.store.items() if key[1] != name}
        return found if name in self.sticky or not found else {"kind": "Status", "status": "Success"}

    def delete_pods(self, namespace: str) -> None:
        self.log.append(f"delete pods of {namespace}")

    def pods(self, namespace: str, labels: str = "") -> list[Pod]:
        wanted = dict(part.split("=", 1) for part in labels.split(",") if part)
        return [pod for pod in self.pods_of.get(namespace, ()) if wanted.items() <= pod.labels.items()]

    def logs(self, pod: Pod, container: str, *, since_s: int | None = None, tail: int | None = None) -> str:
        return "\n".join(self.logs_of.get((pod.name, container), []))


@dataclass
class FakeLogs:
    """Logs that are read from the cluster's `logs_of` at each look. `waits` counts."""

    cluster: FakeCluster
    waits: int = 0
    _made: dict[tuple[str, str], LogLines] = field(default_factory=dict)
    _taken: dict[tuple[str, str], int] = field(default_factory=dict)

    def of(self, source: LogSource, since: float) -> LogLines:
        key = (source.pod.name, source.container)
        made = self._made.setdefault(key, LogLines(f"log of {source}", since))
        self._update(key, source)
        return made

    def _update(self, key: tuple[str, str], source: LogSource) -> None:
        try:
            lines = self.cluster.logs(source.pod, source.container).splitlines()
        except InfrastructureError as error:
            self._made[key].broken(error.message)
            return
        self._made[key].add(lines[self._taken.get(key, 0) :])
        self._taken[key] = len(lines)

    def seen(self) -> int:
        return self.waits

    def wait(self, seen: int, timeout_s: float) -> None:
        self.waits += 1
        time.sleep(min(timeout_s, 0.001))
        for name, container in list(self._made):
            self._update((name, container), LogSource(Pod("", name), container))

    def refresh(self, source: LogSource) -> None: ...

    def close(self) -> None: ...


CLIENT = Workload("mtls-client", "sleep", "sleep")
HTTPBIN = {"app": "httpbin"}
SERVER_POD = Pod("mtls-service", "httpbin-1", containers=("httpbin", "istio-proxy"), ready=True, labels=HTTPBIN)
SERVICE_ADDRESS = "10.96.0.9"
CLIENT_POD = Pod("mtls-client", "sleep-1", containers=("sleep", "istio-proxy"), ready=True)

Answer = Callable[[Probe, str], Outcome]
"""What the mesh answers to a probe that carries this request id."""


def answered(status: int, request_id: str, body: str = "") -> Outcome:
    return Outcome(OutcomeKind.STATUS, request_id, status=status, exit_code=0, body=body)


def broken(exit_code: int, request_id: str) -> Outcome:
    return Outcome(KIND_OF_EXIT_CODE[exit_code], request_id, exit_code=exit_code)


def lost(request_id: str) -> Outcome:
    return infrastructure(request_id, "pod gone")


@dataclass
class FakeRig:
    """Probes are answered by `answer`; what passes is written to the server's logs, as a real one would."""

    answer: Answer
    cluster: FakeCluster = field(default_factory=FakeCluster)
    policy: ConvergencePolicy = QUICK
    servers: list[Pod] = field(default_factory=lambda: [SERVER_POD])
    sent: list[Probe] = field(default_factory=list)
    writes_logs: bool = True
    problem: Exception | None = None
    applier: Any = None
    external: ExternalHosts | None = None
    mesh: MeshInfo = field(default_factory=lambda: MeshInfo("istio", capabilities=frozenset({"access-log"})))
    gateways: list[Pod] = field(default_factory=list)
    gateway: EgressGateway = field(default_factory=EgressGateway)
    in_force: set[EnforcedPolicy] = field(default_factory=lambda: {EnforcedPolicy("mtls-service/require-jwt", "ALLOW")})
    overlay: Any = field(
        default_factory=lambda: SimpleNamespace(
            namespace=lambda name: name,
            host=lambda name: name,
            plain=lambda text: text,
            namespaces=frozenset({"mtls-client", "mtls-service"}),
            labels={"meshproof.dev/run": RUN},
            run=RUN,
            worker="gw0",
        )
    )
    sent_ids: set[str] = field(default_factory=set)
    sent_at: dict[str, float] = field(default_factory=dict)
    by_gateway: dict[Workload, dict[str, float]] = field(default_factory=dict)
    namespaces: frozenset[str] = frozenset()
    settled: float = 0.0
    once_ready: list[Pod] = field(default_factory=list)
    forwarded: bool = False
    left: dict[Pod, float] = field(default_factory=dict)
    new: list[Pod] = field(default_factory=list)
    abandoned: threading.Event = field(default_factory=threading.Event)
    pairs: list[Exchanges] = field(default_factory=list)
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def workloads(self) -> Self:
        """It is all of its parts itself."""
        return self

    prober = certainty = environments = workloads

    @property
    def policies(self) -> Any:
        return SimpleNamespace(at=lambda *_: self.in_force)

    @cached_property
    def logs(self) -> FakeLogs:
        return FakeLogs(self.cluster)

    @cached_property
    def stage_objects(self) -> StageObjects:
        return StageObjects(self.applier)

    @property
    def writes_access_log(self) -> bool:
        return self.mesh.writes_access_log

    def deploy(self, environment: Sequence[str]) -> None:
        self.ensure(environment)

    def ensure(self, environment: Sequence[str]) -> tuple[Applied, ...]:
        self.cluster.log.append(f"environment {','.join(environment)}")
        return ()

    def required_confirmations(self, probe: Probe) -> int:
        if self.problem:
            raise self.problem
        return 3

    def reached_error_rate(self, probe: Probe, matches: int) -> float:
        return 0.25

    def pods(self, workload: Workload) -> list[Pod]:
        return [CLIENT_POD]

    def confirmations_at(self, clients: Sequence[Pod]) -> int:
        return 3

    def backends(self, probe: Probe) -> list[Pod]:
        return self.servers if "httpbin" in probe.url else []

    def door(self, probe: Probe) -> list[Pod]:
        inside = probe.behind and not isinstance(probe.source, OutsideClient)
        return self.backends(replace(probe, behind="")) if inside else []

    def settled_at(self, namespace: str) -> float:
        return self.settled

    def selectors(self, probe: Probe) -> list[tuple[str, dict[str, str]]]:
        return [("mtls-service", HTTPBIN)] if "httpbin" in probe.url else []

    def seen_ready(self, namespace: str, labels: Any, since: float) -> list[Pod]:
        return self.once_ready

    def gone(self, probe: Probe, since: float) -> dict[Pod, float]:
        return self.left

    def new_doors(self, probe: Probe) -> list[Pod]:
        return self.new

    def replicas(self, probe: Probe) -> int:
        return max(1, len(self.backends(probe)))

    def target_port(self, probe: Probe) -> int:
        return 8080

    def service_addresses(self, probe: Probe) -> frozenset[str]:
        return frozenset({SERVICE_ADDRESS})

    def is_service(self, probe: Probe) -> bool:
        return "httpbin" in probe.url

    def connect_host(self, probe: Probe) -> str:
        return probe.destination

    def named(self, address: str) -> str:
        return address.replace("<gateway>", "istio-egressgateway.istio-egress.svc.cluster.local")

    def gateway_pods(self) -> list[Pod]:
        return self.gateways

    def egress_pods_for(self, probe: Probe) -> list[Pod]:
        return []

    def forget(self) -> None:
        self.cluster.log.append("forget")

    @property
    def entering(self) -> Any:
        return self

    def wait_open(self, sources: Any, timeout_s: float) -> None: ...

    def is_forwarded(self, probe: Probe) -> bool:
        return self.forwarded

    def command_for(self, probe: Probe, control: str = "") -> str:
        return f"curl {probe.url}"

    def many(self, probe: Probe, control: str, *, parallel: bool = False) -> Callable[[int], list[Outcome]]:
        return lambda count: self.probe(probe, control, count, ordinary=True)

    def probe(self, probe: Probe, control: str, count: int = 1, *, ordinary: bool = False) -> list[Outcome]:
        """As the real one: of several at once some are like a user's, with a UUID for an id, if `ordinary`."""
        alike = {index for index in range(count) if ordinary and count > 1 and index % 4 == 1}
        outcomes = []
        for index in range(count):
            name = str(uuid.uuid4()) if index in alike else f"mp-{RUN}-{next(self._ids)}"
            outcomes.append(replace(self.answer(probe, name), ordinary=index in alike))
        self.sent += [probe] * count
        self.sent_ids |= {outcome.request_id for outcome in outcomes}
        for outcome in outcomes:
            if self.writes_logs and outcome.status == 200:
                self.arrive(outcome.request_id)
        return outcomes

    def on_one_connection(self, first: Probe, second: Probe, control: str) -> Exchanges | None:
        return self.pairs.pop(0) if self.pairs else None

    def arrive(self, request_id: str) -> None:
        """The request came to the server: its application and its sidecar log it."""
        app, sidecar = self.cluster.logs_of, self.cluster.logs_of
        app.setdefault(("httpbin-1", "httpbin"), []).append(f'level=INFO user_agent="meshproof/X {request_id}"')
        sidecar.setdefault(("httpbin-1", "istio-proxy"), []).append(entry(request_id, "200", "-", "10.0.0.9:8080"))

    def refuse_in_log(self, request_id: str, details: str) -> None:
        """The sidecar logs a refusal."""
        lines = self.cluster.logs_of.setdefault(("httpbin-1", "istio-proxy"), [])
        lines.append(entry(request_id, "403", details, "-"))


def entry(request_id: str, status: str, details: str, upstream: str) -> str:
    """A line in Istio's default text format."""
    return (
        f'[2026-11-22T16:00:00.000Z] "GET /ip HTTP/1.1" {status} - {details} - "-" 0 0 1 1 "-" '
        f'"meshproof/X {request_id}" "{request_id}" "httpbin" "{upstream}" inbound|8080|| - - - - default'
    )
