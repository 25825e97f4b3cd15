"""What makes a comparison of runs weaker, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from clients.model.counted import counted
from reports.diff.environment import environment
from reports.diff.side import Side


def notes(was: Side, now: Side) -> Iterator[str]:
    """A sentence for each."""
    if len(was.runs) > 1 or len(now.runs) > 1:
        yield from _common(was, now)
    yield from _gaps("before", was)
    yield from _gaps("after", now, was.cases)
    for when, one in (("before", was), ("after", now)):
        yield from _mixed(when, one)


def _common(was: Side, now: Side) -> list[str]:
    """The runs that are on both sides: they are alike by themselves."""
    after = {run.run.id for run in now.runs}
    both = dict.fromkeys(run.run.id for run in was.runs if run.run.id in after)
    return [f"on both sides: {', '.join(both)}"] if both else []


def _gaps(when: str, one: Side, named: Collection[str] = ()) -> list[str]:
    """What the runs of one side do not show at all: nothing can have got worse that was never seen.

    Args:
        named: cases whose absence is a change of its own.
    """
    if not one.cases:
        return [f"no case ran {when}"]
    missed = {key for run in one.runs for key in run.not_run} - one.cases.keys() - set(named)
    return [f"{counted(len(missed), 'case')} did not run {when}"] if missed else []


def _mixed(when: str, one: Side) -> list[str]:
    """The names in which the runs of one side differ."""
    last = one.runs[-1].target
    names = dict.fromkeys(name for run in one.runs[:-1] for name in environment(run.target, last))
    return [f"the runs {when} are not alike in {', '.join(names)}"] if names else []
