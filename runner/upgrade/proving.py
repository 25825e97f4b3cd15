"""What a run of the suites at the end of a phase says: its events, its numbers, and the page of what differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clients.model.errors import ClusterError, MeshproofError, SettingsError
from reports.diff import compare
from reports.diff.page import render
from reports.record import conformance
from reports.record.model import MeshRecord
from runner.upgrade.record import Event, UpgradeSide
from runner.upgrade.regressions import against
from runner.upgrade.verdict import NOT_KNOWN_KIND

DIFF = "diff.html"
"""In the folder of a phase: what its run shows otherwise than the one of the phase `before`."""


@dataclass(frozen=True)
class Proven:
    """A run of the suites, judged.

    Attributes:
        run: its folder, below the upgrade's; that of an earlier run is absolute.
        cases: verdict → number of cases.
    """

    run: str = ""
    events: tuple[Event, ...] = ()
    cases: dict[str, int] = field(default_factory=dict)


def judge(phase: str, run: Path, first: Path | None, folder: Path, due: UpgradeSide | None = None) -> Proven:
    """Judge a run by the one of the phase `before`; None where it is that run. Writes the page of the difference.

    Args:
        due: the revision that it should be of; None for an earlier run.

    Raises:
        ClusterError: a report is missing.
        SettingsError: the page cannot be written.
    """
    try:
        now = conformance.load(run)
        difference = compare(conformance.load(first), now) if first else None
    except MeshproofError as error:
        raise ClusterError(f"phase {phase}: the suites have no report: {error.message}", error.hint) from None
    if difference:
        try:
            (folder / phase).mkdir(exist_ok=True)
            (folder / phase / DIFF).write_text(render(difference), encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"{folder} cannot be written to: {error.strerror}", "choose another by --out") from None
    named = run.relative_to(folder) if run.is_relative_to(folder) else run
    events = [*against(phase, now, difference), *(_elsewhere(phase, now.target.mesh, due) if due else ())]
    return Proven(named.as_posix(), tuple(events), now.totals)


def _elsewhere(phase: str, seen: MeshRecord, due: UpgradeSide) -> Iterator[Event]:
    """The suites looked at another mesh than the phase is about, as where a tag was moved while they ran."""
    for what, there, wanted in (("revision", seen.revision, due.revision), ("version", seen.version, due.version)):
        if there and wanted and there != wanted:
            text = f"they ran on the {what} {there}, and not on {wanted}: that one is not shown"
            yield Event(phase, NOT_KNOWN_KIND, "suites", text)
