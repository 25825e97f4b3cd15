"""The proof of a denial: that the refused thing was refused by the mesh, and not for want of a path or a server.

Four things (DESIGN, invariant 1): the pinned outcome, which has converged when this module is asked; the allowed twin
through the same path in the same state; the request ids absent at the backend; and an exec that is known to have run.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from clients.kube.pods import Pod
from clients.mesh import logs
from clients.mesh.external_hosts import ExternalHosts
from clients.model.case import Case, Probe
from clients.model.errors import MeshproofError
from clients.model.evidence import Attempt, Finding, Phase, TwinProof, Verdict
from clients.model.expect import Expectation, status
from clients.model.outcome import Outcome, OutcomeKind
from clients.model.redact import redact
from clients.probe.converge import Convergence, converge
from clients.probe.outside import OutsideClient
from clients.proof.running_stage import BASELINE_CONFIRMATIONS, RunningStage
from clients.proof.trace import EXTERNAL_LOG, LOG_BUDGET_S
from clients.proof.world import World

_AFTER = 2
"""Refused probes sent again after the twin, so that the twin's answer lies between two refusals."""


@dataclass(frozen=True)
class Proof:
    """All that was found; empty where the case is no denial. `attempts` are those of the twin and after it."""

    findings: tuple[Finding, ...] = ()
    twin: TwinProof | None = None
    attempts: tuple[Attempt, ...] = ()


def refuses(case: Case) -> bool:
    """Whether the outcome means that the request must not reach the backend; a server may well answer 418 itself."""
    return case.arrival is None and case.expect.refuses


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
        if not refuses(case):
            return Proof()
        return Proof((Finding("twin", "the suite names no twin for this refusal", Verdict.INCONCLUSIVE),))
    twin, passed = _twin(running, case, twin_control, since)
    findings = [_ran(seen, case), _twin_finding(twin)]
    if twin.verdict is not Verdict.PASS or not refuses(case):
        return Proof(tuple(findings), twin, passed)
    after = _after(running, case, since)
    findings += [finding for finding in (_still(after),) if finding]
    denied = {attempt.request_id for attempt in (*seen.attempts, *after) if attempt.matched}
    try:
        findings.append(_absent(running, case, denied))
    except MeshproofError as error:
        findings.append(Finding("backend log", error.message, Verdict.INCONCLUSIVE))
    return Proof(tuple(findings), twin, (*passed, *after))


def _ran(seen: Convergence, case: Case) -> Finding:
    """The outcome carries curl's own exit code, so curl ran in the client; without one it would be infrastructure."""
    matched = sum(attempt.matched for attempt in seen.attempts)
    code = seen.last.exit_code if seen.last else None
    where = f"{case.probe.source.namespace}/{case.probe.source.app}"
    if isinstance(case.probe.source, OutsideClient):
        return Finding(
            "outside client", f"{matched} requests from outside the cluster, last exit code {code}", Verdict.PASS
        )
    return Finding("exec", f"curl ran {matched} times in {where}, last exit code {code}", Verdict.PASS)


def _twin(running: RunningStage, case: Case, control: str, since: float) -> tuple[TwinProof, tuple[Attempt, ...]]:
    assert case.twin is not None
    world, expect = running.world, case.twin_expect or status(200)
    seen = converge(
        world.many(case.twin, control or case.control),
        expect,
        replace(world.policy, window_s=0.0),  # the twin shows that the path is open, not that a change has spread
        needed=BASELINE_CONFIRMATIONS,
        since=since,
        unchanged=True,
    )
    verdict = Verdict.PASS if seen.converged else Verdict.FAIL if seen.conclusive else Verdict.INCONCLUSIVE
    observed = seen.last.summary if seen.last else "nothing"
    attempts = tuple(replace(attempt, phase=Phase.TWIN) for attempt in seen.attempts)
    last_id = attempts[-1].request_id if attempts else ""
    return TwinProof(control, verdict, expect.text, observed, last_id, sent(case.twin)), attempts


def sent(probe: Probe) -> str:
    """A request in words: `GET http://shop.example/ from outside/client by istio-ingressgateway, x-route: external`."""
    words = f"{probe.method} {probe.url} from {probe.source.namespace}/{probe.source.app}"
    if isinstance(probe.source, OutsideClient):
        words += f" by {probe.source.service or probe.source.gateway.app}"
    more = [f"{name}: {value}" for name, value in probe.headers]
    more += [f"token {probe.token}"] if probe.token else []
    return redact(", ".join([words, *more]))


def _twin_finding(twin: TwinProof) -> Finding:
    text = f"{twin.control or 'twin'} expected {twin.expected}, saw {twin.observed}"
    return Finding("twin", text, twin.verdict)


def _after(running: RunningStage, case: Case, since: float) -> list[Attempt]:
    outcomes = running.world.many(case.probe, case.control, parallel=case.expect.may_time_out)(_AFTER)
    at_s = time.monotonic() - since
    return [_attempt(outcome, case.expect, at_s) for outcome in outcomes]


def _attempt(outcome: Outcome, expect: Expectation, at_s: float) -> Attempt:
    infrastructure = outcome.kind is OutcomeKind.INFRASTRUCTURE
    problem = outcome.summary if infrastructure else expect.problem(outcome) or ""
    return Attempt(
        at_s, Phase.CONFIRM, not problem, outcome.summary, outcome.request_id, problem, outcome.local_address
    )


def _still(after: list[Attempt]) -> Finding | None:
    wrong = [attempt for attempt in after if not attempt.matched]
    if not wrong:
        return None
    lost = wrong[0].summary.startswith(OutcomeKind.INFRASTRUCTURE)
    verdict = Verdict.INCONCLUSIVE if lost else Verdict.FAIL
    return Finding("after the twin", wrong[0].problem, verdict)


def _absent(running: RunningStage, case: Case, denied: set[str]) -> Finding:
    """No refused id reached a replica, each of whose logs already shows a later request of the twin's."""
    assert case.twin is not None
    world, twin = running.world, case.twin
    name = "backend log"
    backends = world.backends(case.probe)
    if world.external is not None and (
        world.external.knows(world.connect_host(case.probe)) or _are_gateway(world, backends)
    ):
        return _absent_outside(world.external, denied)
    if not backends:
        return Finding(name, "no ready pod stands behind the destination", Verdict.PASS)
    passed = {pod.name for pod in (*world.backends(twin), *world.egress_pods_for(twin))}
    if not passed >= {pod.name for pod in backends}:
        text = "the twin goes to another backend, so it is not known up to where this log is complete"
        return Finding(name, text, Verdict.INCONCLUSIVE)

    def passing() -> Iterable[str]:
        """Requests of the twin, as many as may come to every replica."""
        return [outcome.request_id for outcome in world.probe(twin, case.control, len(backends))]

    read = logs.read_up_to(
        world.cluster,
        backends,
        passing,
        since_s=running.since_s,
        budget_s=LOG_BUDGET_S,
        access_log=world.mesh.writes_access_log,
    )
    if read.missing:
        where = ", ".join(read.missing)
        return Finding(name, f"the twin's requests did not appear in {where}", Verdict.INCONCLUSIVE)
    arrived = sorted(read.reached(denied))
    if arrived:
        text = f"{len(arrived)} of {len(denied)} refused requests reached the backend, the first: {arrived[0]}"
        return Finding(name, text, Verdict.FAIL)
    text = f"{len(denied)} refused request ids absent, the twin's present, in {', '.join(read.places)}"
    return Finding(name, text, Verdict.PASS)


def _are_gateway(world: World, pods: list[Pod]) -> bool:
    """Whether these are the gateway's pods, behind which stand the external hosts."""
    return bool(pods) and {pod.name for pod in pods} <= {pod.name for pod in world.gateway_pods()}


def _absent_outside(external: ExternalHosts, denied: set[str]) -> Finding:
    """No refused request reached the external server, which writes its log before it answers."""
    name = EXTERNAL_LOG
    if external.log is None:
        return Finding(name, "not looked at: it is not available on this target", Verdict.PASS)
    if arrived := external.arrived(denied):
        text = f"{len(arrived)} of {len(denied)} refused requests arrived, the first from {arrived[0].peer}"
        return Finding(name, text, Verdict.FAIL)
    return Finding(name, f"{len(denied)} refused request ids absent", Verdict.PASS)
