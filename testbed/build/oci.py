"""Container images as OCI archives (OCI image layout 1.0), one shared base layer and one layer of its own per image.

`ctr images import` reads the archive; images are deterministic, so the same content has the same digest.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Image:
    """One image.

    Attributes:
        name: full reference, as a pod names it.
        files: path inside the image → file on this machine.
        folders: (path, mode) of empty folders to make.
        entrypoint: the command.
        user: `uid:gid`.
    """

    name: str
    entrypoint: Sequence[str]
    files: Mapping[str, Path] = field(default_factory=dict)
    folders: Sequence[tuple[str, int]] = ()
    user: str = "0:0"
    env: Sequence[str] = ("PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin",)


def write_archive(target: Path, base: Path, images: Sequence[Image]) -> None:
    """Writes all images into one archive; `base` is the root file system that they share."""
    blobs = target.parent / "blobs"
    blobs.mkdir()
    base_layer = _layer_of_tree(base, blobs)
    entries = []
    for image in images:
        own = _layer_of_files(image, blobs)
        entries.append(_manifest(image, [base_layer, own], blobs))
    index = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    with tarfile.open(target, "w") as archive:
        _add_bytes(archive, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _add_bytes(archive, "index.json", index)
        for blob in sorted(blobs.iterdir()):
            archive.add(blob, f"blobs/sha256/{blob.name}")
            blob.unlink()
    blobs.rmdir()


def _manifest(image: Image, layers: Sequence[dict[str, Any]], blobs: Path) -> dict[str, Any]:
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": list(image.entrypoint), "Env": list(image.env), "User": image.user, "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _blob(config, _CONFIG, blobs),
        "layers": list(layers),
    }
    return {
        **_blob(manifest, _MANIFEST, blobs),
        "platform": {"architecture": "amd64", "os": "linux"},
        "annotations": {"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": image.name},
    }


def _blob(content: dict[str, Any], media: str, blobs: Path) -> dict[str, Any]:
    data = json.dumps(content, sort_keys=True).encode()
    digest = hashlib.sha256(data).hexdigest()
    (blobs / digest).write_bytes(data)
    return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(data)}


def _layer_of_tree(root: Path, blobs: Path) -> dict[str, Any]:
    temporary = blobs / "layer.tmp"
    with tarfile.open(temporary, "w") as archive:
        for path in sorted(root.rglob("*")):
            archive.add(path, str(path.relative_to(root)), recursive=False, filter=_anonymous)
    return _as_layer(temporary, blobs)


def _layer_of_files(image: Image, blobs: Path) -> dict[str, Any]:
    temporary = blobs / "layer.tmp"
    with tarfile.open(temporary, "w") as archive:
        for name, mode in image.folders:
            info = tarfile.TarInfo(name.lstrip("/"))
            info.type, info.mode = tarfile.DIRTYPE, mode
            archive.addfile(info)
        for name, source in sorted(image.files.items()):
            archive.add(source, name.lstrip("/"), filter=_anonymous)
    return _as_layer(temporary, blobs)


def _as_layer(temporary: Path, blobs: Path) -> dict[str, Any]:
    state = hashlib.sha256()
    with temporary.open("rb") as file:
        while chunk := file.read(1 << 20):
            state.update(chunk)
    size = temporary.stat().st_size
    temporary.rename(blobs / state.hexdigest())
    return {"mediaType": _LAYER, "digest": f"sha256:{state.hexdigest()}", "size": size}


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Same content, same layer: no owner names, no times."""
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    return info


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))
