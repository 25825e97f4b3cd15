"""Two runs compared, case by case, by id: what an upgrade of the mesh changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from clients.model.evidence import Evidence, Verdict
from reports.model import Report

_BAD = (Verdict.FAIL, Verdict.INCONCLUSIVE)


@dataclass(frozen=True)
class Change:
    """One case that is not the same in both runs; None where a run has no record of it."""

    id: str
    before: Evidence | None
    after: Evidence | None
    note: str = ""

    @property
    def text(self) -> str:
        """`LAB-MTLS-03: pass → fail (expected 403, saw 200)`."""
        was = str(self.before.verdict) if self.before else "absent"
        now = str(self.after.verdict) if self.after else "absent"
        return f"{self.id}: {was} → {now}" + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True)
class Difference:
    """Every case that changed, under exactly one heading, and what differs between the two targets.

    Attributes:
        regressed: fails or is inconclusive now, and was not before.
        removed: has no record now.
        newly_skipped: is skipped now, and was not before.
        still_failing: neither passed nor was skipped, in both.
        fixed: passes now, and did not before; also what is no longer skipped.
        added: has no record before.
        changed: passes in both, but expects or shows something else.
        ground: name → (before, after) of what differs in mesh, cluster and target.
    """

    regressed: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()
    newly_skipped: tuple[Change, ...] = ()
    still_failing: tuple[Change, ...] = ()
    fixed: tuple[Change, ...] = ()
    added: tuple[Change, ...] = ()
    changed: tuple[Change, ...] = ()
    ground: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """1 when something got worse: regressed, removed, newly skipped, or added and failing; otherwise 0.

        What failed before and fails still is no difference.
        """
        failing = any(change.after and change.after.verdict in _BAD for change in self.added)
        return int(bool(self.regressed or self.removed or self.newly_skipped or failing))

    def text(self) -> str:
        """For people: worst first; one line when nothing differs."""
        lines = [f"{name}: {was or 'unknown'} → {now or 'unknown'}" for name, (was, now) in self.ground.items()]
        for heading, changes in self._headings():
            if changes:
                lines += ["", f"{heading} ({len(changes)})", *(f"  {change.text}" for change in changes)]
        if not any(changes for _, changes in self._headings()):
            lines += ["", "no case differs"]
        return "\n".join(lines).strip() + "\n"

    def _headings(self) -> tuple[tuple[str, tuple[Change, ...]], ...]:
        return (
            ("regressed", self.regressed),
            ("removed", self.removed),
            ("newly skipped", self.newly_skipped),
            ("still failing", self.still_failing),
            ("fixed", self.fixed),
            ("added", self.added),
            ("changed, passing in both", self.changed),
        )


def compare(before: Report, after: Report) -> Difference:
    """What became of every case of `before`, and what `after` has beside."""
    old = {case.id: case for case in before.cases}
    new = {case.id: case for case in after.cases}
    both = [(was, new[key]) for key, was in old.items() if key in new]

    def of(test: Callable[[Evidence, Evidence], bool]) -> tuple[Change, ...]:
        return tuple(Change(now.id, was, now, _why(was, now)) for was, now in both if test(was, now))

    return Difference(
        regressed=of(lambda was, now: now.verdict in _BAD and was.verdict not in _BAD),
        removed=tuple(Change(key, old[key], None, _gone(key, after)) for key in old if key not in new),
        newly_skipped=of(lambda was, now: now.verdict is Verdict.SKIP and was.verdict is not Verdict.SKIP),
        still_failing=of(lambda was, now: now.verdict in _BAD and was.verdict in _BAD),
        fixed=of(lambda was, now: now.verdict is Verdict.PASS and was.verdict is not Verdict.PASS),
        added=tuple(Change(key, None, case, case.reason) for key, case in new.items() if key not in old),
        changed=of(lambda was, now: was.verdict is now.verdict is Verdict.PASS and _said(was) != _said(now)),
        ground=dict(_ground(before, after)),
    )


def _why(was: Evidence, now: Evidence) -> str:
    if now.verdict is Verdict.PASS and was.verdict is Verdict.PASS:
        return f"expected {was.expected}, saw {was.observed}; now expected {now.expected}, saw {now.observed}"
    return now.reason


def _gone(key: str, after: Report) -> str:
    return "selected but not run" if key in after.not_run else "not selected"


def _said(case: Evidence) -> tuple[str, str]:
    return case.expected, case.observed


def _ground(before: Report, after: Report) -> Iterable[tuple[str, tuple[str, str]]]:
    was, now = before.target, after.target
    pairs = {
        "target": (was.kind, now.kind),
        "kubernetes": (was.kubernetes, now.kubernetes),
        "mesh": (f"{was.mesh.name} {was.mesh.version}".strip(), f"{now.mesh.name} {now.mesh.version}".strip()),
        "mesh revision": (was.mesh.revision, now.mesh.revision),
        **{name: (was.details.get(name, ""), now.details.get(name, "")) for name in {**was.details, **now.details}},
    }
    return ((name, pair) for name, pair in pairs.items() if pair[0] != pair[1])
