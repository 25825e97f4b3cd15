"""Built parts in one file, for a machine without network or for a CI cache."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from pathlib import Path

from clients.model.errors import ClusterError
from testbed import browser, golden
from testbed.parts import Parts
from testbed.progress import Say, step
from testbed.store import COMPLETE, Part, PartStore, digest
from testbed.versions import ISTIO_RELEASES


def _known(say: Say) -> dict[str, Part]:
    """Folder name → part: the browser, and the parts of all versions of this checkout."""
    found: dict[str, Part] = {}
    for release in ISTIO_RELEASES.values():
        parts = Parts(release, say)
        found |= {parts.store.path(part).name: part for part in (*golden.needed(parts), browser.part(say))}
    return found


def key() -> str:
    """Digest of everything that a bundle of this checkout is built from: it names one in a cache."""
    return digest(sorted(_known(lambda _line: None)))


def export(file: Path, say: Say) -> None:
    """Write the parts of every version that is built, and the browser if it is built."""
    store = PartStore()
    names: list[str] = []
    for release in ISTIO_RELEASES.values():
        parts = Parts(release, say)
        if store.has(golden.part(parts)):
            names += [store.path(part).name for part in golden.needed(parts)]
    if not names:
        raise ClusterError("nothing is built yet", "run './meshproof testbed build' first")
    if browser.built(store):
        names.append(store.path(browser.part(say)).name)
    partial = file.with_name(file.name + ".partial")
    try:
        with step(say, f"writing {file.name}") as current, tarfile.open(partial, "w:gz", compresslevel=1) as archive:
            for name in dict.fromkeys(names):
                current.note(name)
                archive.add(store.root / name, name)
        partial.rename(file)
    except OSError as error:
        raise ClusterError(f"{file} cannot be written: {error.strerror}", "choose a folder with enough room") from error
    finally:
        partial.unlink(missing_ok=True)


def import_(file: Path, say: Say) -> None:
    """Unpack the parts that are missing here; a file with unknown parts is refused before anything is written."""
    store = PartStore()
    known = _known(say)
    try:
        with tarfile.open(file, "r:*") as archive:
            members = archive.getmembers()
            tops = {member.name.split("/", 1)[0] for member in members}
            if unknown := sorted(tops - known.keys()):
                hint = "make it with 'testbed export' of this same version of meshproof"
                raise ClusterError(f"{file.name} holds {unknown[0]}, which this checkout does not use", hint)
            wanted = {top for top in tops if not store.has(known[top])}
            _unpack(archive, members, wanted, store, say)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError) as error:
        damaged = "it is damaged" if isinstance(error, EOFError | zlib.error) else "it is no archive, or is damaged"
        why = (error.strerror if isinstance(error, OSError) else "") or damaged  # tarfile lists all that it tried
        hint = "make it with './meshproof testbed export'"
        raise ClusterError(f"{file} cannot be read as a bundle: {why}", hint) from error


def _unpack(
    archive: tarfile.TarFile, members: list[tarfile.TarInfo], wanted: set[str], store: PartStore, say: Say
) -> None:
    store.root.mkdir(parents=True, exist_ok=True)
    for top in sorted(wanted):
        own = [member for member in members if member.name.split("/", 1)[0] == top]
        with step(say, f"unpacking {top}"):
            # the mark of a complete part comes last, so that an interrupted import leaves no part that looks complete
            own.sort(key=lambda member: member.name.endswith(COMPLETE))
            # owners, modes and links are the point of a root file system; the names were checked above
            archive.extractall(store.root, members=own, filter="fully_trusted")  # noqa: S202
