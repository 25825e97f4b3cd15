"""The one typed record of a case. Everything that any report shows comes from here.

Plain values only, so that a record travels between test processes and files by one adapter
(`reports.record.model.EVIDENCE`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

from clients.model.attempt import Attempt, Sample
from clients.model.known import Advisory, KnownFailure
from clients.model.marker import MarkerRecord
from clients.model.redact import redact
from clients.model.request_record import RequestRecord


class Verdict(StrEnum):
    """What a case showed."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    SKIP = "skip"


class FindingVerdict(StrEnum):
    """What one finding showed: it supports the outcome, contradicts it, is missing, or could not be checked here."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_CHECKED = "not_checked"

    @classmethod
    def of(cls, verdict: Verdict) -> FindingVerdict:
        """What a proof of its own, such as that of a twin, is as a finding of the case."""
        return cls.NOT_CHECKED if verdict is Verdict.SKIP else cls(verdict.value)


class Grade(StrEnum):
    """How complete the proof of a pass is: full, or reduced because the target did not allow a check."""

    FULL = "full"
    REDUCED = "reduced"


class LogPlace(StrEnum):
    """A place whose log shows the requests of a case on their path to an external host."""

    GATEWAY = "egress gateway"
    SERVER = "external server"


TWIN, BEFORE_CHANGE = "twin", "before the change"
"""Names of the findings that repeat what the `TwinProof` and the attempts before the change show in full."""


@dataclass(frozen=True)
class Finding:
    """One checked fact of a proof.

    Attributes:
        name: what was checked, in words (`backend log`); several findings of a case may have the same one.
        text: what was seen.
    """

    name: str
    text: str
    verdict: FindingVerdict

    def redacted(self) -> Finding:
        """The finding without secrets: it may quote a log, with a token in the address of a request."""
        return replace(self, text=redact(self.text))


@dataclass(frozen=True)
class Applied:
    """One object as it was sent to the cluster. `yaml` is redacted."""

    manifest: str
    kind: str
    namespace: str
    name: str
    yaml: str


@dataclass(frozen=True)
class Picture:
    """What a browser showed to a person. The picture itself is a file of the run.

    Attributes:
        file: path relative to the run's folder, with `/`.
        sha256: of the file's bytes, in hex digits.
        title: when it was taken, or of what.
        text: what it shows, in words.
        width, height: in pixels.
    """

    file: str
    sha256: str
    title: str
    text: str
    width: int
    height: int


@dataclass(frozen=True)
class TwinProof:
    """The allowed counterpart through the same path, in the same state.

    Attributes:
        control: the control that proves this counterpart in its own right.
        sent: the request that was sent, and by which workload; not always exactly the request of that control.
    """

    control: str
    verdict: Verdict
    expected: str
    observed: str
    request_id: str
    sent: str = ""


@dataclass(frozen=True)
class LeakBound:
    """How small a leak the probes of a denial would have shown (see `clients.probe.confirm.leak_share`).

    Attributes:
        probes: refused in a row, each on a fresh connection.
        share: of the requests; if at least that many had been let through, one of the probes would have been, with a
            probability of 99 %.
    """

    probes: int
    share: float


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a piece of evidence is about: a case and its control, in plain values.

    Attributes:
        id: unique in a run: the control, and the case's variant in brackets.
        polarity: `allow`, `deny` or `state`.
        suite: file of the test, relative to the checkout.
        stage: name of the stage; `stage_title` is what a reader sees.
        request: None where nothing is sent (a look at a state).
        twin_control: id of the control of opposite polarity; empty where the catalogue names none.
        substitute: `hermetic` where a stand-in proves a `live_only` control; empty otherwise.
        advisory: the published weakness that the control looks for; None for any other control.
    """

    control: str
    id: str
    title: str = ""
    polarity: str = ""
    suite: str = ""
    stage: str = ""
    stage_title: str = ""
    source: str = ""
    destination: str = ""
    request: RequestRecord | None = None
    expected: str = ""
    twin_control: str = ""
    substitute: str = ""
    advisory: Advisory | None = None


@dataclass(frozen=True, kw_only=True)
class Evidence(Subject):
    """One case: what it is about, what was applied, every attempt, the findings, the verdict.

    Attributes:
        grade: of a pass; None for any other verdict.
        command: the request as a curl command that a person could repeat, redacted.
        why: which policy refused, or why none did, or what keeps pods from getting ready, in one line; empty where that
            is not known, and for a pass.
        findings: in the order in which they were made.
        time_to_first_s: seconds from the change to the first expected outcome; None when it never came.
        time_to_stable_s: seconds from the change to the last confirmation, of the stage's where that settled by the
            same request; None when it was never stable.
        duration_s: the whole wait: until what the stage settles on and the markers were stable, and from the case's
            first probe until its outcome was.
        slow: the whole wait used more than 75 % of the budget.
        network_path: where the logs saw requests to an external host, from the workload on (`team-x/test`,
            `egress gateway`, `example.com`); the last is where they were answered or refused. Empty where no log was
            read.
        pictures: what a browser showed.
        source_twin: a request of the same client that is let in, where the twin is another client's.
        leak: of a denial on a path that its twin has shown to be open; None for any other case.
        known: the entry of a list of known failures that excuses this failure; None where there is none. The verdict
            stays `fail`.
        markers: what showed that the stage's change had come where the outcome is decided; empty where the outcome
            itself shows it.
    """

    verdict: Verdict
    grade: Grade | None = None
    reason: str = ""
    why: str = ""
    observed: str = ""
    command: str = ""
    attempts: tuple[Attempt, ...] = ()
    samples: tuple[Sample, ...] = ()
    flaps: int = 0
    confirmations: int = 0
    time_to_first_s: float | None = None
    time_to_stable_s: float | None = None
    duration_s: float = 0.0
    budget_s: float = 0.0
    slow: bool = False
    twin: TwinProof | None = None
    findings: tuple[Finding, ...] = ()
    applied: tuple[Applied, ...] = ()
    diagnostics: str = ""
    worker: str = ""
    network_path: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    source_twin: TwinProof | None = None
    leak: LeakBound | None = None
    known: KnownFailure | None = None
    markers: tuple[MarkerRecord, ...] = ()

    @classmethod
    def of(cls, subject: Subject, verdict: Verdict, reason: str = "", **rest: Any) -> Self:
        """Create a record from its subject, with the verdict so far. `rest` are further fields."""
        about = {name: getattr(subject, name) for name in Subject.__dataclass_fields__}
        return cls(**{**about, "verdict": verdict, "reason": reason, **rest})


def judge(findings: Iterable[Finding]) -> tuple[Verdict, Grade | None, str]:
    """Verdict, grade and reason of a case whose outcome has converged: the worst of its findings decides.

    A finding that could not be checked leaves a pass, of reduced grade.
    """
    found = tuple(findings)
    for verdict, worst in ((Verdict.FAIL, FindingVerdict.FAIL), (Verdict.INCONCLUSIVE, FindingVerdict.INCONCLUSIVE)):
        if wrong := [finding for finding in found if finding.verdict is worst]:
            return verdict, None, "; ".join(f"{finding.name}: {finding.text}" for finding in wrong)
    unchecked = any(finding.verdict is FindingVerdict.NOT_CHECKED for finding in found)
    return Verdict.PASS, Grade.REDUCED if unchecked else Grade.FULL, ""
