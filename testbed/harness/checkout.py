"""What of a checkout goes into the image: everything that a run needs, and nothing that only development needs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("clients", "deploy/rbac", "manifests", "reports", "runner", "suites", "testbed")
FILES = ("LICENSE", "conftest.py", "pyproject.toml", "requirements.lock")
_NOT = frozenset({"__pycache__", "out"})
"""Folders that are made by running: bytecode, and reports of runs."""


def files(root: Path) -> Iterator[Path]:
    """The files, relative to the checkout, always in the same order.

    Args:
        root: folder of the checkout.
    """
    for name in FOLDERS:
        for path in sorted((root / name).rglob("*")):
            inside = path.relative_to(root)
            if path.is_file() and not _NOT.intersection(inside.parts):
                yield inside
    yield from map(Path, FILES)


def copy(root: Path, target: Path) -> None:
    """Copy the files; every user may read them, and execute what can be executed here."""
    for inside in files(root):
        place = target / inside
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / inside, place)
        place.chmod(0o755 if (root / inside).stat().st_mode & 0o100 else 0o644)
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
