"""Copies of a refused request that reach the backend by ways of their own: under another path, or past the log.

A count by path does not see the first, and the log of the server's sidecar has no entry of the second. Each is judged
by another log, which has an entry of every request of any other origin: that of the client's sidecar, which logs what
its pod sends, and that of the application.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from clients.kube.pods import SIDECAR, Pod, addresses_of
from clients.mesh import sidecar
from clients.mesh.access_logs import accesslog
from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.mesh.access_logs.log_lines import LogLines
from clients.mesh.access_logs.logs import LogSource
from clients.mesh.host_log import ArrivalEntry
from clients.model.addresses import host_of, split
from clients.model.counted import counted
from clients.model.decision import Proxy
from clients.proof.logs import by_gateway
from clients.proof.logs.application_copies import FEWEST, past_the_log
from clients.proof.logs.late_entries import flushed
from clients.proof.logs.route import Route, refused_requests
from clients.proof.proving import ProvingCase

_SHARE = 4
"""A copy of one refused request in so many is noticed."""
_FAILED = 400
"""Statuses of requests that failed or were refused: a mesh may log these only."""


def fewest(proving: ProvingCase) -> int:
    """How many copies are noticed."""
    return max(FEWEST, len(refused_requests(proving)) // _SHARE)


def unlogged(proving: ProvingCase, path: Route, since: float) -> str:
    """Which requests reached the backend past the logs of their origin, in words; empty where none did.

    Raises:
        MeshproofError: a log has a gap, or cannot be read.
    """
    most = fewest(proving)
    for pod in path.proxies(Proxy.SERVER):
        lines = proving.rig.logs.of(LogSource(pod, SIDECAR), since)
        made = _made_at_the_client(proving, path, lines, since, most)
        if len(made) >= most:
            origin = "the gateway did not get" if path.outside else "no program of the client sent"
            return f"{counted(len(made), 'request')} reached {pod} that {origin}, the first: {made[0].path}"
        for name in sidecar.containers_that_log(pod):
            own = proving.rig.logs.of(LogSource(pod, name), since)
            found = [] if name == SIDECAR else past_the_log(proving, own, lines, since)
            if len(found) >= most:
                return f"{counted(len(found), 'request')} reached {pod} ({name}) that its sidecar's log does not have"
        lines.check(since)
    return ""


def _made_at_the_client(
    proving: ProvingCase, path: Route, lines: LogLines, since: float, most: int
) -> list[AccessLogEntry]:
    """Requests from the client's sidecar (or the gateway) itself, which it did not get from its pod, or did not let in.

    Their client has no port (Envoy, `x-forwarded-for`). So have requests by a gateway, and where the client sends such
    ones, nothing is known.
    """
    rig, clients = proving.rig, path.proxies(Proxy.CLIENT)
    if not clients or (not path.outside and by_gateway.of_any(proving)):
        return []
    own = {(address, "0") for address in addresses_of(clients)}
    made = [
        one
        for one in lines.entries(since)
        if split(one.downstream_remote) in own
        and one.request_id
        and accesslog.forwarded(one)
        and not accesslog.belongs(one.request_id, one.user_agent, rig.prober.sent_ids)
    ]
    if len(made) < most:
        return []
    logs = [rig.logs.of(LogSource(pod, SIDECAR), since) for pod in clients]

    def look() -> tuple[bool, list[AccessLogEntry]]:
        """Whether each log is written at all, and which requests none has as sent on."""
        writes = all(_answered(log, since) for log in logs)
        return writes, [one for one in made if not any(sent_on(log, one.request_id) for log in logs)]

    writes, left = flushed(look, most, logs)
    return left if writes else []


def at_the_host(proving: ProvingCase) -> str:
    """Which copies an external server had, of the client's pods or of the egress gateway, in words; empty for none.

    Raises:
        MeshproofError: a log has a gap, or cannot be read; or pods cannot be listed.
    """
    workloads = proving.rig.workloads
    gateways = [pod for pod in workloads.gateway_pods() if pod.injected]
    return from_gateway(proving, gateways) or from_client(proving, workloads.pods(proving.case.probe.source))


def from_gateway(proving: ProvingCase, gateways: Sequence[Pod]) -> str:
    """Which requests of the egress gateway an external server had that the gateway's log does not have as sent on.

    Both logs are compared from the first request on that both have.

    Raises:
        MeshproofError: a log has a gap, or cannot be read.
    """
    rig, since = proving.rig, proving.running.since
    if not (gateways and rig.external and rig.writes_access_log):
        return ""
    most = fewest(proving)
    logs = [rig.logs.of(LogSource(pod, SIDECAR), since) for pod in gateways]
    arrived = rig.external.of_peers(addresses_of(gateways))
    if len(arrived) < most:
        return ""  # the log cannot change that, and one that stays empty would be waited for

    def look() -> tuple[bool, list[ArrivalEntry]]:
        """Whether each log has a line, which one that was just opened has not yet, and what none has as sent on."""
        known = [_answered(log, float("-inf")) for log in logs]
        return all(known), _not_sent_on(arrived, logs, known, rig.prober.sent_ids)

    _, left = flushed(look, most, logs)
    for log in logs:
        log.check(since)
    if len(left) < most:
        return ""
    found = counted(len(left), "request")
    return f"{found} of the gateway arrived that it did not let in, the first: {left[0].host}{left[0].path}"


def from_client(proving: ProvingCase, clients: Sequence[Pod]) -> str:
    """Which requests of the client's own pods the refused host had that no probe is, in words; empty where none.

    They count from the first of a probe on, as an earlier pod may have had the same address, and since the stage began.
    When that was by the host's clock follows from the probes that it has: neither it nor this machine's need be right.

    Raises:
        MeshproofError: the log cannot be read.
    """
    rig, host = proving.rig, proving.case.probe.destination
    if rig.external is None:
        return ""
    sent, own = rig.prober.sent_at, {*rig.external.addresses(host)}
    left = list[ArrivalEntry]()
    for address in addresses_of(clients):
        arrived = [one for one in rig.external.of_peers({address}) if one.at]
        first = next((number for number, one in enumerate(arrived) if one.request_id in sent), len(arrived))
        of_host = (one for one in arrived[first:] if host_of(one.local) in own or host_of(one.host) == host)
        ahead = min((one.at - sent[one.request_id] for one in arrived if one.request_id in sent), default=0.0)
        began = proving.running.since + ahead
        left += [one for one in of_host if one.request_id not in sent and one.at >= began]
    if len(left) < fewest(proving):
        return ""
    found = counted(len(left), "request")
    return f"{found} of the client arrived that no program of it sent, the first: {left[0].host}{left[0].path}"


def _not_sent_on(
    arrived: Sequence[ArrivalEntry], logs: Sequence[LogLines], known: Sequence[Set[str]], sent: Set[str]
) -> list[ArrivalEntry]:
    """Arrivals that no log has; none where one of the logs has no request that arrived, to begin with.

    Args:
        known: for each log, the ids that it has.
    """
    firsts = [
        next((number for number, one in enumerate(arrived) if one.request_id in ids), len(arrived)) for ids in known
    ]
    later = arrived[max(firsts, default=len(arrived)) :]
    return [
        one
        for one in later
        if not (one.request_id and (one.request_id in sent or any(sent_on(log, one.request_id) for log in logs)))
    ]


def _answered(lines: LogLines, since: float) -> set[str]:
    """Ids of requests that were sent on and answered in order: none where a log has failures only, or nothing."""
    entries = (one for one in lines.entries(since) if accesslog.forwarded(one))
    return {one.request_id for one in entries if one.request_id and 0 < (one.status or 0) < _FAILED}


def sent_on(lines: LogLines, request_id: str) -> bool:
    """Whether the proxy of this log has sent a request on."""
    return any(accesslog.forwarded(one) for one in lines.of_requests({request_id}))


def after_the_first(entries: Sequence[AccessLogEntry], sent: Set[str]) -> Sequence[AccessLogEntry]:
    """The entries from the first of ours on.

    A log that is opened again begins some seconds earlier than asked, and another process may have sent requests from
    the same pod then.
    """
    own = (number for number, one in enumerate(entries) if accesslog.belongs(one.request_id, one.user_agent, sent))
    return entries[next(own, 0) :]
