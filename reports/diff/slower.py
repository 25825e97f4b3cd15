"""Controls that take longer to converge than before: by control, over the runs of both sides."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from clients.model.counted import counted
from reports.diff.ranks import Longer, adjusted, least_chance, longer
from reports.diff.side import Side

LEVEL = 0.01
"""Share of false claims that is accepted among claims (after Benjamini and Hochberg)."""
LEAST_S, LEAST_SHARE = 0.25, 0.1
"""What a claim needs besides: a shift of so many seconds, and of this share of the median before. Below, a difference
is real at most in the sense of the test: probes are a tenth of a second apart."""


@dataclass(frozen=True)
class Slower:
    """A control whose cases become stable later than before.

    Attributes:
        before_s, after_s: seconds until all its cases were stable, of each run.
        test: over these values.
        chance: of the test, after the correction for all controls.
    """

    control: str
    title: str
    before_s: tuple[float, ...]
    after_s: tuple[float, ...]
    test: Longer
    chance: float

    @property
    def text(self) -> str:
        """`LAB-MTLS-03: median 0.61 s → 1.92 s (+1.31 s, later in 96 % of pairs, 5 and 5 runs, p = 0.004)`."""
        was, now = statistics.median(self.before_s), statistics.median(self.after_s)
        chance = "p < 0.001" if self.chance < 0.001 else f"p = {self.chance:.3f}"
        return (
            f"{self.control}: median {was:.2f} s → {now:.2f} s ({self.test.shift:+.2f} s, "
            f"later in {self.test.share:.0%} of pairs, {len(self.before_s)} and "
            f"{counted(len(self.after_s), 'run')}, {chance})"
        )


@dataclass(frozen=True)
class Pace:
    """What the times say.

    Attributes:
        slower: the controls that are claimed to be, the largest shift first.
        tested: number of controls that have a time in at least one run of each side.
        note: why nothing could have been claimed; empty where something could.
    """

    slower: tuple[Slower, ...] = ()
    tested: int = 0
    note: str = ""


def pace(before: Side, after: Side) -> Pace:
    """Compare the times to stable of all controls that both sides have. Each run counts once for each control."""
    found = [one for one in _controls(before, after) if one is not None]
    chances = adjusted([one.test.chance for one in found])
    judged = [
        Slower(one.control, one.title, one.before_s, one.after_s, one.test, chance)
        for one, chance in zip(found, chances, strict=True)
    ]
    claimed = sorted((one for one in judged if _is_claimed(one)), key=lambda one: (-one.test.shift, one.control))
    return Pace(tuple(claimed), len(found), _too_few(found))


def _controls(before: Side, after: Side) -> list[Slower | None]:
    was, now = before.controls(), after.controls()
    timed = before.timed & after.timed
    return [_control(name, was[name] & now[name] & timed, before, after) for name in was if name in now]


def _control(name: str, cases: set[str], before: Side, after: Side) -> Slower | None:
    if not cases:
        return None
    was, now = before.times_of(cases), after.times_of(cases)
    if not (was and now):
        return None
    title = next(after.cases[key].title for key in sorted(cases))
    return Slower(name, title, tuple(was), tuple(now), longer(was, now), 1.0)


def _is_claimed(one: Slower) -> bool:
    least = max(LEAST_S, LEAST_SHARE * statistics.median(one.before_s))
    return one.chance <= LEVEL and one.test.shift >= least


def _too_few(found: Sequence[Slower]) -> str:
    """Why no claim is possible, however slow the runs after are."""
    if not found:
        return "no control has a time to stable on both sides"
    best = min(least_chance(len(one.before_s), len(one.after_s)) for one in found)
    if best <= LEVEL:
        return ""
    most = max(found, key=lambda one: len(one.before_s) + len(one.after_s))
    runs = f"{len(most.before_s)} and {counted(len(most.after_s), 'run')}"
    return (
        f"{runs} are too few to tell whether it became slower: chance alone shows the worst order in 1 of "
        f"{round(1 / best)}; compare 5 runs with 5"
    )
