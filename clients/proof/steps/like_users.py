"""Requests like a user's that come from outside: what the gateway made of each is known by its connection.

A gateway gives them ids of its own, and they have no other mark than the client's end of their connection. So a gateway
that treats users otherwise than the harness, and answers them as it does the harness, would pass: one that answers
itself, or one that sends on what it refuses. Where the client's end is translated on the way, or another connection had
the same, nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clients.kube.pods import SIDECAR
from clients.mesh.access_logs import accesslog, logs
from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.mesh.access_logs.logs import LogSource
from clients.model.addresses import host_of
from clients.model.attempt import Attempt, Phase
from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence, Finding, FindingVerdict
from clients.probe.outside import OutsideClient
from clients.proof.logs import mechanism
from clients.proof.logs.log_entries import LOG_BUDGET_S
from clients.proof.logs.route import Route, route, row_at_end, traceable
from clients.proof.stage.running_stage import RunningStage
from clients.proof.steps.sent_elsewhere import by_server, senders_and_servers

USERS = "users' connections"
_EARLIER_S = 1.0
"""Seconds before a case's first request from which on entries of its connections may have come."""

IsWrong = Callable[[AccessLogEntry], bool]


def findings(running: RunningStage, case: Case, evidence: Evidence) -> list[Finding]:
    """What shows that a gateway treats users otherwise, of a case that passed; empty where nothing does."""
    if not (isinstance(case.probe.source, OutsideClient) and running.rig.writes_access_log):
        return []
    try:
        path = route(running.rig, case.probe)
        own = [one for one in evidence.attempts if one.phase not in (Phase.TWIN, Phase.BASELINE)]
        is_wrong = _sent_on(running, path, own) if case.refuses else _not_to_the_server(running, case, path, evidence)
        ordinary = [one for one in row_at_end(own) if one.ordinary and one.local]
        wrong = _wrong(running, path, ordinary, own, is_wrong) if is_wrong and ordinary else []
    except MeshproofError:
        return []  # the other proofs stay as they are
    if not wrong:
        return []
    made = "were sent on, and refused" if case.refuses else "were not sent to the server, and answered"
    text = f"{len(wrong)} of {len(ordinary)} requests like a user's {made}: {mechanism.seen(wrong[-1])}"
    return [Finding(USERS, text, FindingVerdict.FAIL)]


def _sent_on(running: RunningStage, path: Route, own: Sequence[Attempt]) -> IsWrong | None:
    """Whether a refused request was sent on; None where the harness's own were, or are not in the gateway's log."""
    ids = {one.request_id for one in traceable(row_at_end(own), by_id=False)}
    logs_of = [running.rig.logs.of(LogSource(pod, SIDECAR), running.since) for pod in path.proxies(Proxy.CLIENT)]
    entries = [entry for log in logs_of for entry in log.of_requests(ids)]
    return accesslog.forwarded if entries and not any(map(accesslog.forwarded, entries)) else None


def _not_to_the_server(running: RunningStage, case: Case, path: Route, evidence: Evidence) -> IsWrong | None:
    """Whether an allowed request went elsewhere, or nowhere; None where the server is not known to have had them."""
    if not by_server(evidence):
        return None
    _, known = senders_and_servers(running, case, path)
    return (lambda entry: host_of(entry.upstream_host) not in known) if known else None


def _wrong(
    running: RunningStage, path: Route, ordinary: Sequence[Attempt], own: Sequence[Attempt], is_wrong: IsWrong
) -> list[AccessLogEntry]:
    """The wrong entries, once no entry can be late any more: another connection may have had the same client's end."""
    began = running.changed_at if running.applied else running.since
    since = max(running.since, began + min(one.at_s for one in own) - _EARLIER_S)
    sources = [LogSource(pod, SIDECAR) for pod in path.proxies(Proxy.CLIENT)]

    def look() -> list[AccessLogEntry]:
        logs_of = [running.rig.logs.of(source, running.since) for source in sources]
        found = ([entry for log in logs_of for entry in log.of_clients({one.local}, since)] for one in ordinary)
        return [entries[0] for entries in found if len(entries) == 1 and is_wrong(entries[0])]

    return logs.wait_for(running.rig.logs, look, lambda wrong: not wrong, sources, LOG_BUDGET_S)
