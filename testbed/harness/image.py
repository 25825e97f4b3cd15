"""The harness's own image as parts of the store: a root file system, which changes seldom, and the image on top of it.

No user id is built in but a default one: nothing in the image needs to be written, and every file can be read by all.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from clients.model.errors import ClusterError
from testbed.build import command, debian, oci
from testbed.harness import checkout, packages, sbom
from testbed.lock import held
from testbed.parts import RECIPE, REGISTRY
from testbed.progress import Say, step
from testbed.store import Part, PartStore, digest
from testbed.versions import HERE

ROOT = HERE.parent
"""Folder of the checkout."""
INSIDE = "/opt/meshproof"
"""Folder of the checkout in the image."""
RESULTS = "/results"
"""Folder in the image into which a run writes, which a volume must be mounted at."""
USER = "65532:65532"
"""Unless a pod states another one."""
ARCHIVE = "image.tar"
_DEBIAN_LIST = "debian.txt"
DEBIAN = (
    *("python3", "curl", "ca-certificates", "libc-bin"),
    *("coreutils", "dash", "findutils", "grep", "sed", "tar", "gzip"),
)
"""What a run calls (Python, curl), and what people call in a pod; tar is what `kubectl cp` calls."""

ENVIRONMENT = (
    "PATH=/usr/local/bin:/usr/bin:/bin",
    f"PYTHONPATH={INSIDE}",
    "PYTHONUNBUFFERED=1",
    "PYTHONDONTWRITEBYTECODE=1",
    "LANG=C.UTF-8",
    "HOME=/tmp",  # of a user id that has none
    f"MESHPROOF_OUT={RESULTS}",
    "MESHPROOF_TARGET=live",  # a pod cannot start clusters
)
_COMMAND = """\
#!/bin/sh
exec /usr/bin/python3 -m runner "$@"
"""
_BROWSER_DRIVER = "playwright/driver"
"""Of no use without a browser, and a quarter of the image: controls that need one are skipped in a pod."""
_HERE = Path(__file__).parent
_FILES_OF_BASE = ("packages.py", "compile.sh")
_FILES = ("image.py", "checkout.py", "sbom.py")


@dataclass(frozen=True)
class Built:
    """An image that is in the store.

    Attributes:
        reference: as a pod names it.
        archive: an OCI archive.
        bill: its bill of materials, CycloneDX JSON.
    """

    reference: str
    archive: Path
    bill: Path

    @property
    def size_mib(self) -> float:
        """Of the archive, in MiB."""
        return self.archive.stat().st_size / (1 << 20)


class HarnessImage:
    """Builds the image of this checkout, or finds it."""

    def __init__(self, say: Say, store: PartStore | None = None, root: Path = ROOT) -> None:
        self._say, self._store, self._root = say, store or PartStore(), root
        self._logs = self._store.root.parent / "build-logs"

    def build(self) -> Built:
        """The image, built if missing.

        Raises:
            ClusterError: this machine cannot build it. BuildError: packages cannot be fetched or unpacked.
        """
        if built := self.built():
            return built
        _require()
        # a cluster that starts meanwhile sweeps unfinished parts, unless it has to wait
        with held(self._store.root.parent / "parts.lock", "image build", self._say):
            return self._found(self._store.get(self.image))

    def built(self) -> Built | None:
        """The image of this checkout, if it is built."""
        return self._found(self._store.path(self.image)) if self._store.has(self.image) else None

    def _found(self, folder: Path) -> Built:
        return Built(self.reference, folder / ARCHIVE, folder / sbom.FILE)

    @property
    def version(self) -> str:
        """The project's."""
        text = (self._root / "pyproject.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["project"]["version"])

    @property
    def reference(self) -> str:
        """For instance `registry.meshproof.test/meshproof:0.2.0-5d013d84a206`; the second half is of the content."""
        return f"{REGISTRY}/meshproof:{self.version}-{self.image.key}"

    @cached_property
    def base(self) -> Part:
        """Debian's Python and curl, and the locked packages with their bytecode."""
        locked = packages.locked(self._root)
        sources = [HERE / "build" / "debian.py", *(_HERE / name for name in _FILES_OF_BASE)]
        key = digest([RECIPE, platform.machine(), *DEBIAN, locked, _BROWSER_DRIVER, *sources])

        def make(target: Path) -> dict[str, str]:
            with step(self._say, "the image's root: Python from Debian packages, and the locked packages") as current:
                work, root = target / ".apt", target / "root"
                work.mkdir()
                listed = debian.root_file_system(root, DEBIAN, work, current.note)
                (target / _DEBIAN_LIST).write_text(listed)
                for link in (root / "usr/sbin").iterdir():  # to programs of packages that are not there
                    if link.is_symlink() and not link.exists():
                        link.unlink()
                current.note("Python packages")
                (target / "locked.txt").write_text(locked)
                installed = root / f"usr/local/lib/python{packages.PYTHON}/dist-packages"
                packages.install(target / "locked.txt", installed, self._logs / "image-packages.log")
                shutil.rmtree(installed / _BROWSER_DRIVER)
                (root / INSIDE.lstrip("/")).mkdir(parents=True)
                current.note("bytecode")
                self._compile(root)
                return {"packages": listed}

        return Part("harness-root", key, make)

    @cached_property
    def image(self) -> Part:
        """The whole image, and its bill of materials."""
        base = self.base
        files = sorted(checkout.files(self._root))
        own = [item for inside in files for item in (str(inside), self._root / inside)]
        sources = [HERE / "build" / "oci.py", *(_HERE / name for name in _FILES)]
        key = digest([RECIPE, base.key, *ENVIRONMENT, USER, *own, *sources])

        def make(target: Path) -> None:
            root = self._store.get(base) / "root"
            with step(self._say, f"the image of meshproof {self.version}") as current:
                tree = target / ".checkout"
                checkout.copy(self._root, tree)
                current.note("bytecode")
                self._compile(root, tree, INSIDE)
                reference = f"{REGISTRY}/meshproof:{self.version}-{key}"
                debs = (root.parent / _DEBIAN_LIST).read_text().splitlines()
                installed = root / f"usr/local/lib/python{packages.PYTHON}/dist-packages"
                sbom.write(target / sbom.FILE, reference, self.version, debs, installed)
                current.note("writing the archive")
                self._write(target, root, tree, reference)
                shutil.rmtree(tree)

        return Part("harness-image", key, make)

    def _write(self, target: Path, root: Path, tree: Path, reference: str) -> None:
        entry = target / ".meshproof"
        entry.write_text(_COMMAND)
        entry.chmod(0o755)
        (target / sbom.FILE).chmod(0o644)
        files = {
            INSIDE: tree,
            "/usr/local/bin/meshproof": entry,
            f"/usr/share/meshproof/{sbom.FILE}": target / sbom.FILE,
        }
        image = oci.Image(
            reference, ("/usr/local/bin/meshproof",), files, ((RESULTS, 0o1777),), user=USER, env=ENVIRONMENT
        )
        oci.write_archive(target / ARCHIVE, root, [image])
        entry.unlink()

    def _compile(self, *words: Path | str) -> None:
        private = ["unshare", "--mount", "--propagation", "private", "sh"]
        script = _HERE / "compile.sh"
        command.run([*private, script, *words], what="compiling the image's Python", log=self._logs / "image.log")


def _require() -> None:
    """Raise ClusterError where the image cannot be built, before anything is fetched."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        text = f"the image is built on Linux on x86_64, not on {platform.system()} {platform.machine()}"
        raise ClusterError(text, "build it on such a machine")
    if os.geteuid() != 0:
        raise ClusterError("only root can build the image", "its root file system has files of root")
    missing = [name for name in ("apt-get", "dpkg-deb", "tar", "unshare", "chroot") if not shutil.which(name)]
    if missing:
        raise ClusterError(f"building the image needs {', '.join(missing)}", "it is built of Debian's packages")
