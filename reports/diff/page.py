"""`diff.html`: of one family with a run's page. One file, no network, works without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.diff.compare import Change, Difference
from reports.diff.plain import headline
from reports.diff.slower import LEAST_S, LEAST_SHARE, LEVEL, Slower
from reports.html.frame import frame, templates

WIDTH, HEIGHT = 320, 34
"""Of a drawing of times, in its own units."""
_EDGE = 6
MEANING = {
    "regressed": "Fails or is inconclusive now, and was not before.",
    "removed": "Has no record now.",
    "newly skipped": "Is skipped now, and was not before.",
    "reduced": "Passes, but a part of the proof could not be looked at any more.",
    "known failures": "Fails now, as an entry of a list of known failures says.",
    "still failing": "Neither passed nor was skipped, before and now.",
    "fixed": "Passes now, and did not before; or is proven in full again.",
    "added": "Has no record before.",
    "changed, passing in both": "Passes, but expects or shows something else.",
}


@dataclass(frozen=True)
class ControlChanges:
    """A control with its changed cases."""

    control: str
    title: str
    changes: tuple[Change, ...]


def render(difference: Difference) -> str:
    """The whole page. The same comparison gives the same bytes."""
    environment = templates()
    environment.globals.update(by_control=by_control, meaning=MEANING, dots=dots, width=WIDTH, height=HEIGHT)
    worst = [name for name, changes in difference.headings if changes]
    return environment.get_template("diff.html.j2").render(
        difference=difference,
        headline=headline(difference),
        tone="fail" if difference.worse else "pass",
        anchors={name: name.partition(",")[0].replace(" ", "-") for name in worst},
        page=frame(["style.css.j2", "history.css.j2", "diff.css.j2"], ["theme.js", "history.js"]),
        limits={"level": f"{LEVEL:.0%}", "least_s": LEAST_S, "share": f"{LEAST_SHARE:.0%}"},
    )


def by_control(changes: Sequence[Change]) -> list[ControlChanges]:
    """The changes, those of one control together, in the order in which controls first occur."""
    found: dict[str, list[Change]] = {}
    for one in changes:
        found.setdefault(one.control, []).append(one)
    return [ControlChanges(name, listed[0].title, tuple(listed)) for name, listed in found.items()]


def dots(one: Slower) -> list[tuple[str, float, float]]:
    """(side, x, y) of the time of each run, both sides on one scale from zero."""
    longest = max(*one.before_s, *one.after_s) or 1.0
    rows = (("before", one.before_s, HEIGHT * 0.28), ("after", one.after_s, HEIGHT * 0.72))
    return [
        (name, round(_EDGE + value / longest * (WIDTH - 2 * _EDGE), 1), round(y, 1))
        for name, values, y in rows
        for value in values
    ]
