"""Entries of a case's requests in the access logs of proxies, and how an entry differs from what a case states."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clients.kube.pods import SIDECAR, Pod, addresses_of
from clients.mesh.access_logs import accesslog
from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.mesh.access_logs.log_lines import LogLines
from clients.mesh.access_logs.logs import LogSource, wait_for
from clients.model.addresses import canonical, in_url
from clients.model.attempt import Attempt
from clients.model.decision import Proxy
from clients.model.log_expectations import AccessLogExpectation
from clients.model.probe import Probe
from clients.proof.rig.rig import Rig
from clients.proof.unserved import AWAY

LOG_BUDGET_S = 15.0
"""Longest wait for a log entry. Envoy flushes its access log every second (Istio's default), the kubelet at once."""
FLUSHED_S = 3.0
"""Seconds in which a sidecar's log comes up to what another log already shows. An entry that has not come by then may
need a further request to be known as missing."""
MOST_FROM_OTHER_PORTS = 0.25
"""Largest share of the requests whose connections may have got another port on the way."""

_FIELDS = {
    "cluster": "upstream_cluster",
    "upstream": "upstream_host",
    "sni": "sni",
    "route": "route",
    "authority": "authority",
    "protocol": "protocol",
    "local": "downstream_local",
}
"""Attribute of `AccessLogExpectation` → attribute of an entry."""


@dataclass(frozen=True)
class SentRequests:
    """Requests that are looked for in logs.

    Attributes:
        requests: the case's own, which all saw the pinned outcome.
        marks: the twin's, sent later: a log that shows one of them is complete up to it.
        since: monotonic time from which on logs matter, in seconds.
    """

    requests: tuple[Attempt, ...]
    marks: tuple[Attempt, ...]
    since: float


class LogReader:
    """Finds the entries of requests: by id, or by the addresses of their connections.

    Its methods raise InfrastructureError where a log has a gap or must not be read.
    """

    def __init__(self, rig: Rig, since: float) -> None:
        self._rig = rig
        self._since = since

    def until(
        self, pods: list[Pod], probe: Probe, logged: AccessLogExpectation, requests: Sequence[Attempt], count: int
    ) -> list[AccessLogEntry]:
        """What `read` finds, as soon as it is of `count` requests (`of_each`) or the time is over."""
        return wait_for(
            self._rig.logs,
            lambda: self.read(pods, probe, logged, requests),
            lambda found: len(of_each(found, logged, requests)) >= count,
            [LogSource(pod, SIDECAR) for pod in pods],
            LOG_BUDGET_S,
        )

    def read(
        self, pods: list[Pod], probe: Probe, logged: AccessLogExpectation, requests: Sequence[Attempt]
    ) -> list[AccessLogEntry]:
        """Entries of these requests in the logs as far as they have come."""
        ids = {request.request_id for request in requests}
        if not logged.tcp:
            return self._look(pods, lambda lines: lines.of_requests(ids))
        clients = {request.local for request in requests if request.local}
        sources = self._rig.workloads.pods(probe.source)
        if logged.proxy is Proxy.CLIENT or not all(pod.injected for pod in sources):
            return self._from_clients(pods, clients, ids)
        before = self._from_clients(sources, clients, ids)
        # Both ends must match: the system may reuse a port for another server. Proxies dial pods, not Services.
        ends = {(entry.upstream_local, entry.upstream_host) for entry in before if entry.upstream_local}
        found = self._from_clients(pods, {client for client, _ in ends}, ids)
        return [entry for entry in found if (entry.downstream_remote, entry.downstream_local) in ends]

    def knows_connections(self, probe: Probe, logged: AccessLogExpectation, requests: Sequence[Attempt]) -> bool:
        """Whether the client's sidecar, if it has one, has logged what connections it made for the requests.

        It waits for them: only by these ends are they found at a proxy further on.
        """
        pods, wanted = self._rig.workloads.pods(probe.source), fewest(logged, requests)
        if logged.proxy is Proxy.CLIENT or not all(pod.injected for pod in pods):
            return True
        return len(self.until(pods, probe, replace(logged, proxy=Proxy.CLIENT), requests, wanted)) >= wanted

    def _from_clients(self, pods: list[Pod], clients: set[str], ids: set[str]) -> list[AccessLogEntry]:
        """Entries of connections from these addresses, without those of earlier requests from the same port."""
        found = self._look(pods, lambda lines: lines.of_clients(clients, self._since))
        return [
            entry
            for entry in found
            if not entry.request_id or accesslog.belongs(entry.request_id, entry.user_agent, ids)
        ]

    def _look(self, pods: list[Pod], find: Callable[[LogLines], list[AccessLogEntry]]) -> list[AccessLogEntry]:
        found = []
        for pod in pods:
            lines = self._rig.logs.of(LogSource(pod, SIDECAR), self._since)
            found += find(lines)
            lines.check(self._since)
        return found


def answered_tries(
    entries: Sequence[AccessLogEntry], logged: AccessLogExpectation, requests: Sequence[Attempt]
) -> list[AccessLogEntry]:
    """The entries without tries for which no server was there, of requests that a proxy then sent again.

    The connection that a proxy took from its pool may just have been closed. Such a request has an entry of its own for
    each try, and the other one says what became of it.
    """
    ids = set() if logged.tcp else {request.request_id for request in requests}
    of = [(one, accesslog.belongs(one.request_id, one.user_agent, ids)) for one in entries]
    answered = {own for one, own in of if own and one.status not in AWAY}
    return [one for one, own in of if one.status not in AWAY or own not in answered]


def of_each(
    entries: Sequence[AccessLogEntry], logged: AccessLogExpectation, requests: Sequence[Attempt]
) -> list[AccessLogEntry]:
    """One entry of each request: a request that a proxy sent again has several, with one id.

    Entries of TCP name no request, so each counts.
    """
    if logged.tcp:
        return list(entries)
    ids = {request.request_id for request in requests}
    return list({accesslog.belongs(one.request_id, one.user_agent, ids): one for one in entries}.values())


def fewest(logged: AccessLogExpectation, requests: Sequence[Attempt]) -> int:
    """How many of the requests must have an entry.

    A redirected connection may get another port (netfilter, when its own is still tracked), so not all are known by it.
    """
    return len(requests) - (int(len(requests) * MOST_FROM_OTHER_PORTS) if logged.tcp else 0)


def difference(rig: Rig, stated: AccessLogExpectation, entry: AccessLogEntry) -> str:
    """How an entry differs from what must be logged (see `filled`); empty when it does not."""
    if stated.flags and not set(entry.flags.split(",")) & stated.flags:
        return f"has flags {entry.flags or '-'}"
    if stated.status is not None and entry.status != stated.status:
        return f"has status {entry.status}"
    if stated.details not in f"{entry.details} {entry.failure}":
        return f"has details {entry.details or '-'} {entry.failure}".strip()
    for name, attribute in _FIELDS.items():
        pattern, seen = getattr(stated, name), rig.overlay.plain(getattr(entry, attribute))
        if pattern and not (not seen if pattern == "-" else re.fullmatch(pattern, seen)):
            return f"has {name} {seen or '-'}, not {pattern}"
    return ""


def filled(rig: Rig, logged: AccessLogExpectation) -> AccessLogExpectation:
    """`logged` with `<gateway>`, `<host>` and the gateway's ports in its patterns replaced by their values."""
    known = {"http-port": [str(rig.gateway.http_port)], "tls-port": [str(rig.gateway.tls_port)]}
    if any("<gateway>" in getattr(logged, name) for name in _FIELDS):
        known["gateway"] = sorted(map(in_url, addresses_of(rig.workloads.gateway_pods())))

    def values(match: re.Match[str]) -> str:
        address = rig.external.hosts.get(match[1], "") if rig.external else ""
        found = known.get(match[1], [in_url(canonical(address))] if address else [])
        return f"(?:{'|'.join(map(re.escape, found))})" if found else r"[0-9a-f.:\[\]]+"

    texts: dict[str, Any] = {name: re.sub(r"<([\w.-]+)>", values, getattr(logged, name)) for name in _FIELDS}
    return replace(logged, **texts)
