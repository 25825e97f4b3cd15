"""A folder of runs → its history: the file, the page, and the same for programs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from reports.files import write_text
from reports.history import page
from reports.history.feed import Fed, feed, reports_below, unreadable
from reports.history.history import build, to_json
from reports.history.store import FILE, HistoryStore
from reports.record.model import ReportError

PAGE, JSON = "history.html", "history.json"


def update(folder: Path, file: Path | None = None, keep_days: int | None = None) -> tuple[Fed, Path]:
    """Feed the file from the folder, and write page and JSON next to it.

    Args:
        file: of the history; by default in the folder.
        keep_days: nights to keep; None keeps all.

    Returns:
        what was imported, and the path of the page.

    Raises:
        ReportError: the folder cannot be read, the file is no history or is that of the page, something cannot be
            written, or there is no run.
    """
    if not folder.is_dir():
        raise ReportError(f"{folder} is no folder", "name the folder of your runs, for instance reports/out")
    file = file or folder / FILE
    if file.name in (PAGE, JSON):
        raise ReportError(f"{file} is where the page of the history goes", "name another file with --file")
    nothing = ReportError(f"{folder} holds no conformance.json", "name the folder of your runs")
    if not file.exists() and not any(reports_below(folder, lambda _problem: None)):
        raise nothing  # before an empty history is made
    new = not file.exists()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "choose another with --file"
        raise ReportError(f"the folder {file.parent} cannot be made: {error.strerror}", hint) from None
    with HistoryStore(file) as store:
        fed = feed(store, folder, keep_days)
        history = build(store)
    if not history.clusters:
        if new:
            file.unlink(missing_ok=True)
        raise unreadable(fed.problems) if fed.problems else nothing
    try:
        write_text(file.with_name(JSON), json.dumps(to_json(history), ensure_ascii=False) + "\n")
        write_text(file.with_name(PAGE), page.render(history))
    except OSError as error:
        raise ReportError(f"cannot write the history's page in {file.parent}: {error.strerror}") from None
    return replace(fed, ahead=history.ahead), file.with_name(PAGE)
