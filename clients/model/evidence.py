"""The one typed record of a case. Everything that any report shows comes from here.

Plain values only, so that a record travels between test processes and files by one adapter (`reports.model.EVIDENCE`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from clients.model.known import Advisory, KnownFailure
from clients.model.marker import MarkerRecord
from clients.model.outcome import OutcomeKind


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


class Grade(StrEnum):
    """How complete the proof of a pass is: full, or reduced because the target did not allow a check."""

    FULL = "full"
    REDUCED = "reduced"


class Phase(StrEnum):
    """Why an attempt was made: before the change, waiting for it, confirming it, or proving the path by the twin."""

    BASELINE = "baseline"
    CONVERGE = "converge"
    CONFIRM = "confirm"
    TWIN = "twin"


class Place(StrEnum):
    """A place whose log shows the requests of a case on their path to an external host."""

    GATEWAY = "egress gateway"
    SERVER = "external server"


@dataclass(frozen=True)
class RequestRecord:
    """The request of a case, by the documents' names. Redacted.

    Attributes:
        method: its bytes as they are sent (`post` is not `POST`); empty for raw TCP.
        url: whole, as the suite states it; `path` is its path with the query.
        token: kind of the bearer token (`expired`), or each by issuer, claims and place; empty where none is sent.
        dial: whose address was dialled, or which one; empty for that of the URL's host.
        protocol: `HTTP/1.1`, `HTTP/2`, or `TCP` for raw bytes.
        headers: names and values, in addition to those that every probe has.
        body: of the request; the bytes themselves for raw TCP.
    """

    method: str
    url: str
    path: str
    token: str = ""
    protocol: str = "HTTP/1.1"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    dial: str = ""

    @property
    def line(self) -> str:
        """What distinguishes requests of one destination: `GET /ip`, `post /ip, HTTP/2, token: expired`."""
        what = f"{self.method} {self.path}" if self.method else "bytes"
        more = [f"at {self.dial}"] if self.dial else []
        more += [self.protocol] if self.protocol != "HTTP/1.1" else []
        more += [f"body {self.body!r}"] if self.body else []
        more += [f"{name}: {value}" for name, value in self.headers]
        more += [f"token: {self.token}"] if self.token else []
        return ", ".join([what, *more])


@dataclass(frozen=True)
class Attempt:
    """One probe of a case, or one look at a state. Times in seconds since the case's change (negative: before it).

    Attributes:
        problem: why it did not match; empty where it did.
        local: the client's end of the connection, `ip:port`: the key in the log of a proxy that sees no request.
        kind: of the outcome; `INFRASTRUCTURE` where the probe did not run.
        status: HTTP status of the response; None where none came.
        ordinary: nothing in the request distinguished it from a user's (see `clients.probe.ordinary`).
    """

    at_s: float
    phase: Phase
    matched: bool
    summary: str
    request_id: str
    problem: str = ""
    local: str = ""
    kind: OutcomeKind = field(kw_only=True)
    status: int | None = field(default=None, kw_only=True)
    ordinary: bool = field(default=False, kw_only=True)

    @property
    def ran(self) -> bool:
        """Whether the probe ran at all; one that did not is no evidence about the mesh."""
        return self.kind is not OutcomeKind.INFRASTRUCTURE


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


@dataclass(frozen=True)
class Sample:
    """A whole answer kept as proof: the first, each that differs from the one before, and the last. Redacted."""

    at_s: float
    summary: str
    request_id: str
    remote_address: str
    total_s: float
    headers: dict[str, list[str]]
    body: str
    error: str


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
        why: which policy refused, or why none did, in one line; empty where that is not known, and for a pass.
        findings: in the order in which they were made.
        time_to_first_s: seconds from the change to the first expected outcome; None when it never came.
        time_to_stable_s: seconds from the change to the last confirmation; None when it was never stable.
        duration_s: the whole wait: until what the stage settles on and the markers were stable, and from the case's
            first probe until its outcome was.
        slow: the whole wait used more than 75 % of the budget.
        network_path: where the logs saw requests to an external host, from the workload on (`team-x/test`,
            `egress gateway`, `example.com`); the last is where they were answered or refused. Empty where no log was
            read.
        pictures: what a browser showed.
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
