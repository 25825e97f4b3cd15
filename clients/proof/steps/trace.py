"""Proof steps that read logs: what proxies and external servers logged about a case's requests."""

from __future__ import annotations

import time
from collections.abc import Sequence

from clients.kube.pods import SIDECAR, Pod, addresses_of
from clients.mesh.access_logs import logs
from clients.mesh.external_hosts import ExternalHosts
from clients.mesh.host_log import ArrivalEntry
from clients.model.addresses import host_of
from clients.model.attempt import Attempt, Phase
from clients.model.case import Case
from clients.model.counted import counted
from clients.model.decision import Proxy
from clients.model.errors import MeshproofError
from clients.model.evidence import Finding, FindingVerdict, LogPlace
from clients.model.expect import status
from clients.model.log_expectations import AccessLogExpectation, ServerLogExpectation
from clients.model.probe import Probe
from clients.probe.attempts import attempt_of
from clients.probe.outside import OutsideClient
from clients.proof.logs import changed_pods
from clients.proof.logs.log_entries import (
    LOG_BUDGET_S,
    LogReader,
    SentRequests,
    answered_tries,
    difference,
    fewest,
    filled,
    of_each,
)
from clients.proof.logs.route import last_row
from clients.proof.proving import ProvingCase, inconclusive, not_checked, of_case
from clients.proof.rig.rig import Rig

GATEWAY_LOG = f"{LogPlace.GATEWAY} log"
EXTERNAL_LOG = f"{LogPlace.SERVER}'s log"


@of_case
def logs_as_stated(proving: ProvingCase) -> list[Finding]:
    """One finding for each entry that a proxy must have logged of the case's requests."""
    findings = []
    for logged in proving.case.logged:
        name = GATEWAY_LOG if logged.proxy is Proxy.GATEWAY else f"{logged.proxy} sidecar log"
        try:
            sent = _sent(proving, marked_only=logged.proxy is Proxy.GATEWAY)
            finding = _logged(proving.rig, proving.case, name, logged, sent)
        except MeshproofError as error:
            finding = inconclusive(name, error.message)
        if logged.proxy is Proxy.GATEWAY and not logged.absent and finding.verdict is FindingVerdict.PASS:
            proving.places.add(LogPlace.GATEWAY)
        findings.append(finding)
    return findings


@of_case
def server_saw(proving: ProvingCase) -> list[Finding]:
    """What the external server itself logged of the case's requests: the client, TLS or not, the name."""
    arrival, rig = proving.case.arrival, proving.rig
    if arrival is None:
        return []
    if rig.external is None or rig.external.log is None:
        return [not_checked(EXTERNAL_LOG, "the external hosts' own log is not available on this target")]
    try:
        gone = changed_pods.left(proving, proving.case.probe)
        finding = _arrived(rig, proving.case, arrival, _sent(proving, marked_only=True), gone)
    except MeshproofError as error:
        return [inconclusive(EXTERNAL_LOG, error.message)]
    if finding.verdict is FindingVerdict.PASS:
        proving.places |= {LogPlace.SERVER} | ({LogPlace.GATEWAY} if arrival.peer is Proxy.GATEWAY else set())
    return [finding]


def network_path(proving: ProvingCase) -> tuple[str, ...]:
    """Where the logs saw the case's requests (`Evidence.network_path`); empty where no log shows it."""
    rig, case = proving.rig, proving.case
    if rig.external is None or not rig.external.knows(case.probe.destination):
        return ()
    by_gateway = LogPlace.GATEWAY in proving.places
    if not case.refuses and not proving.places:
        return ()  # answered, but no log shows on what path
    if case.refuses and not by_gateway and not _refused_before_gateway(rig, case):
        return ()  # refused, and no log shows where
    source = f"{case.probe.source.namespace}/{case.probe.source.app}"
    places = [source, *([LogPlace.GATEWAY.value] if by_gateway else [])]
    return (*places, *([] if case.refuses else [case.probe.destination]))


def proxies(rig: Rig, probe: Probe, proxy: Proxy) -> list[Pod]:
    """Pods of the client, of the server or of the gateway."""
    if proxy is Proxy.CLIENT:
        return rig.workloads.pods(probe.source)
    return rig.workloads.gateway_pods() if proxy is Proxy.GATEWAY else rig.workloads.backends(probe)


def _sent(proving: ProvingCase, *, marked_only: bool) -> SentRequests:
    """All requests of the last row of matches, sent before the twin, so that the twin's entries come later.

    A gateway gives requests ids of its own. It leaves the user agent, by which only marked requests are found.
    """
    marked_only = marked_only or isinstance(proving.case.probe.source, OutsideClient)
    twins = (one for one in proving.attempts if one.phase is Phase.TWIN and one.matched)
    marks = tuple(one for one in twins if not (marked_only and one.ordinary))
    requests = tuple(one for one in last_row(proving) if not (marked_only and one.ordinary))
    return SentRequests(requests, marks, proving.running.since)


def _refused_before_gateway(rig: Rig, case: Case) -> bool:
    """Whether a refusal that the gateway's log does not show is known to have come before the gateway."""
    if any(logged.proxy is Proxy.CLIENT or logged.absent for logged in case.logged):
        return True
    return not any(pod.injected for pod in rig.workloads.pods(case.probe.source))  # nothing leads it to the gateway


def _logged(rig: Rig, case: Case, name: str, logged: AccessLogExpectation, sent: SentRequests) -> Finding:
    pods = proxies(rig, case.probe, logged.proxy)
    if not pods or not all(pod.injected for pod in pods):
        return inconclusive(name, f"no proxy at the {logged.proxy}")
    if not rig.writes_access_log:
        return not_checked(name, "the mesh writes no access log")
    reader = LogReader(rig, sent.since)
    if logged.absent:
        return _absence(rig, reader, pods, case, name, logged, sent)
    wanted = fewest(logged, sent.requests)
    if not wanted:
        return inconclusive(name, "no request saw the expected outcome")
    entries = reader.until(pods, case.probe, logged, sent.requests, wanted)
    if not entries:
        return inconclusive(name, f"no entry of the requests within {LOG_BUDGET_S:g} s")
    stated, entries = filled(rig, logged), answered_tries(entries, logged, sent.requests)
    for entry in entries:
        if wrong := difference(rig, stated, entry):
            return Finding(name, f"an entry {wrong}: {entry.raw[:400]}", FindingVerdict.FAIL)
    entries = of_each(entries, logged, sent.requests)
    if len(entries) < wanted:
        return inconclusive(name, f"{len(entries)} of {len(sent.requests)} requests have an entry")
    text = f"{counted(len(entries), 'entry', 'entries')} as stated, the last: {entries[-1].raw.strip()[:400]}"
    return Finding(name, text, FindingVerdict.PASS)


def _absence(
    rig: Rig,
    reader: LogReader,
    pods: list[Pod],
    case: Case,
    name: str,
    logged: AccessLogExpectation,
    sent: SentRequests,
) -> Finding:
    """No entry of the requests in logs each of which shows a later one of the twin."""
    if case.twin is None or not sent.marks:
        return inconclusive(name, "no later request of a twin shows how far the log goes")
    if behind := _behind(rig, reader, pods, case, logged, sent.marks):
        where = ", ".join(map(str, behind))
        return inconclusive(name, f"no request of the twin appeared at {where} within {LOG_BUDGET_S:g} s")
    if logged.tcp and not reader.knows_connections(case.probe, logged, sent.requests):
        return inconclusive(name, "the client's own log does not have the connections that are looked for")
    if found := reader.read(pods, case.probe, logged, sent.requests):
        text = f"{counted(len(found), 'entry', 'entries')} of requests that must not be there: {found[0].raw[:400]}"
        return Finding(name, text, FindingVerdict.FAIL)
    text = f"no entry of {counted(len(sent.requests), 'request')}, a later one of the twin is there"
    return Finding(name, text, FindingVerdict.PASS)


def _behind(
    rig: Rig, reader: LogReader, pods: list[Pod], case: Case, logged: AccessLogExpectation, marks: tuple[Attempt, ...]
) -> list[Pod]:
    """Pods whose logs show no request of the twin. Of several, one may have got none: the twin is sent to them again.

    One log says nothing about another: each proxy writes its own at its own pace.
    """
    twin, expect = case.twin, case.twin_expect or status(200)
    assert twin is not None
    known, asked = list(marks), time.monotonic()

    def look() -> list[Pod]:
        nonlocal asked
        if len(pods) > 1 and time.monotonic() >= asked + logs.AGAIN_S:
            again, asked = rig.prober.probe(twin, case.control, len(pods)), time.monotonic()
            known.extend(attempt_of(one, expect, 0.0) for one in again)
        return [pod for pod in pods if not reader.read([pod], twin, logged, known)]

    sources = [logs.LogSource(pod, SIDECAR) for pod in pods]
    return logs.wait_for(rig.logs, look, lambda left: not left, sources, LOG_BUDGET_S, pause_s=logs.AGAIN_S)


def _arrived(
    rig: Rig, case: Case, arrival: ServerLogExpectation, sent: SentRequests, gone: Sequence[Pod] = ()
) -> Finding:
    """What the external server logged of the requests; those of the gateway may have come by pods that are gone."""
    assert rig.external is not None
    ids = {request.request_id for request in sent.requests}
    if not ids:
        return inconclusive(EXTERNAL_LOG, "none of the requests can be found in a log")
    entries = rig.external.arrived(ids)
    missing = ids - {entry.request_id for entry in entries}
    if missing:
        return Finding(EXTERNAL_LOG, f"{len(missing)} of {len(ids)} requests did not arrive", FindingVerdict.FAIL)
    for entry in entries:
        if problem := _wrong_client(rig, arrival, entry, gone) or _wrong_server(
            rig.external, case, entry, arrival.server
        ):
            return Finding(EXTERNAL_LOG, problem, FindingVerdict.FAIL)
        if problem := _otherwise(arrival, entry):
            return Finding(EXTERNAL_LOG, problem, FindingVerdict.FAIL)
    last = entries[-1]
    how = f"over TLS for {last.sni}" if last.tls else "without TLS"
    text = f"{counted(len(entries), 'request')} arrived {how} from {last.peer} at {last.local}"
    return Finding(EXTERNAL_LOG, text, FindingVerdict.PASS)


def _wrong_client(rig: Rig, arrival: ServerLogExpectation, entry: ArrivalEntry, gone: Sequence[Pod]) -> str:
    """Why the connection is not that of the stated pods; empty where it is."""
    if arrival.peer is Proxy.GATEWAY:
        expected, pods = "the gateway", [*rig.workloads.gateway_pods(), *gone]
    else:
        expected, pods = "the client", rig.workloads.pods(arrival.peer)
    peers, address = addresses_of(pods), host_of(entry.peer)
    if address in peers:
        return ""
    return f"a request came from {address}, which is not {expected} ({', '.join(sorted(peers))})"


def _wrong_server(external: ExternalHosts, case: Case, entry: ArrivalEntry, server: str = "") -> str:
    """Why the request came to an address that its host, or the pinned server, does not have; empty where it did not."""
    host = server or case.probe.destination
    own = external.addresses(host)
    if host_of(entry.local) in own:
        return ""
    return f"a request came to {entry.local}, which is not an address of {host} ({', '.join(own)})"


def _otherwise(arrival: ServerLogExpectation, entry: ArrivalEntry) -> str:
    """How the connection differs from what is stated: TLS, the name in its hello, a client certificate."""
    seen = (entry.tls, entry.sni if arrival.sni else "", entry.client_cert)
    if seen == (arrival.tls, arrival.sni, arrival.client_cert):
        return ""
    detail = f"TLS: {entry.tls}, name {entry.sni or '-'}, client certificate: {entry.client_cert}"
    return f"a request did not come as stated ({detail})"
