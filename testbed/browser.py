"""The browser: Debian's headless Chromium as a part of the store, so that nothing is installed on the machine.

It stands beside the cluster, not in it: a start does without, and it is made when a control first needs it.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from testbed.build import debian
from testbed.parts import RECIPE
from testbed.progress import Say, step
from testbed.store import Part, Store, digest
from testbed.versions import HERE

PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")
"""The engine without its windows, which takes half the room, and a font: pages are looked at in pictures."""

PROGRAM = "chromium"
_UNUSED = ("usr/lib/*/libLLVM-*", "usr/lib/*/libz3.so*", "usr/lib/*/dri", "usr/lib/chromium/libVkLayer_*")
"""Drivers of graphics hardware, which come along and which a browser without windows never loads: a third of it all."""
_LAUNCHER = HERE / "browser.sh"
_TOOLS = ("unshare", "mount", "chroot", "readlink")
_BUILD_TOOLS = ("apt-get", "dpkg-deb", "tar")


def part(say: Say) -> Part:
    """Its root file system, and the launcher beside it."""

    def make(target: Path) -> dict[str, str]:
        with step(say, "headless Chromium from Debian packages") as current:
            work = target / ".apt"
            work.mkdir()
            packages = debian.root_file_system(target / "root", PACKAGES, work, current.note)
        for path in [found for pattern in _UNUSED for found in (target / "root").glob(pattern)]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (target / "view").mkdir()
        shutil.copy(_LAUNCHER, target / PROGRAM)
        (target / PROGRAM).chmod(0o755)
        return {"packages": packages}

    sources = (HERE / "build" / "debian.py", _LAUNCHER)
    return Part("chromium", digest([RECIPE, platform.machine(), *PACKAGES, *_UNUSED, *sources]), make)


def built(store: Store) -> bool:
    """Whether it is there already."""
    return store.has(part(lambda _line: None))


def problem(store: Store) -> str:
    """Why this machine cannot have it; empty when it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"a browser of its own is for Linux on x86_64, not {platform.system()} {platform.machine()}"
    if os.geteuid() != 0:
        return "only root can make a browser of its own"
    needed = _TOOLS if built(store) else (*_TOOLS, *_BUILD_TOOLS)
    missing = [name for name in needed if not shutil.which(name)]
    return f"a browser of its own needs {', '.join(missing)}" if missing else ""
