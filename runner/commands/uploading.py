"""The reports of a run go to a bucket when it has ended, however it ended (`--upload`)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from clients.model.exit_code import ExitCode
from reports.record.model import ReportError
from runner.config.settings import Settings

if TYPE_CHECKING:
    from reports.bucket import Bucket


def bucket(settings: Settings) -> Bucket | None:
    """The bucket that the settings name; None where they name none.

    Raises:
        SettingsError: it cannot be written to, as far as that shows before the run.
    """
    if not settings.upload:
        return None
    from reports.bucket import Bucket  # its library is loaded only where it is used

    found = Bucket.of(settings.upload)
    found.look()
    return found


def after(conduct: Callable[[], int], folder: Path, bucket: Bucket | None) -> int:
    """Conduct a run, then copy its folder; returns the run's exit code, or 2 where only the copy failed.

    A run whose reports could not all be written has its others copied too.
    """
    if bucket is None:
        return conduct()
    try:
        code = conduct()
    except ReportError:
        _copied(folder, bucket)
        raise
    return code if _copied(folder, bucket) else code or ExitCode.BAD_INPUT


def _copied(folder: Path, bucket: Bucket) -> bool:
    if not folder.exists():
        return True  # nothing was selected
    try:
        print(f"reports are in {bucket.put(folder)}")
    except ReportError as error:
        print(f"meshproof: {error}; the reports are in {folder}", file=sys.stderr)
        return False
    return True
