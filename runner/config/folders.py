"""Names and folders of a run: one is published with the reports, one is private and removed."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from clients.kube.labels import SCRATCH_PREFIX
from clients.model.errors import SettingsError
from reports.record import journal

JOURNAL = journal.FILE
TARGET = "target.json"
DIAGNOSTICS = "diagnostics"


def now() -> str:
    """The time as reports write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_run_id() -> str:
    """For instance `20261122-161305-3fa9`: sorts by time, and is a valid label value and folder name."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def make_run_folder(out: Path) -> Path:
    """The folder of a new run under `out`; its name is the run's id.

    Raises:
        SettingsError: it cannot be made.
    """
    return make_folder(out / new_run_id())


def make_folder(folder: Path) -> Path:
    """A new folder, with those above it.

    Raises:
        SettingsError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise SettingsError(
            f"the folder {folder} cannot be made: {error.strerror}", "choose another with --out"
        ) from None
    return folder


def check_writable(folder: Path, hint: str) -> None:
    """Check that a folder can be made, or written into; nothing is left.

    Raises:
        SettingsError: it cannot.
    """
    there = folder
    try:
        while not there.exists():
            there = there.parent
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise SettingsError(f"the folder {folder} cannot be written: {error.strerror}", hint) from None


def check_file(file: Path, hint: str) -> Path:
    """Check that a file can be written, before the work whose result it is to hold; returns it.

    Raises:
        SettingsError: it cannot, or is a folder.
    """
    if file.is_dir():
        raise SettingsError(f"{file} is a folder", "name the file to write")
    check_writable(file.parent, hint)
    return file


def make_private_folder() -> Path:
    """A folder that only this user can read (mode 0700), for keys and locks; its name holds this process's id."""
    sweep_private_folders()
    return Path(tempfile.mkdtemp(prefix=f"{SCRATCH_PREFIX}{os.getpid()}-"))


def sweep_private_folders() -> None:
    """Remove the private folders of processes that were killed: keys do not outlive their run."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH_PREFIX}*-*"):
        pid = folder.name.removeprefix(SCRATCH_PREFIX).split("-", 1)[0]
        if pid.isdigit() and not alive(int(pid)) and folder.stat().st_uid == os.getuid():
            remove(folder)


def alive(pid: int) -> bool:
    """Whether the process runs. One that has ended is listed until its parent waits for it (proc(5), state Z)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True  # a system without /proc
    return state not in {"Z", "X"}


def remove(folder: Path) -> None:
    """Remove a folder with its content."""
    shutil.rmtree(folder, ignore_errors=True)
