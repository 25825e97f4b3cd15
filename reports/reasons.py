"""Cases by their reason: a reason that many cases share is shown once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clients.model.evidence import Evidence, Verdict
from reports.attempts import one_line
from reports.marks import Mark, mark, not_checked

_SHOWN = 6


@dataclass(frozen=True)
class ReasonGroup:
    """Cases of one verdict with one reason, in order."""

    verdict: Verdict
    reason: str
    cases: tuple[Evidence, ...]


def by_reason(cases: Iterable[Evidence], *verdicts: Verdict) -> tuple[ReasonGroup, ...]:
    """The cases of these verdicts, verdict after verdict, reasons in the order in which they first occur.

    Known failures are not among them: `reports.known` groups them by their entry.
    """
    grouped: dict[tuple[Verdict, str], list[Evidence]] = {}
    listed = tuple(case for case in cases if mark(case) != Mark.KNOWN)
    for verdict in verdicts:
        for case in listed:
            if case.verdict is verdict:
                grouped.setdefault((verdict, one_line(case.reason)), []).append(case)
    return tuple(ReasonGroup(verdict, reason, tuple(group)) for (verdict, reason), group in grouped.items())


def by_unchecked(cases: Iterable[Evidence]) -> tuple[ReasonGroup, ...]:
    """The passed cases with reduced proof, by what was not checked. A case with two such findings is in one group."""
    grouped: dict[str, list[Evidence]] = {}
    for case in cases:
        if found := not_checked(case):
            grouped.setdefault("; ".join(one_line(f"{one.name}: {one.text}") for one in found), []).append(case)
    return tuple(ReasonGroup(Verdict.PASS, reason, tuple(group)) for reason, group in grouped.items())


def short_ids(ids: Sequence[str], most: int = _SHOWN) -> str:
    """`A-01, A-02`, and `A-01, A-02 and 128 more` for many."""
    kept = ids if len(ids) <= most + 1 else ids[:most]
    more = f" and {len(ids) - len(kept)} more" if len(ids) > len(kept) else ""
    return ", ".join(map(one_line, kept)) + more
