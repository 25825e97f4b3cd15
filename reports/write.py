"""Journal → every report of a run, whatever happened to the run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from reports import attest, files, html
from reports.formats import allure, gateway_api, junit, markdown, metrics
from reports.html import diagnostics
from reports.notice.news import runs_before, since
from reports.record import conformance, journal, packed
from reports.record.model import Report, ReportError, RunInfo, TargetInfo

INDEX = "index.html"
SUMMARY = "summary.md"
QUIET_S = 600.0
"""Seconds without a record after which a run that has no end was killed: nothing that a case waits for takes longer."""


def write_all(
    journal_file: Path,
    out: Path,
    run: RunInfo | None = None,
    target: TargetInfo | None = None,
    key: Path | None = None,
) -> Path:
    """Write every report of the journal into `out` (the run's folder), and point `latest` in the folder above to it.

    A journal in that folder is compressed then, unless the run may still append to it. Without `run` or `target`, what
    the journal says of them is used. A report that cannot be written keeps none of the others from being written.

    Args:
        key: that signs the files (`reports.attest`); None for one of this run.

    Returns:
        the path of `index.html`.

    Raises:
        ReportError: the journal cannot be read, or reports could not be written; the message names them.
    """
    report = conformance.build(journal.read(journal_file), run, target)
    finished = journal_file.parent == out and not (report.run.ended == "" and _goes_on(journal_file))
    return write_reports(report, out, key, journal_file if finished else None)


def _goes_on(journal_file: Path) -> bool:
    """Whether a run without an end may still write: it was not killed, as far as its journal shows."""
    try:
        return time.time() - journal_file.stat().st_mtime < QUIET_S
    except OSError:  # it is compressed already
        return False


def write_reports(report: Report, out: Path, key: Path | None = None, finished: Path | None = None) -> Path:
    """The same from a report that is built or loaded already.

    Args:
        finished: journal that nothing is appended to any more; it is compressed, and so are diagnostics.

    Raises:
        ReportError: reports could not be written; the message names them.
    """
    writers: dict[str, Callable[[], None]] = {
        conformance.FILE: lambda: conformance.save(report, out / conformance.FILE),
        diagnostics.FOLDER: lambda: diagnostics.write(out) if finished else None,
        INDEX: lambda: files.write_text(out / INDEX, html.render(report, out)),
        "junit.xml": lambda: files.write_text(out / "junit.xml", junit.render(report)),
        SUMMARY: lambda: files.write_text(out / SUMMARY, markdown.render(report, news=since(report, out.parent))),
        metrics.FILE: lambda: files.write_text(out / metrics.FILE, metrics.render(report)),
        gateway_api.FILE: lambda: _write_any(out / gateway_api.FILE, gateway_api.render(report)),
        allure.FOLDER: lambda: allure.write(report, out / allure.FOLDER, _results_before(report, out)),
        journal.FILE: lambda: packed.pack(finished) if finished else None,
        attest.FILE: lambda: attest.write(report, out, key),  # of the files above
        "latest": lambda: _point_latest(out),
    }
    problems: dict[str, list[str]] = {}
    for name, write in writers.items():
        try:
            write()
        except ReportError as error:
            problems.setdefault(error.message, []).append(name)
        except OSError as error:
            problems.setdefault(error.strerror or str(error), []).append(name)
        except Exception as error:  # one broken report must not cost the others
            problems.setdefault(f"{type(error).__name__}: {error}", []).append(name)
    if problems:
        listed = "; ".join(f"{', '.join(names)}: {why}" for why, names in problems.items())
        raise ReportError(f"cannot write all reports in {out}: {listed}", "the other files there are complete")
    return out / INDEX


def _write_any(path: Path, text: str) -> None:
    """Write the file, or remove it where there is nothing to say.

    Raises:
        OSError: it cannot be written.
    """
    if text:
        files.write_text(path, text)
    else:
        path.unlink(missing_ok=True)


def _results_before(report: Report, out: Path) -> Path | None:
    """Allure's results of the run before, on the same cluster."""
    return next((folder / allure.FOLDER for folder, _ in runs_before(report, out.parent)), None)


def _point_latest(out: Path) -> None:
    """Swap the link in one step, so that a reader never finds it missing.

    Raises:
        OSError: the link cannot be made; a real file or folder of that name is left alone.
    """
    link = out.parent / "latest"
    if link.exists() and not link.is_symlink():
        raise FileExistsError(f"{link} is no link, so it is left alone")
    partial = out.parent / f".latest.{os.getpid()}"
    partial.unlink(missing_ok=True)
    partial.symlink_to(out.name, target_is_directory=True)
    partial.replace(link)
