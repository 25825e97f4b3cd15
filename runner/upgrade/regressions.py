"""What the suites say against an upgrade: every case that got worse, and what they could not find out."""

from __future__ import annotations

from clients.model.evidence import Verdict
from reports.diff import Change, Difference
from reports.model import Report
from runner.upgrade.record import Event
from runner.upgrade.verdict import NOT_KNOWN_KIND


def against(phase: str, now: Report, difference: Difference | None) -> list[Event]:
    """Events of a run.

    Args:
        difference: to the run of the phase `before`; None where this is that run.
    """
    events = [_not_known(phase, "suites", f"{len(now.not_run)} cases did not run")] if now.not_run else []
    if difference is None:
        return [*events, *([] if now.cases else [_not_known(phase, "suites", "no case ran")])]
    for change in (*difference.regressed, *_failing(difference)):
        unclear = change.after is not None and change.after.verdict is Verdict.INCONCLUSIVE
        events.append(Event(phase, NOT_KNOWN_KIND if unclear else "regression", change.id, change.text))
    unproven = (*difference.removed, *difference.newly_skipped, *difference.reduced)
    return [*events, *(_not_known(phase, change.id, change.text) for change in unproven)]


def _failing(difference: Difference) -> list[Change]:
    """Cases that the run before did not have, and that do not pass."""
    bad = (Verdict.FAIL, Verdict.INCONCLUSIVE)
    return [one for one in difference.added if one.after is not None and one.after.verdict in bad]


def _not_known(phase: str, what: str, text: str) -> Event:
    return Event(phase, NOT_KNOWN_KIND, what, text)
