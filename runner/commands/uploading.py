"""The reports of a run go to a bucket when it has ended (`--upload`), and those of earlier ones come from it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from clients.model.exit_code import ExitCode
from reports.history.store import cluster_of
from reports.notice import news
from reports.record import conformance
from reports.record.model import ReportError
from runner.config.settings import Settings
from runner.target.target import Target

if TYPE_CHECKING:
    from reports.bucket import Bucket

DAYS, MOST = 30, 3
"""How old a run may be that is fetched, in days; how many are: a case may not have been planned in the last one."""


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


def earlier(bucket: Bucket | None, target: Target) -> None:
    """Fetch what the newest runs of this cluster showed, where no earlier run is here: they decide what is new.

    What cannot be fetched costs no run; it is said where it matters to someone who is notified.
    """
    settings = target.settings
    if bucket is None or any(settings.out.glob(f"*/{conformance.FILE}")):
        return
    since = f"{datetime.now(UTC) - timedelta(days=DAYS):%Y%m%d}"
    try:
        files, several = (conformance.FILE, news.NOT_SENT), not _name(target)
        bucket.fetch(settings.out, files, since, MOST, _cluster(target), several=several)
    except ReportError as error:
        if settings.notify.url.get_secret_value():
            print(f"meshproof: {error}; all that is bad counts as new", file=sys.stderr)


def _cluster(target: Target) -> Callable[[bytes], str]:
    """The beginning of a `conformance.json` → the name of its cluster; empty where it is not the one of this run.

    One that does not show it is taken for this one's. In a pod, before the cluster is asked for its uid, only those
    that have a name are known to be others.
    """
    own = (target.kind, _name(target))

    def name(head: bytes) -> str:
        its = conformance.target_of(head)
        if its is None:
            return "not shown"
        return cluster_of(its) if (its.kind, its.cluster or its.context) == own else ""

    return name


def _name(target: Target) -> str:
    """The name by which reports know the cluster; empty where it has none before it is asked, as in a pod."""
    return target.settings.cluster_name or target.context()


def not_sent(folder: Path, bucket: Bucket | None) -> None:
    """Let the next run know, also where it has only the bucket, that the news of this one did not arrive."""
    if bucket is None or not (folder / news.NOT_SENT).exists():
        return
    try:
        bucket.put_file(folder, news.NOT_SENT)
    except ReportError as error:
        print(f"meshproof: {error}", file=sys.stderr)


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
