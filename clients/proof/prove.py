"""The proof of a case or of a state: from the running stage to its evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from clients.mesh import sidecar
from clients.model.case import Case
from clients.model.counted import counted
from clients.model.errors import MeshproofError
from clients.model.evidence import BEFORE_CHANGE, Evidence, Finding, FindingVerdict, Subject, Verdict, judge
from clients.model.marker import MarkerState
from clients.model.stage import Observation
from clients.probe.converge import converge
from clients.probe.convergence import SLOW_SHARE, Convergence, ConvergencePolicy
from clients.proof import lost_api, replaced, too_few
from clients.proof.logs import changed_pods
from clients.proof.proving import BY_REQUESTS, ProblemOf, ProvingCase, ProvingState, inconclusive
from clients.proof.rig.rig import Rig
from clients.proof.stage.running_stage import RunningStage
from clients.proof.steps import proof_steps, trace
from clients.proof.waited import MARKER, converged, of_marker


def prove_case(
    running: RunningStage,
    case: Case,
    subject: Subject,
    confirmations: int | None = None,
    budget_s: float | None = None,
) -> Evidence:
    """Converge on the case's outcome, then run every proof step (`clients.proof.steps.proof_steps`).

    The stage must have taken the case's step. `confirmations` replaces the derived number where no change could have
    left stale answers, `budget_s` limits that of the run.

    Never raises for what the mesh or the cluster does: a missing proof is `inconclusive`, a contradicted one `fail`.
    """
    rig = running.rig
    try:
        case = _behind_its_proxies(rig, case)
    except MeshproofError as error:
        return not_tried(subject, error.message, worker=running.worker)
    evidence = _begun(running, case, replace(subject, expected=case.expect.text))
    if spoilt := _first_problem(rig, evidence, _earlier(running, case)):
        return spoilt
    try:
        needed = confirmations or rig.certainty.required_confirmations(case.probe)
    except MeshproofError as error:
        return replace(evidence, reason=error.message)
    marked = running.marked(case)
    evidence = replace(evidence, markers=marked, findings=evidence.findings + tuple(map(of_marker, marked)))
    since = running.changed_at if running.applied else time.monotonic()  # no change: from the case's own start
    unchanged = confirmations is not None
    seen = _converge(running, case, max(needed, case.repeat), since, unchanged=unchanged, limit_s=budget_s)
    evidence = converged(running, case, evidence, seen, _policy(rig.certainty.policy, case.holds_s, budget_s).budget_s)
    grown = partial(too_few.grown, rig, case.probe, None if confirmations else needed)
    if not seen.converged:
        return _not_converged(rig, case, evidence, seen, grown)
    proving = ProvingCase(running=running, case=case, seen=seen, since=since, twin_control=subject.twin_control)
    return _proven(proving, evidence, grown)


def _not_converged(rig: Rig, case: Case, evidence: Evidence, seen: Convergence, grown: Callable[[], str]) -> Evidence:
    """The evidence of a case whose outcome did not come, or did not stay."""
    verdict = Verdict.FAIL if seen.conclusive else Verdict.INCONCLUSIVE
    markers = evidence.markers
    missing = [f"{MARKER} at {one.place}: {one.text}" for one in markers if one.state is MarkerState.MISSING]
    reached = "" if seen.conclusive else too_few.reached(rig, case.probe, seen)
    reason = "; ".join(filter(None, (seen.problem, reached, *missing, grown())))
    evidence = replace(evidence, verdict=verdict, reason=reason)
    began = time.monotonic() - seen.duration_s
    return lost_api.excused(rig, began, replaced.excused(rig, [case.probe], seen.attempts, evidence))


def _proven(proving: ProvingCase, evidence: Evidence, grown: Callable[[], str]) -> Evidence:
    """The evidence of a case that has converged, judged by the findings of every proof step."""
    rig, case = proving.rig, proving.case
    found = proof_steps.findings(proving)
    evidence = replace(
        evidence,
        attempts=evidence.attempts + tuple(proving.attempts),
        twin=proving.twin,
        source_twin=proving.source_twin,
        leak=proving.leak,
        network_path=trace.network_path(proving),
    )
    if why := grown():
        found = [*found, inconclusive("replicas", why)]
    if case.refuses and proving.twin_passed and (changed := changed_pods.why(proving, case.probe)):
        found = [*found, inconclusive(replaced.PODS, changed)]
    judged = _judged(evidence, found)
    if {one.name for one in found if one.verdict is FindingVerdict.FAIL} <= BY_REQUESTS:
        judged = replaced.excused(rig, [case.probe, case.twin], proving.attempts, judged)
    return replace(judged, reason=f"{judged.reason}; {why}") if why and judged.verdict is Verdict.FAIL else judged


def prove_state(
    running: RunningStage | None,
    subject: Subject,
    problem_of: ProblemOf,
    *,
    budget_s: float,
    worker: str = "",
) -> Evidence:
    """Look at a state of the cluster until nothing is wrong, for at most `budget_s` seconds.

    Where the stage has not settled as stated, the state is not looked at, and the evidence has that as its reason.
    """
    evidence = Evidence.of(subject, Verdict.INCONCLUSIVE, worker=worker)
    if running and (spoilt := _first_problem(running.rig, evidence, _settled(running))):
        return spoilt
    proving = ProvingState(problem_of=problem_of, budget_s=budget_s)
    judged = _judged(evidence, proof_steps.findings(proving))
    passed = judged.verdict is Verdict.PASS
    return replace(
        judged,
        observed=proving.attempts[-1].summary,
        attempts=tuple(proving.attempts),
        time_to_first_s=proving.took_s if passed else None,
        time_to_stable_s=proving.took_s if passed else None,
        duration_s=proving.took_s,
        budget_s=budget_s,
        slow=passed and proving.took_s > SLOW_SHARE * budget_s,
    )


def concluded(evidence: Evidence, found: list[Finding]) -> Evidence:
    """The evidence with findings that were made after its proof, by which a pass is judged again.

    A case that did not pass gets one more reason. One that was inconclusive fails where a proxy is known not to hold
    what was applied: that may be why its change was not seen to arrive.
    """
    if evidence.verdict is Verdict.PASS:
        return _judged(evidence, found)
    found = [one.redacted() for one in found]
    wrong = [one for one in found if one.verdict in (FindingVerdict.FAIL, FindingVerdict.INCONCLUSIVE)]
    more = [f"{one.name}: {one.text}" for one in wrong]
    failed = evidence.verdict is Verdict.INCONCLUSIVE and any(one.verdict is FindingVerdict.FAIL for one in found)
    verdict = Verdict.FAIL if failed else evidence.verdict
    reason = "; ".join([evidence.reason, *more])
    return replace(evidence, verdict=verdict, findings=(*evidence.findings, *found), reason=reason)


def not_tried(subject: Subject, reason: str, *, worker: str = "", why: str = "") -> Evidence:
    """Evidence of a case that could not be tried, for instance because its stage failed: `inconclusive`.

    Args:
        why: which objects are the cause, where that is known.
    """
    observed = "nothing: the case was not tried"
    return Evidence.of(subject, Verdict.INCONCLUSIVE, reason, observed=observed, worker=worker, why=why)


def _behind_its_proxies(rig: Rig, case: Case) -> Case:
    """The case as it is pinned for the version of the proxies that the probe goes through first."""
    if not case.expect_of:
        return case
    return case.behind_proxies(sidecar.envoy_version(rig.cluster, pod) for pod in rig.workloads.pods(case.probe.source))


def _converge(
    running: RunningStage, case: Case, needed: int, since: float, *, unchanged: bool, limit_s: float | None
) -> Convergence:
    rig = running.rig
    policy = _policy(rig.certainty.policy, case.holds_s, limit_s)
    if unchanged and not case.holds_s:
        policy = replace(policy, window_s=0.0)  # nothing spreads, so there is nothing to wait for
    send = rig.prober.many(case.probe, case.control, parallel=case.expect.may_time_out)
    at_once = unchanged or case.expect.may_time_out
    return converge(send, case.expect, policy, needed=needed, since=since, unchanged=at_once)


def _policy(policy: ConvergencePolicy, holds_s: float, limit_s: float | None) -> ConvergencePolicy:
    """The run's policy, longer for an outcome that must hold for a while; that one is probed about a hundred times."""
    if holds_s > policy.window_s:
        poll_s = max(policy.poll_s, holds_s / 100)
        policy = replace(policy, window_s=holds_s, budget_s=policy.budget_s + holds_s, poll_s=poll_s)
    return replace(policy, budget_s=min(policy.budget_s, limit_s or policy.budget_s))


def _begun(running: RunningStage, case: Case, subject: Subject) -> Evidence:
    """The record before the first probe: the request, what was applied, what was seen before and while it settled."""
    earlier = _earlier(running, case)
    before = [seen for name, seen in earlier if name == BEFORE_CHANGE]
    before += [seen for seen in running.settled if seen.at < running.changed_at and seen.probe == case.probe]
    return replace(
        not_tried(subject, "", worker=running.worker),
        command=running.rig.prober.command_for(case.probe, case.control),
        attempts=tuple(attempt for seen in before for attempt in seen.before(running.changed_at)),
        budget_s=running.rig.certainty.policy.budget_s,
        applied=running.applied,
        findings=tuple(_finding(name, seen) for name, seen in earlier),
    )


def _earlier(running: RunningStage, case: Case) -> list[tuple[str, Observation]]:
    """What must have held before the case may be judged."""
    baseline = running.baselines.get(case.id)
    before = [(BEFORE_CHANGE, baseline)] if baseline else []
    return before + _settled(running)


def _settled(running: RunningStage) -> list[tuple[str, Observation]]:
    return [(f"settled {number}", seen) for number, seen in enumerate(running.settled, 1)]


def _finding(name: str, seen: Observation) -> Finding:
    verdict = FindingVerdict.PASS
    if seen.problem:
        verdict = FindingVerdict.FAIL if seen.conclusive else FindingVerdict.INCONCLUSIVE
    return Finding(name, seen.problem or f"{seen.expect.text}, {counted(len(seen.attempts), 'probe')}", verdict)


def _first_problem(rig: Rig, evidence: Evidence, earlier: Iterable[tuple[str, Observation]]) -> Evidence | None:
    """The evidence of a case whose first wrong observation decides; None where all were as stated."""
    excused: Evidence | None = None
    for name, seen in earlier:
        if seen.problem:
            verdict = Verdict.FAIL if seen.conclusive else Verdict.INCONCLUSIVE
            last = seen.attempts[-1].summary if seen.attempts else "nothing"
            spoilt = replace(evidence, verdict=verdict, reason=f"{name}: {seen.problem}", observed=last)
            found = lost_api.excused(rig, seen.at, replaced.excused(rig, [seen.probe], seen.attempts, spoilt))
            if found is spoilt:
                return spoilt  # also after one that is excused, which must not hide it
            excused = excused or found
    return excused


def _judged(evidence: Evidence, found: list[Finding]) -> Evidence:
    """The evidence with its verdict, which the worst of all its findings decides."""
    findings = evidence.findings + tuple(one.redacted() for one in found)
    verdict, grade, reason = judge(findings)
    return replace(evidence, verdict=verdict, grade=grade, reason=reason, findings=findings)
