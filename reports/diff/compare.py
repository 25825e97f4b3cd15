"""Runs compared, case by case, by id: what an upgrade of the mesh changed. Each side has one run, or several."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from clients.model.evidence import Evidence, Verdict
from reports.attempts import one_line
from reports.diff.environment import Pairs, environment, missing, same
from reports.diff.notes import notes
from reports.diff.side import Side, side
from reports.diff.slower import Pace, pace
from reports.marks import WORDS, Mark, mark, not_checked
from reports.record.model import Report

_BAD = (Verdict.FAIL, Verdict.INCONCLUSIVE)
_OWN_NAMESPACE = re.compile(r"\bmp-[0-9a-f]{4}-(w\d+-)?")
_MEASURED = re.compile(r"\b\d+(\.\d+)? (ms|s|requests|errors|bytes)\b")


@dataclass(frozen=True)
class Change:
    """One case that is not the same on both sides; None where a side has no record of it."""

    id: str
    before: Evidence | None
    after: Evidence | None
    note: str = ""

    @property
    def control(self) -> str:
        """The control that it is a case of."""
        return self._there.control

    @property
    def title(self) -> str:
        """Of the control."""
        return self._there.title

    @property
    def marks(self) -> tuple[Mark | None, Mark | None]:
        """The marks before and after; None for absent."""
        return (mark(self.before) if self.before else None, mark(self.after) if self.after else None)

    @property
    def text(self) -> str:
        """`LAB-MTLS-03: pass → fail (expected 403, saw 200)`."""
        was, now = (WORDS[one] if one else "absent" for one in self.marks)
        return f"{self.id}: {was} → {now}" + (f" ({self.note})" if self.note else "")

    @property
    def _there(self) -> Evidence:
        there = self.after or self.before
        assert there is not None  # a change is of a case that one side has
        return there


@dataclass(frozen=True)
class Difference:
    """Every case that changed, under exactly one heading, and what differs between the two targets.

    Attributes:
        regressed: fails or is inconclusive now, and was not before.
        removed: has no record now.
        newly_skipped: is skipped now, and was not before.
        reduced: passes in both, now with reduced proof, and was proven in full before.
        known: is a known failure now, whatever it was before.
        still_failing: neither passed nor was skipped, in both.
        fixed: passes now, and did not before; also what is no longer skipped, or proven in full again.
        added: has no record before.
        changed: passes in both, but expects or shows something else.
        pace: the controls that became stable later than before, and why none can be claimed.
        environment: name → (before, after) of what differs in mesh, cluster and target.
        alike: name → what both targets have.
        missing: what is not recorded of them, before and after.
        notes: what makes the comparison weaker, in words.
        runs: ids of the runs, before and after.
    """

    regressed: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()
    newly_skipped: tuple[Change, ...] = ()
    reduced: tuple[Change, ...] = ()
    known: tuple[Change, ...] = ()
    still_failing: tuple[Change, ...] = ()
    fixed: tuple[Change, ...] = ()
    added: tuple[Change, ...] = ()
    changed: tuple[Change, ...] = ()
    pace: Pace = field(default_factory=Pace)
    environment: Pairs = field(default_factory=dict)
    alike: dict[str, str] = field(default_factory=dict)
    missing: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    notes: tuple[str, ...] = ()
    runs: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    @property
    def exit_code(self) -> int:
        """1 when something got worse: see `worse`; otherwise 0.

        What failed before and fails still is no difference, and a known failure is expected.
        """
        return int(bool(self.worse))

    @property
    def worse(self) -> tuple[str, ...]:
        """What got worse, in words (`2 regressed`): empty when nothing did."""
        failing = sum(change.after is not None and _is_bad(change.after) for change in self.added)
        numbers = {
            "regressed": len(self.regressed),
            "removed": len(self.removed),
            "newly skipped": len(self.newly_skipped),
            "reduced": len(self.reduced),
            "added and failing": failing,
            "slower": len(self.pace.slower),
        }
        return tuple(f"{number} {name}" for name, number in numbers.items() if number)

    @property
    def headings(self) -> tuple[tuple[str, tuple[Change, ...]], ...]:
        """Every heading, the worst first, with its cases."""
        return (
            ("regressed", self.regressed),
            ("removed", self.removed),
            ("newly skipped", self.newly_skipped),
            ("reduced", self.reduced),
            ("known failures", self.known),
            ("still failing", self.still_failing),
            ("fixed", self.fixed),
            ("added", self.added),
            ("changed, passing in both", self.changed),
        )

    def text(self) -> str:
        """For people: worst first; one line when nothing differs."""
        lines = [f"{name}: {was or 'unknown'} → {now or 'unknown'}" for name, (was, now) in self.environment.items()]
        lines += [*self.notes, *([self.pace.note] if self.pace.note else [])]
        for heading, changes in self.headings:
            if changes:
                lines += ["", f"{heading} ({len(changes)})", *(f"  {change.text}" for change in changes)]
        if slower := self.pace.slower:
            lines += ["", f"slower to converge ({len(slower)})", *(f"  {one.text}" for one in slower)]
        if not any(changes for _, changes in self.headings):
            lines += ["", "no case differs"]
        return "\n".join(_shown_line(line) for line in lines).strip() + "\n"


def compare(before: Report | Sequence[Report], after: Report | Sequence[Report]) -> Difference:
    """What became of every case of `before`, and what `after` has besides. Reports of schema 1 and 2 compare alike.

    Of several runs of a side, a case has its worst verdict; what differs between the targets is that of the last runs.
    """
    was, now = side(before), side(after)
    changes: dict[str, list[Change]] = defaultdict(list)
    for key, old in was.cases.items():
        new = now.cases.get(key)
        if new is None:
            changes["removed"].append(Change(key, old, None, _gone(key, now)))
        elif heading := _heading(old, new):
            changes[heading].append(Change(key, old, new, _joined(_why(old, new), _tallies(key, was, now))))
    changes["added"] = [Change(key, None, case, _why_now(case)) for key, case in now.cases.items()
                        if key not in was.cases]  # fmt: skip
    found = {name: tuple(listed) for name, listed in changes.items()}
    last_was, last_now = was.runs[-1].target, now.runs[-1].target
    several = len(was.runs) > 1 or len(now.runs) > 1
    return Difference(
        **found,
        pace=pace(was, now) if several else Pace(),
        environment=environment(last_was, last_now),
        alike=same(last_was, last_now),
        missing=(tuple(missing(last_was)), tuple(missing(last_now))),
        notes=tuple(notes(was, now)),
        runs=(tuple(run.run.id for run in was.runs), tuple(run.run.id for run in now.runs)),
    )


def _shown_line(line: str) -> str:
    """In one line of a terminal, with its indent."""
    return " " * (len(line) - len(line.lstrip(" "))) + one_line(line)


def _tallies(key: str, was: Side, now: Side) -> str:
    texts = (("before ", was.tally(key)), ("", now.tally(key)))
    return ", ".join(f"{when}{text}" for when, text in texts if text)


def _joined(*texts: str) -> str:
    return "; ".join(filter(None, texts))


def _heading(was: Evidence, now: Evidence) -> str:
    """The one field of `Difference` that a case belongs to; empty where nothing differs."""
    if mark(now) == Mark.KNOWN:
        return "known"
    if now.verdict in _BAD:
        return "still_failing" if was.verdict in _BAD else "regressed"
    if now.verdict is Verdict.SKIP:
        return "" if was.verdict is Verdict.SKIP else "newly_skipped"
    if was.verdict is not Verdict.PASS:
        return "fixed"
    if mark(was) != mark(now):
        return "reduced" if mark(now) == Mark.REDUCED else "fixed"
    return "changed" if _shown(was) != _shown(now) else ""


def _is_bad(case: Evidence) -> bool:
    return case.verdict in _BAD and mark(case) != Mark.KNOWN


def _why_now(case: Evidence) -> str:
    return "; ".join(filter(None, (f"known {case.known.text}" if case.known else "", case.reason)))


def _why(was: Evidence, now: Evidence) -> str:
    notes = [_why_now(now)] if now.reason or now.verdict is not Verdict.PASS else []
    if mark(now) == Mark.REDUCED and mark(was) != Mark.REDUCED:
        unchecked = "; ".join(one_line(f"{finding.name}: {finding.text}") for finding in not_checked(now))
        notes.append(f"not checked: {unchecked}")
    if now.verdict is Verdict.PASS and was.verdict is Verdict.PASS and _shown(was) != _shown(now):
        notes.append(f"expected {was.expected}, saw {was.observed}; now expected {now.expected}, saw {now.observed}")
    return "; ".join(filter(None, notes))


def _gone(key: str, after: Side) -> str:
    return "selected but not run" if after.was_planned(key) else "not selected"


def _shown(case: Evidence) -> tuple[str, ...]:
    """What a case expected and showed, without what is of this run alone: its namespaces, and what it measured."""
    return tuple(_MEASURED.sub("", _OWN_NAMESPACE.sub("", text)) for text in (case.expected, case.observed))
