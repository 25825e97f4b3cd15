"""The proof that the API refuses a manifest: by dry run, with the stated reason, while its twin is accepted."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from clients.kube.api import RequestError
from clients.kube.labels import MANAGER
from clients.model.attempt import Attempt, Phase
from clients.model.errors import AccessError, MeshproofError
from clients.model.evidence import TWIN, Evidence, Finding, FindingVerdict, Subject, Verdict, judge
from clients.model.outcome import OutcomeKind
from clients.model.redact import redact
from clients.model.refused import RefusedManifest
from clients.proof.rig.rig import Rig

ADMISSION = "admission"
POLL_S = 0.5


@dataclass(frozen=True)
class _DryRun:
    """The API's answer to a dry run.

    Attributes:
        shown: why it refused, for people; empty where it accepted.
        text: the part of it that the server wrote, without the object's own name, which says nothing.
        lost: why there is no answer.
    """

    shown: str = ""
    text: str = ""
    lost: str = ""

    @property
    def words(self) -> str:
        return self.lost or (f"refused: {self.shown}" if self.shown else "accepted")


def prove_refused(rig: Rig, refused: RefusedManifest, subject: Subject, *, budget_s: float, worker: str) -> Evidence:
    """Try both manifests until the answers are the expected ones, for at most `budget_s` seconds.

    Raises:
        ManifestError: a manifest does not exist, or is not valid YAML.
    """
    began, attempts = time.monotonic(), list[Attempt]()
    while True:
        answers = _dry_run(rig, refused.manifest), _dry_run(rig, refused.twin)
        findings = _judged(refused, *answers)
        took_s = time.monotonic() - began
        attempts.append(_attempt(answers[0], findings, took_s))
        if attempts[-1].matched or took_s >= budget_s:
            break
        time.sleep(POLL_S)
    verdict, grade, reason = judge(findings)
    stable_s = took_s if verdict is Verdict.PASS else None
    evidence = Evidence.of(subject, verdict, reason, grade=grade, findings=findings, worker=worker)
    return replace(
        evidence,
        observed=attempts[-1].summary,
        command=f"kubectl apply --server-side --dry-run=server -f {refused.manifest}",
        attempts=tuple(attempts),
        time_to_first_s=stable_s,
        time_to_stable_s=stable_s,
        duration_s=took_s,
        budget_s=budget_s,
    )


def _dry_run(rig: Rig, manifest: str) -> _DryRun:
    name = ""
    try:
        for item in rig.applier.load([manifest]):
            name = item.name
            rig.cluster.apply(item.body, manager=MANAGER, dry_run=True)
    except (RequestError, AccessError) as error:  # an admission webhook may refuse with any status, 403 as well
        if isinstance(error, RequestError) and error.of_the_server:
            return _DryRun(lost=redact(error.message))
        detail = error.detail if isinstance(error, RequestError) else error.message
        return _DryRun(redact(error.message), detail.replace(name, "") if name else detail)
    except MeshproofError as error:
        return _DryRun(lost=redact(error.message))
    return _DryRun()


def _judged(refused: RefusedManifest, answer: _DryRun, twin: _DryRun) -> tuple[Finding, ...]:
    verdict = FindingVerdict.PASS
    if answer.lost:
        verdict = FindingVerdict.INCONCLUSIVE
    elif refused.reason not in answer.text:  # where the twin is refused as well, it may be for what both are not
        undecided = answer.shown and (twin.shown or twin.lost)
        verdict = FindingVerdict.INCONCLUSIVE if undecided else FindingVerdict.FAIL
    twins = FindingVerdict.INCONCLUSIVE if twin.lost or twin.shown else FindingVerdict.PASS
    return (
        Finding(ADMISSION, f"{refused.manifest}: {answer.words}", verdict),
        Finding(TWIN, f"{refused.twin}: {twin.words}", twins),
    )


def _attempt(answer: _DryRun, findings: tuple[Finding, ...], at_s: float) -> Attempt:
    problem = next((finding.text for finding in findings if finding.verdict is not FindingVerdict.PASS), "")
    kind = OutcomeKind.INFRASTRUCTURE if answer.lost else OutcomeKind.LOOK
    return Attempt(at_s, Phase.CONVERGE, not problem, answer.words, "", problem, kind=kind)
