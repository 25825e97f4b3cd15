"""Entries of a case's requests in the access logs of proxies, and how an entry differs from what a case states."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clients.kube.pods import SIDECAR, Pod
from clients.mesh import accesslog, sidecar
from clients.mesh.accesslog import AccessLogEntry
from clients.model.case import AccessLogExpectation, Probe, Proxy
from clients.model.evidence import Attempt
from clients.proof.rig import Rig

LOG_BUDGET_S = 15.0
"""Longest wait for a log entry. Envoy flushes its access log every second (Istio's default), the kubelet at once."""
_POLL_S = 0.1

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
class Sent:
    """Requests that are looked for in logs.

    Attributes:
        requests: the case's own, which all saw the pinned outcome.
        marks: the twin's, sent later: a log that shows one of them is complete up to it.
        since_s: returns how far back logs matter, in seconds.
    """

    requests: tuple[Attempt, ...]
    marks: tuple[Attempt, ...]
    since_s: Callable[[], int]


class LogReader:
    """Finds the entries of requests: by id, or by the addresses of their connections."""

    def __init__(self, rig: Rig, since_s: Callable[[], int]) -> None:
        self._rig = rig
        self._since_s = since_s

    def until(
        self, pods: list[Pod], probe: Probe, logged: AccessLogExpectation, requests: Sequence[Attempt], count: int
    ) -> list[AccessLogEntry]:
        """What `read` finds, as soon as it is `count` entries or the time is over."""
        deadline = time.monotonic() + LOG_BUDGET_S
        while True:
            found = self.read(pods, probe, logged, requests)
            if len(found) >= count or time.monotonic() >= deadline:
                return found
            time.sleep(_POLL_S)

    def read(
        self, pods: list[Pod], probe: Probe, logged: AccessLogExpectation, requests: Sequence[Attempt]
    ) -> list[AccessLogEntry]:
        """Entries of these requests in the logs as they are now."""
        entries = self._entries(pods)
        ids = {request.request_id for request in requests}
        if not logged.tcp:
            return [entry for entry in entries if accesslog.belongs(entry.request_id, entry.user_agent, ids)]
        clients = {request.local for request in requests if request.local}
        sources = self._rig.workloads.pods(probe.source)
        if logged.proxy is Proxy.CLIENT or not all(pod.injected for pod in sources):
            return _from_clients(entries, clients, ids)
        before = _from_clients(self._entries(sources), clients, ids)
        return _sent_on(before, entries, ids)

    def _entries(self, pods: list[Pod]) -> list[AccessLogEntry]:
        since_s = self._since_s()
        return [
            entry
            for pod in pods
            for entry in accesslog.parse(sidecar.log_lines(self._rig.cluster, pod, SIDECAR, since_s=since_s))
        ]


def _from_clients(entries: Sequence[AccessLogEntry], clients: set[str], ids: set[str]) -> list[AccessLogEntry]:
    """Entries of connections from these addresses, without those of earlier requests from the same port."""
    return [
        entry
        for entry in entries
        if entry.downstream_remote in clients
        and (not entry.request_id or accesslog.belongs(entry.request_id, entry.user_agent, ids))
    ]


def _sent_on(
    before: Sequence[AccessLogEntry], entries: Sequence[AccessLogEntry], ids: set[str]
) -> list[AccessLogEntry]:
    """Entries of the connections that the previous proxy opened for its own: from its address and port to this proxy's.

    Both ends must match, because the system may reuse a port for another server. Proxies dial pods, not Services.
    """
    ends = {(entry.upstream_local, entry.upstream_host) for entry in before if entry.upstream_local}
    clients = {client for client, _ in ends}
    return [
        entry
        for entry in _from_clients(entries, clients, ids)
        if (entry.downstream_remote, entry.downstream_local) in ends
    ]


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
        known["gateway"] = [pod.ip for pod in rig.workloads.gateway_pods()]

    def values(match: re.Match[str]) -> str:
        address = rig.external.hosts.get(match[1], "") if rig.external else ""
        found = known.get(match[1], [address] if address else [])
        return f"(?:{'|'.join(map(re.escape, found))})" if found else r"[0-9a-f.:\[\]]+"

    texts: dict[str, Any] = {name: re.sub(r"<([\w.-]+)>", values, getattr(logged, name)) for name in _FIELDS}
    return replace(logged, **texts)
