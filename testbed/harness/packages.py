"""The Python packages of the image: the locked ones that a run needs, without those of development."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement

from testbed.build import command

PYTHON = "3.11"
"""Of the image: Debian 12's."""
_GLIBC = ("2_36", "2_34", "2_31", "2_28", "2_27", "2_26", "2_24", "2_17")
_PLATFORMS = (*(f"manylinux_{version}_x86_64" for version in _GLIBC), "manylinux2014_x86_64", "manylinux1_x86_64")
"""Wheels that Debian 12 can load; pip takes no range."""


def locked(root: Path) -> str:
    """The part of `requirements.lock` that a run needs: what the project depends on, and what that depends on.

    Args:
        root: folder of the checkout.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = _closure(project["dependencies"])
    blocks = re.split(r"\n(?=[A-Za-z])", (root / "requirements.lock").read_text(encoding="utf-8").strip())
    return "\n".join(block for block in blocks if _plain(block.split("==")[0]) in wanted) + "\n"


def install(requirements: Path, target: Path, log: Path) -> None:
    """Install wheels for the image's Python, whichever Python runs here; each is checked by its hash.

    Raises:
        BuildError: pip failed.
    """
    words = ["-m", "pip", "install", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile"]
    words += ["--disable-pip-version-check", "--no-warn-script-location", "--progress-bar", "off"]
    words += ["--implementation", "cp", "--python-version", PYTHON]
    words += [word for platform in _PLATFORMS for word in ("--platform", platform)]
    words += ["--target", str(target), "-r", str(requirements)]
    command.run([sys.executable, *words], what="installing the image's Python packages", log=log)


def _closure(requirements: Iterable[str]) -> set[str]:
    """Names of these packages and of all that they need, by the metadata of what is installed here."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        one = waiting.pop()
        key = (_plain(one.name), frozenset(one.extras))
        if key in found:
            continue
        found.add(key)
        for text in importlib.metadata.distribution(one.name).requires or ():
            needed = Requirement(text)
            extras = one.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return {name for name, _ in found}


def _plain(name: str) -> str:
    """The name as locks have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
