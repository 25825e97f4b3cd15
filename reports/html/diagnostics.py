"""Diagnostics of failures, once a run has ended: every file compressed, and a page for each folder.

While the run goes on they are plain files. A configuration of a proxy has half a megabyte and is read by programs: it
is only linked to. Policies, pods, events and logs can be read in the page.
"""

from __future__ import annotations

from pathlib import Path

from reports import files
from reports.html.frame import frame, templates
from reports.html.parts import part
from reports.record import packed

FOLDER, INDEX = "diagnostics", "index.html"
_LINKED_ONLY = "config-"
_FIRST = ("errors.txt", "policies.yaml", "events.txt", "pods.yaml")


def write(folder: Path) -> None:
    """Compress the diagnostics in the folder of a run, and write the page of each of their folders.

    Raises:
        OSError: a file cannot be written; what is not compressed yet is kept as it is.
    """
    for place in sorted(path for path in folder.glob(f"{FOLDER}/*") if path.is_dir()):
        for file in [path for path in place.iterdir() if path.is_file() and _is_plain(path)]:
            packed.pack(file)
        files.write_text(place / INDEX, _page(place))


def link(folder: Path | None, where: str) -> str:
    """The page of these diagnostics of a run, or their folder where it has none."""
    try:
        return f"{where}/{INDEX}" if folder and (folder / where / INDEX).is_file() else where
    except (OSError, ValueError):  # no name that a file can have
        return where


def _is_plain(path: Path) -> bool:
    return not path.name.startswith(".") and path.name != INDEX and path.suffix != packed.SUFFIX


def _page(place: Path) -> str:
    names = [path.name.removesuffix(packed.SUFFIX) for path in place.glob(f"*{packed.SUFFIX}")]
    names.sort(key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))
    shown = [name for name in names if not name.startswith(_LINKED_ONLY)]
    return (
        templates()
        .get_template("diagnostics.html.j2")
        .render(
            page=frame(["style.css.j2"], ["theme.js", "unpack.js", "diagnostics.js"]),
            name=place.name,
            shown=[(name, part(f"d{number}", _text(place / name))) for number, name in enumerate(shown)],
            linked=[name for name in names if name.startswith(_LINKED_ONLY)],
            suffix=packed.SUFFIX,
        )
    )


def _text(path: Path) -> str:
    return packed.content(path)[0].decode(errors="replace")
