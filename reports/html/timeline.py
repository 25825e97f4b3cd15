"""A case's attempts on a time axis, one lane for each answer: geometry for the template, in per cent of the width."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clients.model.attempt import Attempt, Phase
from clients.model.counted import counted
from clients.model.evidence import Evidence, Verdict
from reports.attempts import of_case, one_line

LANE_HEIGHT = 36
AXIS_HEIGHT = 26
_MOST_LANES = 6
_LEFT, _RIGHT, _BEFORE = 1.2, 98.8, 15.0
_OVERLAP = 0.45
"""Marks of one kind nearer than this (per cent of the width) hide each other; one of them is drawn."""

LEGEND = {
    "hit": "as expected",
    "wait": "not yet as expected",
    "contrary": "not as expected",
    "lost": "probe did not run",
    "before": "before the change",
    "twin": "twin",
}


@dataclass(frozen=True)
class Tick:
    """One probe. `kind` is a key of `LEGEND`; `x` in per cent."""

    x: float
    kind: str


@dataclass
class Lane:
    """All probes with one answer. `y` is the lane's middle in pixels."""

    label: str
    expected: bool
    y: int = 0
    marks: list[Tick] = field(default_factory=list)


@dataclass(frozen=True)
class Timeline:
    """What the template draws; x in per cent of the width, y, floor (the axis) and height in pixels.

    Attributes:
        split: where the axis begins, right of what happened before the change; 0 when nothing did.
        first: of the first expected answer.
        stable: of the last confirmation.
        marker: of the last first sight of a marker: before it, the change had not come everywhere; None without one.
        ticks: position and label.
        kinds: kinds of marks that occur, for the legend.
        text: all of it in words, for readers who cannot see it.
    """

    lanes: tuple[Lane, ...]
    height: int
    floor: int
    split: float
    zero: float
    first: float | None
    stable: float | None
    marker: float | None
    ticks: tuple[tuple[float, str], ...]
    kinds: tuple[str, ...]
    text: str


def timeline(case: Evidence) -> Timeline | None:
    """The case's timeline; None when there are not at least two attempts to compare."""
    if len(case.attempts) < 2:
        return None
    before = [a for a in case.attempts if a.phase is Phase.BASELINE]
    after = [a for a in case.attempts if a.phase is not Phase.BASELINE]
    start = min([0.0, *(a.at_s for a in after)])
    marker_s = marked_s(case)
    end = max([*(a.at_s for a in after), case.time_to_stable_s or 0.0, marker_s or 0.0, start + 0.1])
    split = _BEFORE if before else 0.0
    left = split + (1.5 if split else _LEFT)

    def place(at: float) -> float:
        return round(left + (at - start) / (end - start) * (_RIGHT - left), 2)

    lanes = _lanes(case)
    for index, attempt in enumerate(before):
        share = (index + 1) / (len(before) + 1)
        _add(_lane_of(lanes, attempt), Tick(round(_LEFT + share * (_BEFORE - 2 * _LEFT), 2), "before"))
    kind = _kinds(case)
    for attempt in after:
        _add(_lane_of(lanes, attempt), Tick(place(attempt.at_s), kind(attempt)))
    for index, lane in enumerate(lanes):
        lane.y = index * LANE_HEIGHT + 26
    floor = len(lanes) * LANE_HEIGHT + 6
    used = {mark.kind for lane in lanes for mark in lane.marks}
    return Timeline(
        lanes=tuple(lanes),
        height=floor + AXIS_HEIGHT,
        floor=floor,
        split=split,
        zero=place(0.0),
        first=None if case.time_to_first_s is None else place(min(case.time_to_first_s, end)),
        stable=None if case.time_to_stable_s is None else place(min(case.time_to_stable_s, end)),
        marker=None if marker_s is None else place(min(marker_s, end)),
        ticks=tuple((place(at), f"{at:g} s") for at in _nice(end)),
        kinds=tuple(name for name in LEGEND if name in used),
        text=describe(case),
    )


def marked_s(case: Evidence) -> float | None:
    """Seconds from the change until every marker of the case was in force; None where there was none."""
    return max((one.first_s for one in case.markers if one.first_s is not None), default=None)


def describe(case: Evidence) -> str:
    """The course of a case in one sentence."""
    probes = of_case(case)
    parts = [f"{counted(len(probes), 'probe')} after the change" if case.attempts else "no probe"]
    if (marker_s := marked_s(case)) is not None:
        parts.append(f"marker in force after {marker_s:.2f} s")
    if case.time_to_first_s is None:
        parts.append("the expected answer never came")
    else:
        parts.append(f"first expected answer after {case.time_to_first_s:.2f} s")
        stable = case.time_to_stable_s
        parts.append(f"stable after {stable:.2f} s" if stable is not None else "never stable")
    parts.append(counted(case.flaps, "flap"))
    return ", ".join(parts)


def _lanes(case: Evidence) -> list[Lane]:
    """One lane for each answer: the expected ones first, then in the order of appearance."""
    seen: dict[tuple[str, bool], None] = {}
    for attempt in of_case(case):
        seen.setdefault((one_line(attempt.summary), attempt.matched))
    for attempt in case.attempts:
        summary = one_line(attempt.summary)
        if not any(known == summary for known, _ in seen):
            seen.setdefault((summary, False))
    matched = {summary for summary, expected in seen if expected}
    lanes = [
        Lane(f"{summary}, checks failed" if summary in matched and not expected else summary, expected)
        for summary, expected in sorted(seen, key=lambda key: not key[1])
    ]
    if len(lanes) > _MOST_LANES:
        lanes = [*lanes[: _MOST_LANES - 1], Lane(f"{len(lanes) - _MOST_LANES + 1} other answers", False)]
    return lanes


def _lane_of(lanes: Sequence[Lane], attempt: Attempt) -> Lane:
    summary = one_line(attempt.summary)
    own = attempt.phase in (Phase.CONVERGE, Phase.CONFIRM)
    exact = f"{summary}, checks failed"
    if own and not attempt.matched:
        for lane in lanes:
            if lane.label == exact:
                return lane
    return next((lane for lane in lanes if lane.label == summary), lanes[-1])


def _add(lane: Lane, mark: Tick) -> None:
    near = (known for known in reversed(lane.marks[-4:]) if known.kind == mark.kind)
    if not any(abs(known.x - mark.x) < _OVERLAP for known in near):
        lane.marks.append(mark)


def _kinds(case: Evidence) -> Callable[[Attempt], str]:
    """Kind of each mark. Waiting is no fault as long as the expected answer came later, so it looks different."""
    first = case.time_to_first_s if case.verdict is not Verdict.FAIL or case.time_to_first_s is not None else None

    def kind(attempt: Attempt) -> str:
        if not attempt.ran:
            return "lost"
        if attempt.phase is Phase.TWIN:
            return "twin"
        if attempt.matched:
            return "hit"
        return "wait" if first is not None and attempt.at_s < first else "contrary"

    return kind


def _nice(end: float) -> list[float]:
    """Round times from 0 to `end`: three to six of them."""
    rough = end / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [round(step * index, 6) for index in range(int(end / step + 1e-9) + 1)]
