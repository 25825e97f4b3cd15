"""Proof of what is let in, made once more after it: the proxy in front sent each request to the server itself.

That an application or an external server has a request in its log does not show that it answered: a route may send the
request to another server, and this one a copy of it (`mirror` of a VirtualService, an HTTPRoute or a filter). The proxy
that sent it logs where the answer came from. Its log comes up to a second later than that of the server, so it is read
when the cases of a stage are proven, and not for each of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence, Set

from clients.kube.pods import SIDECAR, Pod, addresses_of
from clients.mesh.access_logs import accesslog, logs
from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.mesh.access_logs.logs import LogSource
from clients.model.addresses import host_of
from clients.model.attempt import Attempt, Phase
from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence, Finding, FindingVerdict, Verdict
from clients.proof.logs import mechanism
from clients.proof.logs.route import Route, route, row_at_end, traceable
from clients.proof.rig.rig import Rig
from clients.proof.stage.running_stage import RunningStage
from clients.proof.steps.answered import ANSWERED
from clients.proof.steps.trace import EXTERNAL_LOG

SENT_TO = "sent to"
_AT_SERVER = frozenset({ANSWERED, EXTERNAL_LOG})
"""Findings by which the server itself had the requests."""
_NO_ROUTES = ("inbound|", "PassthroughCluster", "InboundPassthroughCluster")
"""Begin the names of clusters for what a proxy takes in, and for what it hands on as it was dialled (Istio)."""
LATE_S = 1.2
"""Seconds after a case was proven until the proxies' logs have all of its requests: Envoy flushes every second."""


def findings(running: RunningStage, case: Case, evidence: Evidence, proven_at: float) -> list[Finding]:
    """What shows that something else answered a case that passed; empty where nothing does.

    Args:
        proven_at: monotonic time, in seconds, by which the case was proven.
    """
    if case.refuses or not running.rig.writes_access_log or evidence.verdict is not Verdict.PASS:
        return []
    if case.probe.answered_by is not None:
        return _by_proxy(running, case, evidence, proven_at)
    if not by_server(evidence):
        return []
    try:
        path = route(running.rig, case.probe)
        own = [one for one in evidence.attempts if one.phase not in (Phase.TWIN, Phase.BASELINE)]
        requests = traceable(row_at_end(own), path.keeps_ids)
        senders, known = senders_and_servers(running, case, path)
        if not (senders and known and requests):
            return []
        sent = _sent(running, senders, requests, proven_at)
        elsewhere = [one for one in sent if _is_elsewhere(one, known)]
    except MeshproofError:
        return []  # the proof at the application stays as it is
    if not elsewhere:
        return []
    what = f"{len(elsewhere)} of {len(requests)} requests were answered elsewhere, and the server had copies"
    return [Finding(SENT_TO, f"{what}: {mechanism.seen(elsewhere[-1])}", FindingVerdict.FAIL)]


def _by_proxy(running: RunningStage, case: Case, evidence: Evidence, proven_at: float) -> list[Finding]:
    """What shows that a proxy sent on what it has to answer itself, as the suite states; empty where nothing does."""
    assert case.probe.answered_by is not None
    try:
        path = route(running.rig, case.probe)
        own = [one for one in evidence.attempts if one.phase not in (Phase.TWIN, Phase.BASELINE)]
        requests = traceable(row_at_end(own), path.keeps_ids)
        found = _sent(running, path.proxies(case.probe.answered_by), requests, proven_at)
    except MeshproofError:
        return []
    if not (on := [one for one in found if accesslog.forwarded(one)]):
        return []
    what = f"{len(on)} of {len(requests)} requests were answered by a server, and not by the proxy itself"
    return [Finding(SENT_TO, f"{what}: {mechanism.seen(on[-1])}", FindingVerdict.FAIL)]


def by_server(evidence: Evidence) -> bool:
    """Whether the server itself is known to have had the requests."""
    return any(one.name in _AT_SERVER and one.verdict is FindingVerdict.PASS for one in evidence.findings)


def senders_and_servers(running: RunningStage, case: Case, path: Route) -> tuple[tuple[Pod, ...], Set[str]]:
    """The proxies that send a request to its server, and the addresses that they may send it to; empty if not known.

    Raises:
        MeshproofError: pods cannot be listed.
    """
    return _outward(running.rig, case, path) if path.external else _inward(running, case, path)


def _inward(running: RunningStage, case: Case, path: Route) -> tuple[tuple[Pod, ...], Set[str]]:
    """The proxies that send a request to a Service of the cluster, and the addresses that they may send it to."""
    workloads = running.rig.workloads
    known = addresses_of((*path.servers, *path.door, *workloads.gone(case.probe, running.since)))
    return path.door or path.proxies(Proxy.CLIENT), known | workloads.service_addresses(case.probe)


def _outward(rig: Rig, case: Case, path: Route) -> tuple[tuple[Pod, ...], Set[str]]:
    """The same for an external host, all of whose addresses are known only where its own log is."""
    assert rig.external is not None
    if rig.external.log is None:
        return (), frozenset()
    server = (case.arrival.server if case.arrival else "") or case.probe.destination
    return path.proxies(Proxy.GATEWAY), frozenset(rig.external.addresses(server))


def _sent(
    running: RunningStage, senders: Sequence[Pod], requests: Sequence[Attempt], proven_at: float
) -> list[AccessLogEntry]:
    """Entries of the requests at the proxies that sent them, when all are there or the time is over."""
    ids = {one.request_id for one in requests}
    sources = [LogSource(pod, SIDECAR) for pod in senders]
    return logs.wait_for(
        running.rig.logs,
        lambda: [entry for source in sources for entry in running.rig.logs.of(source, running.since).of_requests(ids)],
        lambda found: len(found) >= len(requests),
        sources,
        max(0.0, proven_at + LATE_S - time.monotonic()),
    )


def _is_elsewhere(entry: AccessLogEntry, known: Set[str]) -> bool:
    """Whether the answer came from an address that is none of the server's, by a route of the mesh."""
    host = host_of(entry.upstream_host)
    # a route of a filter may lead to a cluster of any name
    by_route = not entry.upstream_cluster.startswith(_NO_ROUTES) and entry.upstream_host != entry.downstream_local
    return bool(host) and by_route and host not in known
