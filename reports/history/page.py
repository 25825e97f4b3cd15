"""`history.html`: of one family with the run's page. One file, no network, works without scripts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clients.model.counted import counted
from reports.history.history import ClusterHistory, History
from reports.history.strips import Changes, Strip, runs_of
from reports.history.times import KindTimes
from reports.html.frame import frame, templates
from reports.marks import WORDS, Mark

HEIGHTS = {
    Mark.FAIL: 100,
    Mark.INCONCLUSIVE: 85,
    Mark.KNOWN: 70,
    Mark.NOT_RUN: 18,
    Mark.SKIP: 18,
    Mark.REDUCED: 60,
    Mark.PASS: 45,
}
"""Of a night in a strip, in per cent: what a colour says, its height says too."""
CHART = 100
"""Height of a chart, in its own units."""


@dataclass(frozen=True)
class Chart:
    """The nights of a kind: the band from p10 to p90, the line of medians, and the new levels; x in nights.

    Attributes:
        top_s: seconds at the upper edge.
        text: what it shows, in words.
    """

    width: int
    band: str
    line: str
    levels: tuple[int, ...]
    top_s: float
    text: str


def render(history: History) -> str:
    """The whole page. The same history gives the same bytes."""
    environment = templates()
    environment.globals.update(
        bars=bars,
        chart=chart,
        words_of=words_of,
        changed=changed,
        trend_text=trend_text,
        legend=legend,
        heights=HEIGHTS,
    )
    page = frame(["style.css.j2", "history.css.j2"], ["theme.js", "history.js"])
    return environment.get_template("history.html.j2").render(
        history=history, headline=headline(history), tone=tone(history), page=page
    )


def headline(history: History) -> str:
    """`3 of 288 controls failed or had no verdict on their last night`, with the nights that the page is about."""
    number = sum(len(cluster.strips) for cluster in history.clusters)
    nights = max((len(cluster.nights) for cluster in history.clusters), default=0)
    what = counted(number, "control") + (f" on {len(history.clusters)} clusters" if len(history.clusters) > 1 else "")
    last = f"{history.bad} of {what} failed or had no verdict" if history.bad else f"None of {what} failed"
    left = f", {history.not_run} {'was' if history.not_run == 1 else 'were'} not run on the last one"
    return f"{last} on their last night{left if history.not_run else ''}; {counted(nights, 'night')} of history"


def tone(history: History) -> str:
    """The colour of the headline: `fail`, `inconclusive` or `pass`."""
    return "fail" if history.bad else "inconclusive" if history.not_run else "pass"


def bars(strip: Strip) -> list[tuple[str, str]]:
    """(mark, path) of a strip; x in nights, y in per cent. Few shapes, however many nights there are."""
    paths: dict[str, str] = {}
    for first, number, mark in runs_of(strip.marks):
        height = HEIGHTS[mark]
        paths[mark] = paths.get(mark, "") + f"M{first} {100 - height}h{number - 0.2:g}v{height}h-{number - 0.2:g}z"
    return list(paths.items())


def legend(cluster: ClusterHistory) -> list[str]:
    """The marks that occur, as the strips draw them."""
    used = {mark for night in cluster.nights for mark in night.controls}
    return [mark for mark in HEIGHTS if mark in used]


def words_of(strip: Strip, cluster: ClusterHistory) -> str:
    """A strip for readers who cannot see it: `pass until 2026-11-03, then fail, pass from 2026-11-05`."""
    runs = _levels(strip)
    if not runs:
        return "not run"
    parts = [f"{WORDS[mark]} from {cluster.nights[first].date}" for first, mark in runs[-6:]]
    if more := len(runs) - len(parts):
        parts.insert(0, f"{counted(more, 'earlier change')}")
    return ", ".join(parts)


def _levels(strip: Strip) -> list[tuple[int, Mark]]:
    """(first night, mark) each time the mark is another one."""
    found: list[tuple[int, Mark]] = []
    for first, _, mark in runs_of(strip.marks):
        if not found or found[-1][1] != mark:
            found.append((first, mark))
    return found


def changed(changes: Changes) -> str:
    """`mesh: istio 1.29.1 → istio 1.30.0`, or that nothing is known to have changed."""
    listed = [f"{name}: {was or 'unknown'} → {now or 'unknown'}" for name, (was, now) in changes.items()]
    return "; ".join(listed) or "nothing that the reports record"


def trend_text(kind: KindTimes) -> str:
    """Whether the times rise or fall, with the chance that it is none."""
    found = kind.trend
    if found is None:
        return "too few nights"
    if not found.claimed:
        return f"none (p = {found.chance:.2f})"
    direction = "rises" if found.per_night > 0 else "falls"
    chance = "p < 0.001" if found.chance < 0.001 else f"p = {found.chance:.3f}"
    return f"{direction} by {abs(found.per_night) * 1000:.1f} ms a night ({chance})"


def chart(kind: KindTimes, cluster: ClusterHistory) -> Chart:
    """The nights of a kind as shapes."""
    top = max(night.p90_s for night in kind.nights) or 1.0

    def points(values: Iterable[tuple[int, float]]) -> list[str]:
        return [f"{night + 0.5:g} {CHART - value / top * (CHART - 4):.1f}" for night, value in values]

    upper = points((night.night, night.p90_s) for night in kind.nights)
    lower = points((night.night, night.p10_s) for night in kind.nights)
    first, last = kind.nights[0], kind.nights[-1]
    text = f"median {first.median_s:.2f} s on {cluster.nights[first.night].date}, " \
           f"{last.median_s:.2f} s on {cluster.nights[last.night].date}"  # fmt: skip
    for level in kind.levels:
        text += f"; from {cluster.nights[level.night].date} on {level.after_s:.2f} s instead of {level.before_s:.2f} s"
    return Chart(
        width=len(cluster.nights),
        band="M" + "L".join([*upper, *reversed(lower)]) + "z",
        line="M" + "L".join(points((night.night, night.median_s) for night in kind.nights)),
        levels=tuple(level.night for level in kind.levels),
        top_s=top,
        text=text,
    )
