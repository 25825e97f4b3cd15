"""What proxies and external servers logged about a case's requests: the way that they really took."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clients.kube.pods import SIDECAR, Pod
from clients.mesh import accesslog, sidecar
from clients.mesh.accesslog import AccessLogEntry
from clients.model.case import AccessLogExpectation, Case, Probe, Proxy, ServerLogExpectation
from clients.model.errors import MeshproofError
from clients.model.evidence import Attempt, Finding, Verdict
from clients.proof.world import World

LOG_BUDGET_S = 15.0
"""Longest wait for a log entry. Envoy flushes its access log every second (Istio's default), the kubelet at once."""
EGRESS_GATEWAY = "egress gateway"
GATEWAY_LOG = f"{EGRESS_GATEWAY} log"
EXTERNAL_LOG = "external server's log"
SAMPLE = 4
"""Requests of a case whose entries are looked for: the last ones."""
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
    """Requests whose way is followed.

    Attributes:
        requests: the case's own, which all saw the pinned outcome.
        marks: the twin's, sent later: a log that shows one of them is complete up to it.
        since_s: how far back logs matter, in seconds.
    """

    requests: tuple[Attempt, ...]
    marks: tuple[Attempt, ...]
    since_s: Callable[[], int]


def sample(attempts: Sequence[Attempt], repeat: int = 0) -> tuple[Attempt, ...]:
    """The last attempts in a row that saw what was expected."""
    row: list[Attempt] = []
    for attempt in reversed(attempts):
        if not attempt.matched or len(row) >= max(SAMPLE, repeat):
            break
        row.insert(0, attempt)
    return tuple(row)


def follow(world: World, case: Case, sent: Sent) -> list[Finding]:
    """One finding for each thing that the case says was logged."""
    findings = []
    for logged in case.logged:
        name = GATEWAY_LOG if logged.proxy is Proxy.GATEWAY else f"{logged.proxy} sidecar log"
        try:
            findings.append(Finding(name, *_logged(world, case.probe, case.twin, logged, sent)))
        except MeshproofError as error:
            findings.append(Finding(name, error.message, Verdict.INCONCLUSIVE))
    if case.arrival is not None:
        try:
            findings.append(Finding(EXTERNAL_LOG, *_arrived(world, case, case.arrival, sent)))
        except MeshproofError as error:
            verdict = Verdict.PASS if case.logged else Verdict.INCONCLUSIVE
            findings.append(Finding(EXTERNAL_LOG, f"not looked at: {error.message}", verdict))
    return findings


def _before_gateway(world: World, case: Case) -> bool:
    """Whether a refusal that the gateway's log does not show is known to have come before the gateway."""
    if any(logged.proxy is Proxy.CLIENT or logged.absent for logged in case.logged):
        return True
    return not any(pod.injected for pod in world.pods(case.probe.source))  # nothing leads it to the gateway


def network_path(world: World, case: Case, refused: bool, found: Sequence[Finding]) -> tuple[str, ...]:
    """Where the logs saw the case's requests (`Evidence.way`), by the findings that its proof has."""
    if world.external is None or not world.external.knows(case.probe.destination):
        return ()
    passed = {finding.name for finding in found if finding.verdict is Verdict.PASS}
    asked = any(logged.proxy is Proxy.GATEWAY and not logged.absent for logged in case.logged)
    by_gateway = asked and GATEWAY_LOG in passed
    if case.arrival is not None and EXTERNAL_LOG in passed:
        by_gateway = by_gateway or case.arrival.peer is Proxy.GATEWAY
    elif not refused and not by_gateway:
        return ()  # answered, but no log tells on what way
    if refused and not by_gateway and not _before_gateway(world, case):
        return ()  # refused, and no log tells where
    places = [f"{case.probe.source.namespace}/{case.probe.source.app}", *([EGRESS_GATEWAY] if by_gateway else [])]
    return (*places, *([] if refused else [case.probe.destination]))


def _logged(
    world: World, probe: Probe, twin: Probe | None, logged: AccessLogExpectation, sent: Sent
) -> tuple[str, Verdict]:
    pods = proxies(world, probe, logged.proxy)
    if not pods or not all(pod.injected for pod in pods):
        return f"no proxy at the {logged.proxy}", Verdict.INCONCLUSIVE
    if not world.mesh.writes_access_log:
        return "not looked at: the mesh writes no access log", Verdict.PASS
    reader = _Reader(world, sent.since_s)
    if logged.absent:
        return _absence(reader, pods, probe, twin, logged, sent)
    # A redirected connection may get another port (netfilter, when its own is still remembered): not all can be told.
    wanted = min(1, len(sent.requests)) if logged.tcp else len(sent.requests)
    if not wanted:
        return "no request saw the expected outcome", Verdict.INCONCLUSIVE
    entries = reader.until(pods, probe, logged, sent.requests, wanted)
    if not entries:
        return f"no entry of the requests within {LOG_BUDGET_S:g} s", Verdict.INCONCLUSIVE
    stated = filled(world, logged)
    for entry in entries:
        if wrong := difference(world, stated, entry):
            return f"an entry {wrong}: {entry.raw[:400]}", Verdict.FAIL
    if len(entries) < wanted:
        return f"{len(entries)} of {wanted} requests have an entry", Verdict.INCONCLUSIVE
    return f"{len(entries)} entries as stated, the last: {entries[-1].raw.strip()[:400]}", Verdict.PASS


def _absence(
    reader: _Reader, pods: list[Pod], probe: Probe, twin: Probe | None, logged: AccessLogExpectation, sent: Sent
) -> tuple[str, Verdict]:
    """No entry of the requests where a later one of the twin is seen."""
    if twin is None or not sent.marks:
        return "no later request of a twin shows how far the log goes", Verdict.INCONCLUSIVE
    if not reader.until(pods, twin, logged, sent.marks[-1:], 1):
        return f"the twin's last request did not appear within {LOG_BUDGET_S:g} s", Verdict.INCONCLUSIVE
    if found := reader.read(pods, probe, logged, sent.requests):
        return f"{len(found)} entries of requests that must not be there: {found[0].raw[:400]}", Verdict.FAIL
    return f"no entry of {len(sent.requests)} requests, a later one of the twin is there", Verdict.PASS


def proxies(world: World, probe: Probe, proxy: Proxy) -> list[Pod]:
    """The pods whose proxy is meant."""
    if proxy is Proxy.CLIENT:
        return world.pods(probe.source)
    return world.gateway_pods() if proxy is Proxy.GATEWAY else world.backends(probe)


class _Reader:
    """Finds the entries of requests: by id, or by the addresses of their connections."""

    def __init__(self, world: World, since_s: Callable[[], int]) -> None:
        self._world = world
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
        sources = self._world.pods(probe.source)
        if logged.proxy is Proxy.CLIENT or not all(pod.injected for pod in sources):
            return _from_clients(entries, clients, ids)
        before = _from_clients(self._entries(sources), clients, ids)
        return _sent_on(before, entries, ids)

    def _entries(self, pods: list[Pod]) -> list[AccessLogEntry]:
        since_s = self._since_s()
        return [
            entry
            for pod in pods
            for entry in accesslog.parse(sidecar.log_lines(self._world.cluster, pod, SIDECAR, since_s=since_s))
        ]


def _from_clients(entries: Sequence[AccessLogEntry], clients: set[str], ids: set[str]) -> list[AccessLogEntry]:
    """Entries of connections from these addresses. A port may have been another request's before: it says its id."""
    return [
        entry
        for entry in entries
        if entry.downstream_remote in clients
        and (not entry.request_id or accesslog.belongs(entry.request_id, entry.user_agent, ids))
    ]


def _sent_on(
    before: Sequence[AccessLogEntry], entries: Sequence[AccessLogEntry], ids: set[str]
) -> list[AccessLogEntry]:
    """Entries of the connections that the proxy before opened for its own: from its address and port to this proxy's.

    Both ends count, as the system gives a port out once more for another server. Proxies dial pods, not Services.
    """
    ends = {(entry.upstream_local, entry.upstream_host) for entry in before if entry.upstream_local}
    clients = {client for client, _ in ends}
    return [
        entry
        for entry in _from_clients(entries, clients, ids)
        if (entry.downstream_remote, entry.downstream_local) in ends
    ]


def difference(world: World, stated: AccessLogExpectation, entry: AccessLogEntry) -> str:
    """How an entry differs from what must be logged (see `filled`); empty when it does not."""
    if stated.flags and not set(entry.flags.split(",")) & stated.flags:
        return f"says flags {entry.flags or '-'}"
    if stated.status is not None and entry.status != stated.status:
        return f"says status {entry.status}"
    if stated.details not in f"{entry.details} {entry.failure}":
        return f"says details {entry.details or '-'} {entry.failure}".strip()
    for name, attribute in _FIELDS.items():
        pattern, seen = getattr(stated, name), world.overlay.plain(getattr(entry, attribute))
        if pattern and not (not seen if pattern == "-" else re.fullmatch(pattern, seen)):
            return f"says {name} {seen or '-'}, not {pattern}"
    return ""


def filled(world: World, logged: AccessLogExpectation) -> AccessLogExpectation:
    """With `<gateway>` and `<host>` in its patterns replaced by their addresses, and the gateway's ports by theirs."""
    known = {"http-port": [str(world.gateway.http_port)], "tls-port": [str(world.gateway.tls_port)]}
    if any("<gateway>" in getattr(logged, name) for name in _FIELDS):
        known["gateway"] = [pod.ip for pod in world.gateway_pods()]

    def values(match: re.Match[str]) -> str:
        address = world.external.hosts.get(match[1], "") if world.external else ""
        found = known.get(match[1], [address] if address else [])
        return f"(?:{'|'.join(map(re.escape, found))})" if found else r"[0-9a-f.:\[\]]+"

    texts: dict[str, Any] = {name: re.sub(r"<([\w.-]+)>", values, getattr(logged, name)) for name in _FIELDS}
    return replace(logged, **texts)


def _arrived(world: World, case: Case, arrival: ServerLogExpectation, sent: Sent) -> tuple[str, Verdict]:
    """What the external server logged of the requests."""
    if world.external is None:
        return "not looked at: the target has no external hosts of its own", Verdict.INCONCLUSIVE
    ids = {request.request_id for request in sent.requests}
    entries = world.external.arrived(ids)
    missing = ids - {entry.request_id for entry in entries}
    if missing or not ids:
        return f"{len(missing)} of {len(ids)} requests did not arrive", Verdict.FAIL
    gateway = arrival.peer is Proxy.GATEWAY
    pods = world.gateway_pods() if arrival.peer is Proxy.GATEWAY else world.pods(arrival.peer)
    peers = {pod.ip for pod in pods}
    for entry in entries:
        address = entry.peer.rpartition(":")[0]
        if address not in peers:
            who = "the gateway" if gateway else "the client"
            return f"a request came from {address}, which is not {who} ({', '.join(sorted(peers))})", Verdict.FAIL
        if entry.local.rpartition(":")[0] not in (home := world.external.addresses(case.probe.destination)):
            told = f"{entry.local}, which is not an address of {case.probe.destination} ({', '.join(home)})"
            return f"a request came to {told}", Verdict.FAIL
        seen = (entry.tls, entry.sni if arrival.sni else "", entry.client_cert)
        if seen != (arrival.tls, arrival.sni, arrival.client_cert):
            told = f"TLS: {entry.tls}, name {entry.sni or '-'}, client certificate: {entry.client_cert}"
            return f"a request came otherwise than stated ({told})", Verdict.FAIL
    last = entries[-1]
    how = f"over TLS for {last.sni}" if last.tls else "without TLS"
    return f"{len(entries)} requests arrived {how} from {last.peer} at {last.local}", Verdict.PASS
