"""A case, proven or not: from the running stage to its evidence."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from clients.mesh import sidecar
from clients.model.case import Case
from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence, Finding, Phase, Verdict
from clients.model.stage import Observation
from clients.probe.converge import Convergence, ConvergencePolicy, converge
from clients.proof import denial, trace
from clients.proof.denial import Proof
from clients.proof.running_stage import RunningStage
from clients.proof.world import World


@dataclass(frozen=True)
class Facts:
    """What the catalogue and the runner know of a case; goes into the evidence as it is.

    Attributes:
        polarity: `allow`, `deny` or `state`.
        twin: control id of the twin.
        variant_of_target: `hermetic` where a substitute proves the control.
    """

    title: str = ""
    polarity: str = ""
    twin: str = ""
    suite: str = ""
    worker: str = ""
    variant_of_target: str = ""


def prove(running: RunningStage, case: Case, facts: Facts = Facts(), confirmations: int | None = None) -> Evidence:
    """Converge on the case's outcome; a refusal is proven by four things besides (DESIGN, invariant 1).

    `confirmations` replaces the derived number where no change could have left stale answers.

    Never raises for what the mesh or the cluster does: a missing proof is `inconclusive`, a contradicted one `fail`.
    """
    try:
        running.reach(case.step)
        case = _of_its_proxies(running.world, case)
    except MeshproofError as error:
        return unproven(case, facts, error.message, stage=running.stage.name)
    evidence = _described(running, case, facts)
    if spoilt := _otherwise(evidence, _earlier(running, case)):
        return spoilt
    try:
        needed = confirmations or running.world.required_confirmations(case.probe)
    except MeshproofError as error:
        return replace(evidence, reason=error.message)
    world = running.world
    send = world.many(case.probe, case.control, parallel=case.expect.may_time_out)
    since = running.changed_at if running.applied else time.monotonic()  # no change: from the case's own start
    policy = _patience(world.policy, case.holds_s)
    if confirmations is not None and not case.holds_s:
        policy = replace(policy, window_s=0.0)  # nothing spreads, so there is nothing to wait out
    at_once = confirmations is not None or case.expect.may_time_out
    result = converge(send, case.expect, policy, needed=max(needed, case.repeat), since=since, unchanged=at_once)
    evidence = _converged(evidence, result, _seen_settling(running, case))
    if not result.converged:
        verdict = Verdict.FAIL if result.conclusive else Verdict.INCONCLUSIVE
        return replace(evidence, verdict=verdict, reason=result.problem)
    proof = denial.prove(running, case, result, facts.twin, since)
    proof = replace(proof, findings=(*proof.findings, *_traced(running, case, result, proof)))
    network_path = trace.network_path(world, case, denial.refuses(case), proof.findings)
    return _judged(replace(evidence, network_path=network_path), proof)


def _of_its_proxies(world: World, case: Case) -> Case:
    """The case as it is pinned for the version of the proxies that the probe goes through first."""
    if not case.expect_of:
        return case
    return case.behind_proxies(sidecar.envoy_version(world.cluster, pod) for pod in world.pods(case.probe.source))


def _traced(running: RunningStage, case: Case, seen: Convergence, proof: Proof) -> list[Finding]:
    """What proxies and the external server logged, where the case says what."""
    if not case.logged and case.arrival is None:
        return []
    marks = tuple(attempt for attempt in proof.attempts if attempt.phase is Phase.TWIN and attempt.matched)
    requests = trace.sample(seen.attempts, case.repeat)  # sent before the twin, so that its entries come later
    return trace.follow(running.world, case, trace.Sent(requests, marks, running.since_s))


def _patience(policy: ConvergencePolicy, holds_s: float) -> ConvergencePolicy:
    """The run's patience, longer for an outcome that must hold for a while; it is then looked at a hundred times."""
    if holds_s <= policy.window_s:
        return policy
    poll_s = max(policy.poll_s, holds_s / 100)
    return replace(policy, window_s=holds_s, budget_s=policy.budget_s + holds_s, poll_s=poll_s)


def unproven(case: Case, facts: Facts, why: str, *, stage: str = "") -> Evidence:
    """Evidence of a case that could not be tried, for instance as its stage could not be made: `inconclusive`."""
    return Evidence(
        control=case.control,
        id=case.id,
        title=facts.title,
        polarity=facts.polarity,
        verdict=Verdict.INCONCLUSIVE,
        reason=why,
        expected=case.expect.text,
        observed="nothing: the case was not tried",
        suite=facts.suite,
        stage=stage,
        source=f"{case.probe.source.namespace}/{case.probe.source.app}",
        destination=case.probe.destination,
        worker=facts.worker,
        variant_of_target=facts.variant_of_target,
    )


def _described(running: RunningStage, case: Case, facts: Facts) -> Evidence:
    baseline = running.baselines.get(case.id)
    before = [baseline] if baseline else []
    before += [seen for seen in running.settled if seen.at < running.changed_at and seen.probe == case.probe]
    return replace(
        unproven(case, facts, "", stage=running.stage.name),
        command=running.world.command_for(case.probe, case.control),
        attempts=tuple(attempt for seen in before for attempt in seen.before(running.changed_at)),
        budget_s=running.world.policy.budget_s,
        applied=running.applied,
        proof={name: _told(seen) for name, seen in _earlier(running, case)},
    )


def unsettled(running: RunningStage, evidence: Evidence) -> Evidence | None:
    """The evidence of whatever was to be seen in a stage whose change has not come as stated; None where it has."""
    return _otherwise(evidence, _settled(running))


def _earlier(running: RunningStage, case: Case) -> list[tuple[str, Observation]]:
    """What must have held before the case may be judged."""
    baseline = running.baselines.get(case.id)
    before = [("before the change", baseline)] if baseline else []
    return before + _settled(running)


def _settled(running: RunningStage) -> list[tuple[str, Observation]]:
    return [(f"settled {number}", seen) for number, seen in enumerate(running.settled, 1)]


def _otherwise(evidence: Evidence, earlier: list[tuple[str, Observation]]) -> Evidence | None:
    """Fails by the first of the observations that was not as stated."""
    for name, seen in earlier:
        if seen.problem:
            verdict = Verdict.FAIL if seen.conclusive else Verdict.INCONCLUSIVE
            return replace(evidence, verdict=verdict, reason=f"{name}: {seen.problem}", observed=_last(seen))
    return None


def _told(seen: Observation) -> str:
    return seen.problem or f"{seen.expected}, {len(seen.attempts)} probe(s)"


def _last(seen: Observation) -> str:
    return seen.attempts[-1].summary if seen.attempts else "nothing"


def _seen_settling(running: RunningStage, case: Case) -> Observation | None:
    """The same request with the same expectation, seen while the stage settled: the case's first attempts."""
    settling = (seen for seen in running.settled if seen.at == running.changed_at)
    same = (seen for seen in settling if (seen.probe, seen.expected) == (case.probe, case.expect.text))
    return next(same, None)


def _converged(evidence: Evidence, seen: Convergence, settling: Observation | None) -> Evidence:
    first_s, stable_s = seen.time_to_first_s, seen.time_to_stable_s
    if settling is not None and seen.converged and not seen.flaps:
        first_s, stable_s = settling.first_s, settling.stable_s
    return replace(
        evidence,
        observed=seen.last.summary if seen.last else "nothing",
        attempts=evidence.attempts + (settling.attempts if settling else ()) + seen.attempts,
        samples=seen.samples,
        flaps=seen.flaps + (settling.flaps if settling else 0),
        confirmations=seen.confirmations,
        time_to_first_s=first_s,
        time_to_stable_s=stable_s,
        duration_s=seen.duration_s,
        slow=seen.slow,
    )


def _judged(evidence: Evidence, proof: Proof) -> Evidence:
    """The verdict of a converged case: the worst of its findings."""
    found: dict[str, str] = {}
    for finding in proof.findings:
        found[f"{finding.name}, again" if finding.name in found else finding.name] = finding.text
    verdict = Verdict.PASS
    for wanted in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        worst = [finding for finding in proof.findings if finding.verdict is wanted]
        if worst:
            verdict = wanted
            break
    return replace(
        evidence,
        verdict=verdict,
        reason=_reason(proof.findings, verdict),
        attempts=evidence.attempts + proof.attempts,
        twin=proof.twin,
        proof=evidence.proof | found,
    )


def _reason(findings: tuple[Finding, ...], verdict: Verdict) -> str:
    if verdict is Verdict.PASS:
        return ""
    return "; ".join(f"{finding.name}: {finding.text}" for finding in findings if finding.verdict is verdict)
