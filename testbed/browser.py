"""The browser: Debian's headless Chromium as a part of the store, so that nothing is installed on the machine.

It is independent of the cluster: a start does not need it, and it is built when a control first needs it.
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
from testbed.store import Part, PartStore, digest
from testbed.versions import HERE

PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")
"""The engine without windows, which is half the size, and a font, since pages are shown in screenshots."""

PROGRAM = "chromium"
_UNUSED = ("usr/lib/*/libLLVM-*", "usr/lib/*/libz3.so*", "usr/lib/*/dri", "usr/lib/chromium/libVkLayer_*")
"""Drivers of graphics hardware: dependencies that a headless browser never loads, a third of the whole size."""
_LAUNCHER = HERE / "browser.sh"
_TOOLS = ("unshare", "mount", "chroot", "readlink")
_BUILD_TOOLS = ("apt-get", "dpkg-deb", "tar")


def part(say: Say) -> Part:
    """Its root file system and its launcher."""

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


def built(store: PartStore) -> bool:
    """Whether it is built."""
    return store.has(part(lambda _line: None))


def problem(store: PartStore) -> str:
    """Why it cannot be built or run on this machine; empty if it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"the private browser is for Linux on x86_64, not {platform.system()} {platform.machine()}"
    if os.geteuid() != 0:
        return "only root can build the private browser"
    needed = _TOOLS if built(store) else (*_TOOLS, *_BUILD_TOOLS)
    missing = [name for name in needed if not shutil.which(name)]
    return f"the private browser needs {', '.join(missing)}" if missing else ""
