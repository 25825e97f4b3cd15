"""Folders of runs → the matrix of their clusters: the page, and the same for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from reports.files import write_text
from reports.fleet import page
from reports.fleet.matrix import Fleet, merge, to_json
from reports.record.model import ReportError

PAGE, JSON = "fleet.html", "fleet.json"


def update(folders: Sequence[Path], out: Path) -> tuple[Fleet, Path]:
    """Merge the folders, and write page and JSON into `out`.

    Returns:
        the matrix, and the path of the page.

    Raises:
        ReportError: a folder cannot be read, there is no report, or something cannot be written.
    """
    fleet = merge(folders)
    try:
        write_text(out / JSON, json.dumps(to_json(fleet), ensure_ascii=False, indent=1) + "\n")
        write_text(out / PAGE, page.render(fleet, out))
    except OSError as error:
        raise ReportError(
            f"cannot write {PAGE} in {out}: {error.strerror}", "choose another folder with --to"
        ) from None
    return fleet, out / PAGE
