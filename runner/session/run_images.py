"""Which images the pods of a run had, by digest: each process notes what it saw, and the report names them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter

from clients.kube.pods import SIDECAR, RunningImage

_FILE = "images"
_IMAGES = TypeAdapter(list[RunningImage])


def save(images: Iterable[RunningImage], folder: Path, worker: str) -> None:
    """Note what a process has seen so far, in place of what it noted before. A full disk costs no more than that."""
    draft = folder / f".{_FILE}.{worker}"
    with suppress(OSError):
        draft.write_bytes(_IMAGES.dump_json(sorted(images)))
        draft.replace(folder / f"{_FILE}.{worker}")


def load(folder: Path) -> set[RunningImage]:
    """What all processes of the run have noted."""
    files = folder.glob(f"{_FILE}.*")
    return {image for file in files for image in _IMAGES.validate_json(file.read_bytes())}


def by_digest(named: Mapping[str, str], running: Iterable[RunningImage]) -> dict[str, str]:
    """Names of images with their references, and what nodes have pulled for them.

    Args:
        named: name in the settings → reference; one of these that no pod had keeps its reference alone.
        running: what pods had. An image that the settings do not name was brought by the mesh, or by the cluster: it
            has the name of its container.
    """
    pulled: defaultdict[str, set[str]] = defaultdict(set)
    others: defaultdict[str, set[str]] = defaultdict(set)
    for one in running:
        pulled[one.image].add(one.pulled)
        if one.image not in named.values():
            others[_title(one.container)].add(one.image)
    found = {name: _described(image, pulled[image]) for name, image in named.items()}
    return found | {
        name: "; ".join(_described(image, pulled[image]) for image in sorted(images))
        for name, images in sorted(others.items())
    }


def _title(container: str) -> str:
    return "proxy" if container == SIDECAR else f"container {container}"


def _described(image: str, pulled: Iterable[str]) -> str:
    known = ", ".join(sorted(pulled))
    return f"{image} ({known})" if known else image
