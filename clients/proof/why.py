"""Why a case has no pass: which policy refused its request, or why none did, where that is known.

Computed for failed cases alone, while the stage is still in force. It reads policies, pods and Services of the run's
own namespaces and of the mesh's root namespace, and logs of the proxies that decide; what may not be read is not known,
and what is not known is not said.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import jwt

from clients.kube.pods import SIDECAR, Pod
from clients.mesh import sidecar
from clients.mesh.access_logs import accesslog
from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.mesh.why import detectors, reading
from clients.mesh.why.objects import WorkloadView, workload_labels
from clients.mesh.why.reason import Effect
from clients.mesh.why.request import Caller, CaseView, RequestFacts
from clients.mesh.why.services import ServiceView, target_of
from clients.mesh.why.view import PolicyView
from clients.model.addresses import DEFAULT_PORTS, split
from clients.model.case import Case
from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence, Verdict
from clients.model.polling import look_until
from clients.model.probe import Dial, Probe
from clients.model.redact import redact
from clients.model.token import BEARER
from clients.probe.outside import OutsideClient
from clients.proof.stage import why_unready
from clients.proof.stage.running_stage import RunningStage
from clients.proof.unserved import unserved
from clients.proof.wrong_outcome import WrongOutcome, wrong_outcome

MOST_LOGS = 24
"""Cases of a stage for which logs are read; a stage of which more fail has one cause, and each log costs a request."""
LOG_S = 2.5
"""Seconds to wait for an entry: Envoy writes its log every second."""
_LOGGED = frozenset({Effect.CLOSED, Effect.BROKEN})
"""Of a request that was served, or that came to no proxy, no log says why."""
_POLL_S = 0.4
_IDS = 20


class Explainer:
    """Says why, for the cases of one stage. May be used from several threads."""

    def __init__(self, running: RunningStage, sleep: Callable[[float], None] = time.sleep) -> None:
        self._running = running
        self._sleep = sleep
        self._lock = threading.Lock()
        self._views: dict[float, PolicyView] = {}
        self._not_ready: dict[float, str] = {}
        self._logs_left = MOST_LOGS

    def explained(self, case: Case, evidence: Evidence) -> Evidence:
        """The evidence with `why`, where it is no pass and the cause is known.

        Never raises: a cause that cannot be found out must not cost the verdict. What cannot be read is not said; an
        error of our own is.
        """
        if evidence.verdict not in (Verdict.FAIL, Verdict.INCONCLUSIVE):
            return evidence
        try:
            return replace(evidence, why=self._why(case, evidence))
        except MeshproofError:
            return evidence
        except Exception as error:
            return replace(evidence, why=_internal(error))

    def _why(self, case: Case, evidence: Evidence) -> str:
        wrong = wrong_outcome(self._running, case, evidence)
        if wrong is None and not any(one.ran for one in evidence.attempts):
            return self._unready()
        if wrong is None:
            return ""
        found = detectors.of_case(self._cases(wrong, wrong.effect)) if wrong.effect else []
        if not found and unserved(wrong.last):  # as where no server is: its pods may not get ready
            return self._unready()
        text = "; ".join(reason.text for reason in found)
        return redact(self._running.rig.overlay.plain(text))

    def _unready(self) -> str:
        """What keeps pods from getting ready, for probes that did not run or found no server; once for each state."""
        rig, at = self._running.rig, self._running.changed_at
        with self._lock:
            if at not in self._not_ready:
                self._not_ready[at] = why_unready.why(rig, rig.environments.namespaces)
            return self._not_ready[at]

    def _view(self) -> PolicyView:
        """Of the state that is in force now; read once."""
        with self._lock:
            at = self._running.changed_at
            if at not in self._views:
                rig = self._running.rig
                own = {*rig.environments.namespaces, *(one.namespace for one in self._running.applied)} - {""}
                self._views = {at: reading.read(rig.cluster, own - {rig.mesh.root}, rig.mesh.root)}
            return self._views[at]

    def _cases(self, wrong: WrongOutcome, effect: Effect) -> Iterator[CaseView]:
        """The request at every workload that decides about it: the caller's own, a gateway, the backend."""
        view, probe, rig = self._view(), wrong.probe, self._running.rig
        caller, pods = self._caller(view, probe)
        service, backends = self._service(view, probe), rig.workloads.backends(probe)
        claims = _claims(rig.tokens, probe)
        places = [(rig.workloads.egress_pods_for(probe), False)]
        places += [(pods, False)] if isinstance(probe.source, OutsideClient) else [(pods, True)]
        places.append((backends, False))
        entries = self._entries(wrong, [pod for there, _ in places for pod in there], effect)
        for there, outbound in places:
            workload = _workload(view, there)
            if workload is None:
                continue
            behind = isinstance(probe.source, OutsideClient) and there is backends
            yield CaseView(
                view=view,
                workload=workload,
                caller=_gateway_of(view, pods) if behind else replace(caller, direct=bool(probe.dial)),
                request=replace(_request(probe), port=_port(service, probe, workload), claims=claims),
                effect=effect,
                expected=wrong.expect.status,
                observed=wrong.last.status,
                entries=tuple(entry for pod in there for entry in entries.get(pod, ())),
                stage=frozenset((one.kind, one.namespace, one.name) for one in self._running.applied),
                outbound=outbound,
            )

    def _caller(self, view: PolicyView, probe: Probe) -> tuple[Caller, list[Pod]]:
        """Who sends, and the pods of the client, or of the gateway that a client outside enters by."""
        pods = self._running.rig.workloads.pods(probe.source)
        if isinstance(probe.source, OutsideClient):
            return Caller("a client outside the cluster", "", injected=False), pods
        return _gateway_of(view, pods), pods

    def _service(self, view: PolicyView, probe: Probe) -> ServiceView | None:
        """The Service that the probe dials."""
        overlay, workloads = self._running.rig.overlay, self._running.rig.workloads
        name, _, rest = overlay.host(workloads.connect_host(probe)).partition(".")
        namespace = rest.partition(".")[0] or overlay.namespace(probe.source.namespace)
        return next((one for one in view.services if (one.namespace, one.name) == (namespace, name)), None)

    def _entries(self, wrong: WrongOutcome, pods: Sequence[Pod], effect: Effect) -> dict[Pod, list[AccessLogEntry]]:
        """What the proxies logged about the refused requests; waits for an entry for a short while."""
        with self._lock:
            self._logs_left -= 1
            if effect not in _LOGGED or self._logs_left < 0 or not self._running.rig.writes_access_log:
                return {}
        ids = {attempt.request_id for attempt in wrong.attempts[-_IDS:]}
        return look_until(
            lambda: {pod: self._logged(pod, ids) for pod in dict.fromkeys(pods) if pod.injected},
            lambda found: any(found.values()),
            time.monotonic() + LOG_S,
            pause_s=_POLL_S,
            sleep=self._sleep,
        )

    def _logged(self, pod: Pod, ids: set[str]) -> list[AccessLogEntry]:
        try:
            lines = sidecar.log_lines(self._running.rig.cluster, pod, SIDECAR, since_s=self._running.since_s())
        except MeshproofError:
            return []
        entries = accesslog.parse(line for line in lines if any(one in line for one in ids))
        return [one for one in entries if accesslog.belongs(one.request_id, one.user_agent, ids)]


def _internal(error: Exception) -> str:
    """Of which kind, and in which module of ours; its own text is left out, since it may quote anything."""
    modules = [str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    where = [name for name in modules if name.startswith("clients.")][-1:] or [__name__]
    return f"internal error: {type(error).__name__} in {where[0]}; please report it"


def _workload(view: PolicyView, pods: Sequence[Pod]) -> WorkloadView | None:
    """The workload that the pods are of; None where they are of several, or unknown."""
    found = {one for pod in pods for one in view.workloads if _is_of(pod, one)}
    known = all(any(_is_of(pod, one) for one in found) for pod in pods)
    return next(iter(found)) if len(found) == 1 and known else None


def _is_of(pod: Pod, workload: WorkloadView) -> bool:
    """Whether a pod is of a workload: it has its labels and no others, and a proxy where that has one."""
    if not workload.labels or workload.namespace != pod.namespace or workload.injected not in (None, pod.injected):
        return False
    return workload.labels == workload_labels(pod.labels)


def _gateway_of(view: PolicyView, pods: Sequence[Pod]) -> Caller:
    """The identity of a workload as the one that sends: a client, or the gateway that passes a request on."""
    workload = _workload(view, pods)
    if workload is None:
        return Caller("the caller", "")
    return Caller(str(workload), workload.namespace, workload.account, workload.injected)


def _request(probe: Probe) -> RequestFacts:
    rest = probe.url.split("://", 1)[-1]
    host, slash, path = rest.partition("/")
    given = {name.lower(): value for name, value in probe.headers}
    if not probe.is_http:
        return RequestFacts()
    named = "" if probe.dial is Dial.POD else host  # the pod's address takes its place
    return RequestFacts(probe.method, f"{slash}{path}" or "/", given.get("host", named), given)


def _port(service: ServiceView | None, probe: Probe, workload: WorkloadView) -> int | None:
    """Port of the container that the request comes to; None where the Service is not in front of the workload."""
    if probe.dial:  # the URL has the container's port
        return _dialled(probe.url)
    if service is None or not service.serves(workload):
        return None
    dialled = split(probe.resolve)[1]
    number = int(dialled) if dialled.isdigit() else _dialled(probe.url)
    return next((target_of(port, workload) for port in service.ports if port.number == number), None)


def _dialled(url: str) -> int | None:
    parts = urlsplit(url)
    return parts.port or DEFAULT_PORTS.get(parts.scheme)


def _claims(tokens: Any, probe: Probe) -> dict[str, Any] | None:
    """Claims of the request's only token, in the usual place; none without one; None where they are not known."""
    sent = probe.all_tokens
    if not sent:
        by_hand = any(name.lower() in ("authorization", "cookie") or "token" in name.lower() or "jwt" in name.lower()
                      for name, _ in probe.headers)  # fmt: skip
        return None if by_hand or "token" in probe.url else {}
    if len(sent) > 1 or sent[0].place != BEARER:
        return None
    try:
        claims = jwt.decode(tokens.token(sent[0]), options={"verify_signature": False})
    except (jwt.PyJWTError, MeshproofError, ValueError):
        return None
    return dict(claims)
