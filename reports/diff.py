"""Two runs compared, case by case, by id: what an upgrade of the mesh changed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from clients.model.evidence import Evidence, Verdict
from reports.attempts import one_line
from reports.marks import KNOWN, REDUCED, WORDS, mark, not_checked
from reports.model import Report, TargetInfo

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
        was = WORDS[mark(self.before)] if self.before else "absent"
        now = WORDS[mark(self.after)] if self.after else "absent"
        return f"{self.id}: {was} → {now}" + (f" ({self.note})" if self.note else "")


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
        environment: name → (before, after) of what differs in mesh, cluster and target.
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
    environment: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """1 when something got worse: regressed, removed, newly skipped, reduced, or added and failing; otherwise 0.

        What failed before and fails still is no difference, and a known failure is expected.
        """
        failing = any(change.after and _is_bad(change.after) for change in self.added)
        return int(bool(self.regressed or self.removed or self.newly_skipped or self.reduced or failing))

    def text(self) -> str:
        """For people: worst first; one line when nothing differs."""
        lines = [f"{name}: {was or 'unknown'} → {now or 'unknown'}" for name, (was, now) in self.environment.items()]
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
            ("reduced", self.reduced),
            ("known failures", self.known),
            ("still failing", self.still_failing),
            ("fixed", self.fixed),
            ("added", self.added),
            ("changed, passing in both", self.changed),
        )


def compare(before: Report, after: Report) -> Difference:
    """What became of every case of `before`, and what `after` has besides. Reports of schema 1 and 2 compare alike."""
    old = {case.id: case for case in before.cases}
    new = {case.id: case for case in after.cases}
    changes: dict[str, list[Change]] = defaultdict(list)
    for key, was in old.items():
        if key not in new:
            changes["removed"].append(Change(key, was, None, _gone(key, after)))
        elif heading := _heading(was, new[key]):
            changes[heading].append(Change(key, was, new[key], _why(was, new[key])))
    changes["added"] = [Change(key, None, case, _why_now(case)) for key, case in new.items() if key not in old]
    found = {name: tuple(listed) for name, listed in changes.items()}
    return Difference(**found, environment=environment(before.target, after.target))


def _heading(was: Evidence, now: Evidence) -> str:
    """The one field of `Difference` that a case belongs to; empty where nothing differs."""
    if mark(now) == KNOWN:
        return "known"
    if now.verdict in _BAD:
        return "still_failing" if was.verdict in _BAD else "regressed"
    if now.verdict is Verdict.SKIP:
        return "" if was.verdict is Verdict.SKIP else "newly_skipped"
    if was.verdict is not Verdict.PASS:
        return "fixed"
    if mark(was) != mark(now):
        return "reduced" if mark(now) == REDUCED else "fixed"
    return "changed" if _said(was) != _said(now) else ""


def _is_bad(case: Evidence) -> bool:
    return case.verdict in _BAD and mark(case) != KNOWN


def _why_now(case: Evidence) -> str:
    return "; ".join(filter(None, (f"known {case.known.text}" if case.known else "", case.reason)))


def _why(was: Evidence, now: Evidence) -> str:
    notes = [_why_now(now)] if now.reason or now.verdict is not Verdict.PASS else []
    if mark(now) == REDUCED and mark(was) != REDUCED:
        unchecked = "; ".join(one_line(f"{finding.name}: {finding.text}") for finding in not_checked(now))
        notes.append(f"not checked: {unchecked}")
    if now.verdict is Verdict.PASS and was.verdict is Verdict.PASS and _said(was) != _said(now):
        notes.append(f"expected {was.expected}, saw {was.observed}; now expected {now.expected}, saw {now.observed}")
    return "; ".join(filter(None, notes))


def _gone(key: str, after: Report) -> str:
    return "selected but not run" if key in after.not_run else "not selected"


def _said(case: Evidence) -> tuple[str, str]:
    return case.expected, case.observed


def environment(was: TargetInfo, now: TargetInfo) -> dict[str, tuple[str, str]]:
    """Name → (before, after) of what differs between two targets: mesh, cluster, and every detail that was recorded."""
    pairs = {
        "target": (f"{was.kind} {was.context}".strip(), f"{now.kind} {now.context}".strip()),
        "kubernetes": (was.kubernetes, now.kubernetes),
        "mesh": (f"{was.mesh.name} {was.mesh.version}".strip(), f"{now.mesh.name} {now.mesh.version}".strip()),
        "mesh revision": (was.mesh.revision, now.mesh.revision),
        **{name: (was.details.get(name, ""), now.details.get(name, "")) for name in {**was.details, **now.details}},
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
