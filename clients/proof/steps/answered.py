"""Proof step of what is let in: the intended application had each request, so nothing else can have answered it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clients.kube.pods import SIDECAR, Pod, addresses_of
from clients.mesh import sidecar
from clients.mesh.access_logs import logs
from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.mesh.access_logs.logs import LogSource
from clients.mesh.host_log import ArrivalEntry
from clients.model.addresses import host_of, is_loopback
from clients.model.attempt import Attempt, Phase
from clients.model.counted import counted
from clients.model.decision import Proxy
from clients.model.errors import MeshproofError
from clients.model.evidence import Finding, FindingVerdict
from clients.model.probe import Probe
from clients.proof.logs import changed_pods, mechanism
from clients.proof.logs.log_entries import LOG_BUDGET_S
from clients.proof.logs.route import ProxyLogs, Route, last_row, route, traceable
from clients.proof.proving import ProvingCase, inconclusive, not_checked, of_case
from clients.proof.stage.servers import past_sidecar

ANSWERED, TWIN_ANSWERED = "answered by", "twin answered by"


@dataclass(frozen=True)
class _Seen:
    """Where the requests were found.

    Attributes:
        places: logs of applications, or of their sidecars, that show them.
        elsewhere: what proxies logged of requests that they answered themselves, or sent to something else.
        missing: requests that no log shows.
    """

    places: frozenset[LogSource]
    elsewhere: tuple[AccessLogEntry, ...]
    missing: tuple[Attempt, ...]


@of_case
def application_answered(proving: ProvingCase) -> list[Finding]:
    """Each allowed request of the case, and of its twin, is in the log of the application that it is for.

    An answer by a proxy, by another server or by an external server at another address leaves no such entry.
    """
    case, found = proving.case, []
    if not case.refuses and case.arrival is None:
        found += _finding(proving, ANSWERED, case.probe, last_row(proving))
    if case.twin is not None and proving.twin_passed:
        twins = [one for one in proving.attempts if one.phase is Phase.TWIN and one.matched]
        found += _finding(proving, TWIN_ANSWERED, case.twin, twins)
    return found


def _finding(proving: ProvingCase, name: str, probe: Probe, requests: Sequence[Attempt]) -> list[Finding]:
    if probe.answered_by is not None:
        return []  # the suite states that a proxy answers by itself
    try:
        path = route(proving.rig, probe)
        by_sidecar = proving.rig.writes_access_log and all(pod.injected for pod in path.servers)
        by_sidecar = by_sidecar and not past_sidecar(proving.rig, probe, path.servers)
        requests = traceable(requests, by_sidecar and path.keeps_ids)
        if not requests:
            return [inconclusive(name, "none of the requests can be found in a log")]
        if path.external:
            return [_external(proving, name, probe, requests)]
        return [_inside(proving, name, probe, path, requests)]
    except MeshproofError as error:
        return [inconclusive(name, error.message)]


def _external(proving: ProvingCase, name: str, probe: Probe, requests: Sequence[Attempt]) -> Finding:
    """The external server's own log has them, at an address of the host that the request names."""
    external = proving.rig.external
    assert external is not None
    if external.log is None:
        return not_checked(name, "the external hosts' own log is not available on this target")
    ids = {request.request_id for request in requests}
    entries: list[ArrivalEntry] = external.arrived(ids)
    own = external.addresses(probe.destination)
    if missing := ids - {entry.request_id for entry in entries}:
        text = f"{len(missing)} of {len(ids)} requests did not come to an external server, so another one answered"
        return Finding(name, text, FindingVerdict.FAIL)
    elsewhere = [entry for entry in entries if own and host_of(entry.local) not in own]
    if elsewhere:
        text = f"{elsewhere[-1].local}, which is not an address of {probe.destination} ({', '.join(own)})"
        return Finding(name, text, FindingVerdict.FAIL)
    return Finding(
        name, f"{probe.destination} itself: {counted(len(ids), 'request')} at {entries[-1].local}", FindingVerdict.PASS
    )


def _inside(proving: ProvingCase, name: str, probe: Probe, path: Route, requests: Sequence[Attempt]) -> Finding:
    rig, since = proving.rig, proving.running.since
    if not path.servers:
        what = "no ready pod is behind the destination, and yet it was answered"
        of_service = rig.workloads.is_service(probe)
        return changed_pods.absent(proving, probe, name, what) if of_service else inconclusive(name, what)
    sources = [LogSource(pod, one) for pod in path.servers for one in sidecar.containers_that_log(pod)]
    if not rig.writes_access_log:
        sources = [source for source in sources if source.container != SIDECAR]

    seen = _wait(proving, path, requests, sources)
    for source in sources:
        rig.logs.of(source, since).check(since)
    count = len(requests)
    if not seen.missing and (foreign := [pod for pod in path.servers if not _intended(probe, pod)]):
        what = f"{probe.destination} leads to {', '.join(map(str, foreign))}, which is no pod of {_workload(probe)}"
        return Finding(name, what, FindingVerdict.FAIL)
    if not seen.missing:
        return Finding(name, f"{counted(count, 'request')} in {logs.in_words(seen.places)}", FindingVerdict.PASS)
    what = f"{len(seen.missing)} of {count} requests are not in the log of {', '.join(map(str, path.servers))}"
    return _missing(proving, name, probe, sources, seen, what)


def _missing(
    proving: ProvingCase, name: str, probe: Probe, sources: Sequence[LogSource], seen: _Seen, what: str
) -> Finding:
    """Some requests are in no log of the application: what follows from that."""
    rig, since = proving.rig, proving.running.since
    gone = addresses_of(changed_pods.left(proving, probe)) if seen.elsewhere else ()
    if others := [entry for entry in seen.elsewhere if host_of(entry.upstream_host) not in gone]:
        return Finding(name, f"{what}: {mechanism.seen(others[-1])}", FindingVerdict.FAIL)
    troubles = [one.problem for one in (rig.logs.of(source, since) for source in sources) if one.problem]
    proxies = [source.pod for source in sources if source.container == SIDECAR]
    if not_read := next(iter(troubles), "") or ProxyLogs(rig, since).torn(proxies):
        return inconclusive(name, f"{what}: {not_read}")
    if seen.elsewhere or _any_has_others(proving, sources, seen.missing):
        what = f"{what}, which has others: something else answered"
        return changed_pods.absent(proving, probe, name, what)
    if not rig.writes_access_log:
        return not_checked(name, "neither the application nor a sidecar logs requests")
    return inconclusive(name, f"{what}, nor is any other")


def _wait(proving: ProvingCase, path: Route, requests: Sequence[Attempt], sources: Sequence[LogSource]) -> _Seen:
    """Look until no request is missing. Without access logs it may be that nothing logs requests: for a moment only.

    Where the application does log such requests, its lines come late on a busy node, and are waited for.
    """

    def look(budget_s: float) -> _Seen:
        return logs.wait_for(
            proving.rig.logs,
            lambda: _look(proving, path, requests),
            lambda found: not found.missing,
            sources,
            budget_s,
        )

    if proving.rig.writes_access_log:
        return look(LOG_BUDGET_S)
    seen = look(logs.PRINTED_S)
    late = seen.missing and _any_has_others(proving, sources, seen.missing)
    return look(LOG_BUDGET_S) if late else seen


def _any_has_others(proving: ProvingCase, sources: Sequence[LogSource], missing: Sequence[Attempt]) -> bool:
    return any(_has_others(proving, source, missing) for source in sources)


def _has_others(proving: ProvingCase, source: LogSource, missing: Sequence[Attempt]) -> bool:
    """Whether a log has answered requests of this case or its stage, so that it would have had the missing ones too.

    Many an application logs those only that the harness marked; a sidecar's log can be turned off by the mesh, so it
    must have one that was sent no earlier than the missing ones. It may be set up to leave out what was refused.
    """
    by_sidecar = source.container == SIDECAR
    if not by_sidecar and all(one.ordinary for one in missing):
        return False
    settled = (attempt for seen in proving.running.settled for attempt in seen.attempts)
    every = (one for one in (*proving.seen.attempts, *proving.attempts, *settled) if one.phase is not Phase.BASELINE)
    earliest = min(one.at_s for one in missing) if by_sidecar else float("-inf")
    known = {one.request_id for one in every if one.status is not None and one.status < 400 and one.at_s >= earliest}
    return proving.rig.logs.of(source, proving.running.since).mentions_any(known - {""})


def _workload(probe: Probe) -> str:
    """The `app` label of the pods that a request is for: the name of the Service, unless the suite states one."""
    return probe.workload or probe.destination.partition(".")[0]


def _intended(probe: Probe, pod: Pod) -> bool:
    """Whether it is a pod of that workload; one with several Services has their names begin with its own.

    A Service's selector cannot say this, because it may be what is wrong.
    """
    app, wanted = pod.labels.get("app", ""), _workload(probe)
    return bool(app) and (wanted == app or wanted.startswith(f"{app}-"))


def _look(proving: ProvingCase, path: Route, requests: Sequence[Attempt]) -> _Seen:
    places: set[LogSource] = set()
    elsewhere, missing = [], []
    for request in requests:
        found = {place for pod in path.servers if (place := _place(proving, path, pod, request))}
        places |= found
        if not found:
            missing.append(request)
            elsewhere += _elsewhere(proving, path, request)
    return _Seen(frozenset(places), tuple(elsewhere), tuple(missing))


def _elsewhere(proving: ProvingCase, path: Route, request: Attempt) -> list[AccessLogEntry]:
    """Entries by which a proxy answered the request itself, or sent it to something else than the servers."""
    if not proving.rig.writes_access_log:
        return []
    found = ProxyLogs(proving.rig, proving.running.since)
    servers = addresses_of((*path.servers, *path.door))
    sent = [
        entry
        for entry in found.entries(path.proxies(Proxy.CLIENT), request)
        if host_of(entry.upstream_host) not in servers
    ]
    for pod in path.proxies(Proxy.SERVER):
        sent += [entry for entry in _inbound(proving, path, pod, request) if not _to_application(pod, entry)]
    return sent


def _place(proving: ProvingCase, path: Route, pod: Pod, request: Attempt) -> LogSource | None:
    """The log of the pod that shows that its application had the request; None where none does."""
    for container in sidecar.containers_that_log(pod):
        source = LogSource(pod, container)
        if container != SIDECAR:
            if proving.rig.logs.of(source, proving.running.since).mentioning(request.request_id):
                return source
        elif any(_to_application(pod, entry) for entry in _inbound(proving, path, pod, request)):
            return source
    return None


def _inbound(proving: ProvingCase, path: Route, pod: Pod, request: Attempt) -> list[AccessLogEntry]:
    """Entries of a request, or of its connection, at the server's sidecar; not those of a client in the same pod."""
    found = ProxyLogs(proving.rig, proving.running.since)
    hops = path.proxies(Proxy.CLIENT) if not path.outside else ()
    entries = found.entries((pod,), request, hops)
    return [entry for entry in entries if not entry.upstream_cluster.startswith("outbound|")]


def _to_application(pod: Pod, entry: AccessLogEntry) -> bool:
    """Whether a server's sidecar passed the request on to its own pod: not to another host, and not nowhere."""
    host = host_of(entry.upstream_host)
    return bool(host) and (not pod.addresses or host in pod.addresses or is_loopback(host))
