"""Pictures of what a person saw, from a test to its evidence and to the run's folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from clients.model.evidence import Evidence, Picture
from clients.probe.browser import Shot

FOLDER = "screenshots"
KEPT = pytest.StashKey[dict[str, Picture]]()
"""Pictures of a test by their titles, on its item; a later picture replaces an earlier one of the same title."""
Keep = Callable[[Shot, str], None]


def keep(item: pytest.Item, folder: Path, case: str, shot: Shot, title: str) -> None:
    """Write it into the run's folder, as evidence of the case that the test proves, unless it shows nothing new.

    Args:
        title: when it was taken; unique within the case.
    """
    digest = hashlib.sha256(shot.png).hexdigest()
    kept = item.stash.setdefault(KEPT, {})
    kept.pop(title, None)  # an earlier picture of this title
    if any(other.sha256 == digest for other in kept.values()):
        return
    name = re.sub(r"[^A-Za-z0-9_]+", "-", f"{case} {title}").strip("-")
    file = f"{FOLDER}/{name}.png"
    place = folder / file
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(shot.png)
    kept[title] = Picture(file, digest, title, shot.text, shot.width, shot.height)


def added(item: pytest.Item, evidence: Sequence[Evidence]) -> list[Evidence]:
    """The evidence of a test with its pictures; of several records the first one gets them."""
    pictures = tuple(item.stash.get(KEPT, {}).values())
    if not pictures or not evidence:
        return list(evidence)
    return [replace(evidence[0], pictures=pictures), *evidence[1:]]
