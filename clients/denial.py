"""The proof of a denial: that the refused thing was refused by the mesh, and not for want of a path or a server.

Four things (DESIGN, invariant 1): the pinned outcome, which has converged when this module is asked; the allowed twin
through the same path in the same state; the request ids absent at the backend; and an exec that is known to have run.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from clients import logs
from clients.case import Case, Logged, Probe, Proxy
from clients.converge import Convergence, converge
from clients.errors import MeshproofError
from clients.evidence import Attempt, Phase, TwinProof, Verdict
from clients.expect import Expectation, status
from clients.outcome import Outcome, OutcomeKind
from clients.pods import Pod
from clients.stage import BASELINE_CONFIRMATIONS, RunningStage
from clients.world import World

LOG_BUDGET_S = 15.0
"""Longest wait for a log entry. Envoy flushes its access log every second (Istio's default), the kubelet at once."""
_OK = 400
_AFTER = 2
"""Refused probes sent again after the twin, so that the twin's answer lies between two refusals."""


@dataclass(frozen=True)
class Finding:
    """One part of a proof. `pass` supports the outcome, `fail` contradicts it, `inconclusive` is missing."""

    name: str
    text: str
    verdict: Verdict


@dataclass(frozen=True)
class Proof:
    """All that was found; empty where the case is no denial. `attempts` are those of the twin and after it."""

    findings: tuple[Finding, ...] = ()
    twin: TwinProof | None = None
    attempts: tuple[Attempt, ...] = ()


def refuses(expect: Expectation) -> bool:
    """Whether the outcome means that the request must not reach the backend."""
    return expect.status is None or expect.status >= _OK


def may_time_out(expect: Expectation) -> bool:
    """Whether the probes had better be sent side by side, as each may take its whole time."""
    return OutcomeKind.TIMEOUT in expect.kinds


def prove(running: RunningStage, case: Case, seen: Convergence, twin_control: str, since: float) -> Proof:
    """The proof beside the converged outcome. Never raises for what the mesh or the cluster does.

    Args:
        running: the stage in whose state the case is.
        case: the case.
        seen: how its outcome converged.
        twin_control: control id of the twin, for the record.
        since: monotonic time that the times of attempts count from.
    """
    if case.twin is None:
        if not refuses(case.expect):
            return Proof()
        return Proof((Finding("twin", "the suite names no twin for this refusal", Verdict.INCONCLUSIVE),))
    twin, passed = _twin(running, case, twin_control, since)
    findings = [_ran(seen, case), _twin_finding(twin)]
    if twin.verdict is not Verdict.PASS or not refuses(case.expect):
        return Proof(tuple(findings), twin, passed)
    after = _after(running, case, since)
    findings += [finding for finding in (_still(after),) if finding]
    denied = {attempt.request_id for attempt in (*seen.attempts, *after) if attempt.matched}
    try:
        findings += _log_findings(running, case, denied)
    except MeshproofError as error:
        findings.append(Finding("backend log", error.message, Verdict.INCONCLUSIVE))
    return Proof(tuple(findings), twin, (*passed, *after))


def _ran(seen: Convergence, case: Case) -> Finding:
    """The outcome carries curl's own exit code, so curl ran in the client; without one it would be infrastructure."""
    matched = sum(attempt.matched for attempt in seen.attempts)
    code = seen.last.exit_code if seen.last else None
    where = f"{case.probe.source.namespace}/{case.probe.source.app}"
    return Finding("exec", f"curl ran {matched} times in {where}, last exit code {code}", Verdict.PASS)


def _twin(running: RunningStage, case: Case, control: str, since: float) -> tuple[TwinProof, tuple[Attempt, ...]]:
    assert case.twin is not None
    world, expect = running.world, case.twin_expect or status(200)
    seen = converge(
        world.many(case.twin, control or case.control),
        expect,
        replace(world.patience, window_s=0.0),  # the twin shows that the path is open, not that a change has spread
        needed=BASELINE_CONFIRMATIONS,
        since=since,
    )
    verdict = Verdict.PASS if seen.converged else Verdict.FAIL if seen.conclusive else Verdict.INCONCLUSIVE
    observed = seen.last.summary if seen.last else "nothing"
    attempts = tuple(replace(attempt, phase=Phase.TWIN) for attempt in seen.attempts)
    last_id = attempts[-1].request_id if attempts else ""
    return TwinProof(control, verdict, expect.text, observed, last_id), attempts


def _twin_finding(twin: TwinProof) -> Finding:
    text = f"{twin.control or 'twin'} expected {twin.expected}, saw {twin.observed}"
    return Finding("twin", text, twin.verdict)


def _after(running: RunningStage, case: Case, since: float) -> list[Attempt]:
    outcomes = running.world.many(case.probe, case.control, parallel=may_time_out(case.expect))(_AFTER)
    at_s = time.monotonic() - since
    return [_attempt(outcome, case.expect, at_s) for outcome in outcomes]


def _attempt(outcome: Outcome, expect: Expectation, at_s: float) -> Attempt:
    infrastructure = outcome.kind is OutcomeKind.INFRASTRUCTURE
    problem = outcome.summary if infrastructure else expect.problem(outcome) or ""
    return Attempt(at_s, Phase.CONFIRM, not problem, outcome.summary, outcome.request_id, problem)


def _still(after: list[Attempt]) -> Finding | None:
    wrong = [attempt for attempt in after if not attempt.matched]
    if not wrong:
        return None
    lost = wrong[0].summary.startswith(OutcomeKind.INFRASTRUCTURE)
    verdict = Verdict.INCONCLUSIVE if lost else Verdict.FAIL
    return Finding("after the twin", wrong[0].problem, verdict)


def _log_findings(running: RunningStage, case: Case, denied: set[str]) -> list[Finding]:
    findings = [_absent(running, case, denied)]
    if case.logged is not None:
        findings.append(_entry(running, case.probe, case.logged, denied))
    return findings


def _absent(running: RunningStage, case: Case, denied: set[str]) -> Finding:
    """No refused id reached a replica, each of whose logs already shows a later request of the twin's."""
    assert case.twin is not None
    world, twin = running.world, case.twin
    backends = world.backends(case.probe)
    name = "backend log"
    if not backends:
        return Finding(name, "no ready pod stands behind the destination", Verdict.PASS)
    if {pod.name for pod in world.backends(twin)} != {pod.name for pod in backends}:
        text = "the twin goes to another backend, so it is not known up to where this log is complete"
        return Finding(name, text, Verdict.INCONCLUSIVE)

    def passing() -> Iterable[str]:
        """Requests of the twin, as many as may come to every replica."""
        return [outcome.request_id for outcome in world.probe(twin, case.control, len(backends))]

    read = logs.read_up_to(world.cluster, backends, passing, since_s=running.since_s, budget_s=LOG_BUDGET_S)
    if read.missing:
        where = ", ".join(read.missing)
        return Finding(name, f"the twin's requests did not appear in {where}", Verdict.INCONCLUSIVE)
    arrived = sorted(read.reached(denied))
    if arrived:
        text = f"{len(arrived)} of {len(denied)} refused requests reached the backend, the first: {arrived[0]}"
        return Finding(name, text, Verdict.FAIL)
    text = f"{len(denied)} refused request ids absent, the twin's present, in {', '.join(read.places)}"
    return Finding(name, text, Verdict.PASS)


def _entry(running: RunningStage, probe: Probe, logged: Logged, denied: set[str]) -> Finding:
    """The sidecar logged a refused request as the case says."""
    world = running.world
    client = logged.proxy is Proxy.CLIENT
    pods = world.pods(probe.source) if client else world.backends(probe)
    name = f"{logged.proxy} sidecar log"
    if not all(pod.injected for pod in pods) or not pods:
        return Finding(name, f"no sidecar at the {logged.proxy}", Verdict.INCONCLUSIVE)
    if "access-log" not in world.cluster.mesh.capabilities:
        return Finding(name, "not looked at: the mesh writes no access log", Verdict.PASS)
    return _entry_finding(world, pods, name, logged, denied, running)


def _entry_finding(
    world: World, pods: list[Pod], name: str, logged: Logged, denied: set[str], running: RunningStage
) -> Finding:
    entries = logs.entries_of(world.cluster, pods, denied, since_s=running.since_s, budget_s=LOG_BUDGET_S)
    if not entries:
        return Finding(name, f"no entry of a refused request within {LOG_BUDGET_S:g} s", Verdict.INCONCLUSIVE)
    for entry in entries:
        flags = set(entry.flags.split(","))
        if (logged.flags and not flags & logged.flags) or logged.details not in entry.details:
            text = f"an entry says flags {entry.flags or '-'}, details {entry.details or '-'}"
            return Finding(name, text, Verdict.FAIL)
    first = entries[0]
    text = f"{len(entries)} entries: flags {first.flags or '-'}, details {first.details or '-'}"
    return Finding(name, text, Verdict.PASS)
