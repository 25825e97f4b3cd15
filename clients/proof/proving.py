"""What a proof step gets: a case whose outcome has converged, or a state to be looked at; and what the steps found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import wraps

from clients.model.attempt import Attempt
from clients.model.case import Case
from clients.model.evidence import TWIN, Evidence, Finding, FindingVerdict, LeakBound, LogPlace, TwinProof, Verdict
from clients.model.probe import Probe
from clients.probe.convergence import Convergence
from clients.proof.rig.rig import Rig
from clients.proof.stage.running_stage import RunningStage

ProblemOf = Callable[[], str | None]
"""Looks, and returns what is wrong; None when all is as it must be."""
AFTER_TWIN, SAME_CONNECTION, ORDINARY = "after the twin", "same connection", "ordinary requests"
BY_REQUESTS = frozenset({TWIN, AFTER_TWIN, SAME_CONNECTION, ORDINARY})
"""Names of the findings that fail by what a request met, and by nothing else."""


@dataclass
class Proving:
    """What is being proven. A step reads it, and stores in it what later steps and the evidence need.

    Attributes:
        attempts: made by the steps themselves, in order.
    """

    attempts: list[Attempt] = field(default_factory=list)


@dataclass
class ProvingCase(Proving):
    """A case whose pinned outcome has converged.

    Attributes:
        seen: how it converged.
        since: monotonic time that the times of attempts count from, in seconds.
        twin_control: id of the control of opposite polarity, for the record.
        twin: set by `twin_passes`.
        refused_elsewhere: the log of a proxy other than the client's own has the refused requests, set by
            `refused_by_policy`.
        source_twin: set by `source_reaches`.
        own_probe: the request of the server's own pod, where no other twin reaches the server.
        places: where logs have seen the case's requests, set by the steps that read logs.
        leak: set by `leak_bounded`.
        refused_more: ids of refused probes that were sent to bound a leak and are not among the attempts: there may be
            thousands.
    """

    running: RunningStage = field(kw_only=True)
    case: Case = field(kw_only=True)
    seen: Convergence = field(kw_only=True)
    since: float = field(kw_only=True)
    twin_control: str = field(default="", kw_only=True)
    twin: TwinProof | None = None
    refused_elsewhere: bool = False
    source_twin: TwinProof | None = None
    own_probe: Probe | None = None
    places: set[LogPlace] = field(default_factory=set)
    leak: LeakBound | None = None
    refused_more: set[str] = field(default_factory=set)

    @property
    def rig(self) -> Rig:
        """What the stage runs on."""
        return self.running.rig

    @property
    def began(self) -> float:
        """When the first of the case's own requests was sent, in monotonic seconds."""
        return self.since + self.seen.attempts[-1].at_s - self.seen.duration_s

    @property
    def twin_passed(self) -> bool:
        """Whether the path is known to be open, so that a refusal on it means something."""
        return self.twin is not None and self.twin.verdict is Verdict.PASS


@dataclass
class ProvingState(Proving):
    """A state of the cluster that a control asks for, which no request shows.

    Attributes:
        problem_of: the look.
        budget_s: seconds within which it must find nothing wrong.
        took_s: seconds that it took, set by `state_holds`.
    """

    problem_of: ProblemOf = field(kw_only=True)
    budget_s: float = field(kw_only=True)
    took_s: float = 0.0


ProofStep = Callable[[Proving], list[Finding]]
"""One kind of proof: its findings, none where it does not apply. It never raises for what the mesh or cluster does."""


def of_case(step: Callable[[ProvingCase], list[Finding]]) -> ProofStep:
    """A step that applies to cases."""

    @wraps(step)
    def applied(proving: Proving) -> list[Finding]:
        return step(proving) if isinstance(proving, ProvingCase) else []

    return applied


def of_state(step: Callable[[ProvingState], list[Finding]]) -> ProofStep:
    """A step that applies to states."""

    @wraps(step)
    def applied(proving: Proving) -> list[Finding]:
        return step(proving) if isinstance(proving, ProvingState) else []

    return applied


def inconclusive(name: str, text: str) -> Finding:
    """A finding that could not be made, with the reason."""
    return Finding(name, text, FindingVerdict.INCONCLUSIVE)


def excused(evidence: Evidence, why: str, *more: Finding) -> Evidence:
    """The evidence of a case that fails, as `inconclusive`: the mesh is not known to be the cause.

    Args:
        why: what may be, for the reason; the findings that failed are inconclusive too.
        more: further findings.
    """
    findings = tuple(
        replace(one, verdict=FindingVerdict.INCONCLUSIVE) if one.verdict is FindingVerdict.FAIL else one
        for one in evidence.findings
    )
    reason = f"{why}; {evidence.reason}"
    return replace(evidence, verdict=Verdict.INCONCLUSIVE, reason=reason, findings=(*findings, *more))


def not_checked(name: str, why: str) -> Finding:
    """A finding that this target does not allow to be checked: a pass is then of reduced grade."""
    return Finding(name, f"not checked: {why}", FindingVerdict.NOT_CHECKED)
