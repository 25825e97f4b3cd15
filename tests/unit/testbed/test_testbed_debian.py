"""Debian packages are unpacked by two programs, of which the second may end first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbed.build import debian
from testbed.build.command import BuildError

pytestmark = pytest.mark.unit


def test_a_full_disk_ends_the_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tar ends at once, while dpkg-deb has more to say than a pipe holds: it must not be waited for for ever."""
    for name, script in (("dpkg-deb", "exec cat /dev/zero"), ("tar", "echo no space left >&2; exit 2")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(BuildError, match=r"unpacking tree\.deb failed: no space left"):
        debian._unpack(Path("tree.deb"), tmp_path)
