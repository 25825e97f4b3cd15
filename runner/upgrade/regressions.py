"""What the suites say against an upgrade: every case that got worse, and what they could not find out."""

from __future__ import annotations

from collections.abc import Iterator

from clients.model.counted import counted
from clients.model.evidence import Verdict
from reports.diff import Change, Difference
from reports.record.model import Report
from runner.upgrade.record import Event
from runner.upgrade.verdict import NOT_KNOWN_KIND


def against(phase: str, now: Report, difference: Difference | None) -> list[Event]:
    """Events of a run.

    Args:
        difference: to the run of the phase `before`; None where this is that run.
    """
    events = [_not_known(phase, "suites", f"{counted(len(now.not_run), 'case')} did not run")] if now.not_run else []
    if difference is None:
        if not any(case.verdict is Verdict.PASS for case in now.cases):
            text = "no case passes, so that none can get worse" if now.cases else "no case ran"
            events.append(_not_known(phase, "suites", text))
        return events
    for change in (*difference.regressed, *_failing(difference)):
        unclear = change.after is not None and change.after.verdict is Verdict.INCONCLUSIVE
        events.append(Event(phase, NOT_KNOWN_KIND if unclear else "regression", change.id, change.text))
    events += [Event(phase, "regression", one.id, one.text) for one in difference.known if _passed(one)]
    unproven = (*difference.removed, *difference.newly_skipped, *difference.reduced, *_unclear(difference))
    return [*events, *(_not_known(phase, change.id, change.text) for change in unproven)]


def _passed(change: Change) -> bool:
    """Whether it passed before: a list of known failures excuses a run, and not that a version brings the failure."""
    return change.before is not None and change.before.verdict is Verdict.PASS


def _unclear(difference: Difference) -> Iterator[Change]:
    """Cases that did not pass before or now, one of them without an answer: whether they got worse is not known."""
    unclear = (Verdict.INCONCLUSIVE, Verdict.SKIP)
    for one in (*difference.still_failing, *difference.known):
        if any(there and there.verdict in unclear for there in (one.before, one.after)):
            yield one


def _failing(difference: Difference) -> list[Change]:
    """Cases that the run before did not have, and that do not pass."""
    bad = (Verdict.FAIL, Verdict.INCONCLUSIVE)
    return [one for one in difference.added if one.after is not None and one.after.verdict in bad]


def _not_known(phase: str, what: str, text: str) -> Event:
    return Event(phase, NOT_KNOWN_KIND, what, text)
