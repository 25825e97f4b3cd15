"""What leaves the run's folder when a run has ended: metrics and a notification. Only metrics change its exit code."""

from __future__ import annotations

import sys
from pathlib import Path

from clients.model.errors import MeshproofError, SettingsError
from clients.model.exit_code import ExitCode
from reports import files
from reports.record import conformance
from reports.record.model import Report
from runner.config import folders
from runner.config.notify_settings import Notify
from runner.config.settings import Settings


def check(settings: Settings) -> None:
    """Refuse, before a run, what could not be written when it has ended.

    Raises:
        SettingsError: the file of metrics, or the folder of the runs, cannot be written.
        ReportError: the key does not sign.
    """
    if settings.signing_key:
        from reports import signing_keys

        signing_keys.private_key(settings.signing_key)
    if settings.metrics:
        if settings.metrics.is_dir():
            raise SettingsError(f"the setting metrics names {settings.metrics}, which is a folder", "name a file in it")
        folders.check_writable(settings.metrics.parent, "choose another file with --metrics")
    folders.check_writable(settings.out, "choose another with --out")


def after(folder: Path, settings: Settings) -> bool:
    """Write the metrics and send what is new of the run in this folder; what fails is one line each.

    Returns:
        False where the metrics were asked for and cannot be written.
    """
    wanted = settings.metrics or settings.notify.url.get_secret_value()
    if not wanted or not (folder / conformance.FILE).is_file():
        return True
    try:
        report = conformance.load(folder)
    except MeshproofError as error:
        _say(str(error))
        return not settings.metrics
    written = _write(report, settings.metrics) if settings.metrics else True
    if settings.notify.url.get_secret_value() and report.run.exit != ExitCode.INTERRUPTED:
        _notify(report, folder, settings.notify)
    return written


def _write(report: Report, file: Path) -> bool:
    from reports.formats import metrics  # its library is loaded only where it is used

    try:
        files.write_text(file, metrics.render(report, metrics.last_conforming(file)))
    except OSError as error:
        _say(f"the metrics cannot be written to {file}: {error.strerror or error}")
        return False
    return True


def _notify(report: Report, folder: Path, notify: Notify) -> None:
    """Send the news; what could not be sent is sent by the next run.

    Alertmanager gets every bad case each time, new or not: it tells of an alert once, and forgets one that is not
    repeated.
    """
    from reports.notice import message, news, send

    try:
        found = news.since(report, folder.parent)
        if found.any or (notify.form is message.NoticeKind.ALERTMANAGER and found.still):
            body = message.render(notify.form, report, found, notify.link(report.run.id))
            send.send(notify.url.get_secret_value(), body)
    except MeshproofError as error:
        _say(str(error))
        _remember(folder / news.NOT_SENT)


def _remember(file: Path) -> None:
    try:
        file.touch()
    except OSError as error:
        _say(f"{file} cannot be written: {error.strerror}")


def _say(text: str) -> None:
    print(f"meshproof: {text}", file=sys.stderr)
