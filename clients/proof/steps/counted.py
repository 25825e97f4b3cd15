"""Proof step of a denial: what reached the backend from the client is what was let in, whatever ids it has."""

from __future__ import annotations

from clients.kube.pods import SIDECAR, addresses_of
from clients.mesh.access_logs import accesslog
from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.mesh.access_logs.logs import LogSource
from clients.model.addresses import split
from clients.model.attempt import Phase
from clients.model.counted import counted
from clients.model.decision import Proxy
from clients.model.errors import MeshproofError
from clients.model.evidence import Finding, FindingVerdict
from clients.proof.logs import by_gateway, copies, strangers
from clients.proof.logs.route import Route, route
from clients.proof.proving import ProvingCase, inconclusive, not_checked, of_case

COUNT = "backend count"


@of_case
def every_arrival_is_known(proving: ProvingCase) -> list[Finding]:
    """Each request that the backend had from the client's pods, by the case's port and path, is one that was sent.

    A request whose id and user agent were replaced on the way, or a copy of it, is one that was not. Requests of other
    clients, and of other programs in the client's pods, have other addresses, ports or paths. Copies under another
    path, or past the log, are looked for as well (`clients.proof.logs.copies`). Where a gateway lies between, it gives
    requests ids of its own, and only copies are looked for.
    """
    if not (proving.case.refuses and proving.twin_passed and proving.rig.writes_access_log):
        return []
    if not proving.case.probe.is_http:
        return []  # an entry of a connection has neither id nor path, so that none would be counted
    try:
        path = route(proving.rig, proving.case.probe)
        if not path.proxies(Proxy.SERVER):
            return []
        if path.keeps_ids:
            return _counted(proving, path)
        since = proving.running.since
        text = copies.unlogged(proving, path, since) if path.outside else ""
        text = text or ("" if path.external else strangers.reached(proving, path, since))
        return [Finding(COUNT, text, FindingVerdict.FAIL)] if text else []
    except MeshproofError as error:
        return [inconclusive(COUNT, error.message)]


def _counted(proving: ProvingCase, path: Route) -> list[Finding]:
    rig, since = proving.rig, proving.running.since
    ports = _ports(proving, path)
    if not ports:
        return [
            not_checked(COUNT, "no request of the twin came there, and the number of the backend's port is not known")
        ]
    known, unknown = 0, []
    for pod in path.proxies(Proxy.SERVER):
        lines = rig.logs.of(LogSource(pod, SIDECAR), since)
        entries = copies.after_the_first(lines.entries(since), rig.prober.sent_ids)
        arrived = [one for one in entries if one.upstream_cluster in ports and _is_clients(proving, path, one)]
        strange = [one for one in arrived if not accesslog.belongs(one.request_id, one.user_agent, rig.prober.sent_ids)]
        known += len(arrived) - len(strange)
        unknown += strange
        lines.check(since)
    if unknown:
        first = f"id {unknown[0].request_id}, user agent {unknown[0].user_agent!r}"
        found = counted(len(unknown), "request")
        text = f"{found} from the client reached the backend that the harness did not send so, the first: {first}"
        return [Finding(COUNT, text, FindingVerdict.FAIL)]
    if text := copies.unlogged(proving, path, since):
        return [Finding(COUNT, text, FindingVerdict.FAIL)]
    if text := strangers.reached(proving, path, since):
        return [Finding(COUNT, text, FindingVerdict.FAIL)]
    text = f"{counted(known, 'request')} from the client by this path, all let in"
    return [Finding(COUNT, text, FindingVerdict.PASS)]


def _ports(proving: ProvingCase, path: Route) -> set[str]:
    """By the names of their clusters, the ports of the backend's containers that the case is about.

    They are those by which the twin came in at any of the replicas; of several, one may have got no request of it.
    Where none did, because the twin goes elsewhere or is the server's own pod, it is the one that the Service leads to.
    """
    rig, since = proving.rig, proving.running.since
    twins = {one.request_id for one in proving.attempts if one.phase is Phase.TWIN}
    ports = {
        entry.upstream_cluster
        for pod in path.proxies(Proxy.SERVER)
        for entry in rig.logs.of(LogSource(pod, SIDECAR), since).of_requests(twins)
        if accesslog.forwarded(entry)
    }
    target = 0 if ports else rig.workloads.target_port(proving.case.probe)
    return ports or ({f"inbound|{target}||"} if target else set())


def _is_clients(proving: ProvingCase, path: Route, entry: AccessLogEntry) -> bool:
    """Whether an entry is of a request that came from the case's client, by its path, and was sent on."""
    address, port = split(entry.downstream_remote)
    from_client = address in addresses_of(path.client)
    if port == "0" and by_gateway.of_path(proving):
        return False
    sent_on = accesslog.forwarded(entry) and bool(entry.request_id)
    return from_client and sent_on and entry.path == proving.case.probe.record.path
