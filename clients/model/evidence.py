"""The one typed record of a case. Everything that any report says comes from here.

`to_json` / `from_json` keep the record in plain JSON values, so that it travels between test processes and files.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self


class Verdict(StrEnum):
    """What a case showed."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    SKIP = "skip"


class Phase(StrEnum):
    """Why an attempt was made: before the change, waiting for it, confirming it, or proving the path by the twin."""

    BASELINE = "baseline"
    CONVERGE = "converge"
    CONFIRM = "confirm"
    TWIN = "twin"


@dataclass(frozen=True)
class Attempt:
    """One probe of the case, as it is told: times in seconds since the case's change (negative: before it)."""

    at_s: float
    phase: Phase
    matched: bool
    summary: str
    request_id: str
    problem: str = ""
    local: str = ""
    """The client's end of the connection, `ip:port`: what tells it in the log of a proxy that sees no request."""


@dataclass(frozen=True)
class Finding:
    """One part of a proof. `pass` supports the outcome, `fail` contradicts it, `inconclusive` is missing."""

    name: str
    text: str
    verdict: Verdict


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
    """What a person saw. The picture itself is a file of the run.

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
        control: the control that proves it in its own right.
        sent: what was sent here, and by whom; not always to the letter what that control sends.
    """

    control: str
    verdict: Verdict
    expected: str
    observed: str
    request_id: str
    sent: str = ""


@dataclass(frozen=True)
class Evidence:
    """One case.

    Attributes:
        id: unique in a run: the control, and its variant in brackets.
        command: the request as a curl command that a person could repeat, redacted.
        proof: named findings beside the outcome, for instance `{"backend_log": "request id absent in 2 replicas"}`.
        time_to_first_s: seconds from the change to the first expected outcome; None when it never came.
        time_to_stable_s: seconds from the change to the last confirmation; None when it was never stable.
        slow: more than 75 % of the budget was used.
        variant_of_target: `hermetic` where a substitute proves a `live_only` control; empty otherwise.
        way: where the logs saw requests to an external host, from the workload on (`team-x/test`, `egress gateway`,
            `example.com`); the last is where they were answered or refused. Empty where no log was asked.
        pictures: what a person saw, where one stands at a browser.
    """

    control: str
    id: str
    title: str
    polarity: str
    verdict: Verdict
    reason: str
    expected: str
    observed: str
    suite: str = ""
    stage: str = ""
    source: str = ""
    destination: str = ""
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
    proof: dict[str, str] = field(default_factory=dict)
    applied: tuple[Applied, ...] = ()
    diagnostics: str = ""
    worker: str = ""
    variant_of_target: str = ""
    network_path: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; tuples become lists."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The record that `to_json` wrote.

        Raises:
            TypeError, ValueError, KeyError: a field is unknown, missing or of another type.
        """
        twin = data.get("twin")
        values = {
            **data,
            "verdict": Verdict(data["verdict"]),
            "attempts": tuple(Attempt(**{**a, "phase": Phase(a["phase"])}) for a in data.get("attempts", ())),
            "samples": tuple(Sample(**s) for s in data.get("samples", ())),
            "applied": tuple(Applied(**a) for a in data.get("applied", ())),
            "network_path": tuple(data.get("network_path", ())),
            "pictures": tuple(Picture(**p) for p in data.get("pictures", ())),
            "twin": TwinProof(**{**twin, "verdict": Verdict(twin["verdict"])}) if twin else None,
        }
        return cls(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
