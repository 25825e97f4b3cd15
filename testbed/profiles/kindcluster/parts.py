"""What a kind cluster is made of: programs, the machine's root, the node image; built on demand, kept by content."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from testbed.build import command, debian, golang
from testbed.parts import RECIPE, Parts
from testbed.profiles.kindcluster import image_archive, node_image
from testbed.progress import step
from testbed.store import Part, digest
from testbed.versions import HERE, MODULES, linker_flags

FILES = Path(__file__).parent / "files"

MACHINE_PACKAGES = (
    *("coreutils", "dash", "bash", "findutils", "grep", "sed", "util-linux", "mount", "procps", "libc-bin", "tar"),
    *("podman", "crun", "conmon", "netavark", "aardvark-dns", "catatonit", "fuse-overlayfs"),
    *("iptables", "nftables", "iproute2", "ca-certificates"),
)
"""The machine on which kind runs: podman and its network."""

NODE_PACKAGES = (
    *("coreutils", "dash", "bash", "findutils", "grep", "sed", "mawk", "tar", "gzip", "debianutils", "hostname"),
    *("util-linux", "mount", "procps", "kmod", "login", "passwd", "dpkg", "libc-bin", "ca-certificates", "curl", "jq"),
    *("systemd", "containerd", "runc", "containernetworking-plugins"),
    *("iptables", "nftables", "ipset", "conntrack", "ebtables", "ethtool", "socat", "iproute2", "pigz", "libseccomp2"),
)
"""What kind's own node image installs, and what its programs call."""

_RECIPE = "1"
"""Part of the keys here: raise it when a build step changes its result."""


class KindParts:
    """The parts beyond those of `Parts`."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def kind(self) -> Part:
        """The program `kind`."""
        return self.parts.program("kind")

    def kubeadm(self) -> Part:
        """The program `kubeadm`, of the testbed's Kubernetes."""
        return self._go("kubeadm", "kubeadm", ("tool",), linker_flags("kubernetes"))

    def etcd(self) -> Part:
        """The etcd of the version that kubeadm expects."""
        return self._go("etcd-server", "etcd", ("tool",), linker_flags("etcd"))

    def coredns(self) -> Part:
        """CoreDNS with the plugins that kubeadm's Corefile names."""
        return self._go("coredns-stock", "coredns", ("./stock",), linker_flags("coredns"))

    def _go(self, name: str, module: str, packages: Sequence[str], linker: str) -> Part:
        go, folder = self.parts.toolchain(), MODULES / module

        def make(target: Path) -> None:
            toolchain = self.parts.get(go) / "go"
            with step(self.parts.say, f"building {name} with Go") as current:
                work = target / ".source"
                shutil.copytree(folder, work)
                words = ["go", "build", *golang.FLAGS, "-o", f"{target}/", "-ldflags", linker, *packages]
                env = golang.environment(toolchain)
                command.run(
                    words, what=f"building {name}", log=self._log(name), cwd=work, env=env, on_line=current.note
                )
                shutil.rmtree(work)

        sources = sorted(path for path in folder.rglob("*") if path.is_file())
        return Part(name, digest([RECIPE, go.key, linker, *packages, *golang.FLAGS, *sources]), make)

    def machine_root(self) -> Part:
        """Root file system of the machine: podman."""
        return self._debian("kind-machine-root", MACHINE_PACKAGES)

    def node_root(self) -> Part:
        """Root file system of a node, before anything of kind or Kubernetes is put into it."""
        return self._debian("kind-node-root", NODE_PACKAGES)

    def _debian(self, name: str, packages: tuple[str, ...]) -> Part:
        def make(target: Path) -> dict[str, str]:
            with step(self.parts.say, f"{name} from Debian packages") as current:
                work = target / ".apt"
                work.mkdir()
                return {"packages": debian.root_file_system(target / "root", packages, work, current.note)}

        return Part(name, digest([_RECIPE, platform.machine(), HERE / "build" / "debian.py", *packages]), make)

    def images(self) -> Part:
        """The images that kubeadm wants, as one OCI archive."""
        made_of = [self.parts.image_root(), self.parts.program("kubernetes"), self.etcd(), self.coredns()]
        key = digest([_RECIPE, *(part.key for part in made_of), Path(image_archive.__file__)])

        def make(target: Path) -> None:
            base, kubernetes, etcd, coredns = (self.parts.get(part) for part in made_of)
            with step(self.parts.say, "images of Kubernetes' control plane"):
                image_archive.write(target / "images.tar", base / "root", kubernetes, etcd, coredns)

        return Part("kind-images", key, make)

    def node_store(self) -> Part:
        """A store of podman's that holds the node image with every image that a cluster needs."""
        images = [self.images(), self.parts.images()]
        programs = [self.parts.program("kubernetes"), self.kubeadm(), self.parts.program("calico")]
        roots = [self.node_root(), self.machine_root()]
        made_of = [*images, *programs, *roots, self.kind()]
        sources = [Path(node_image.__file__), *sorted(path for path in (FILES / "node").rglob("*") if path.is_file())]

        def make(target: Path) -> None:
            with step(self.parts.say, "kind's node image") as current:
                archives = [self.parts.get(part) / "images.tar" for part in images]
                kubernetes, kubeadm, calico = (self.parts.get(part) for part in programs)
                node, machine = (self.parts.get(part) / "root" for part in roots)
                wanted = node_image.Ingredients(node, machine, self._source(target), kubernetes, kubeadm, calico)
                node_image.make(target, wanted, archives, self._log("kind-node-image"), current.note)

        return Part("kind-node-store", digest([_RECIPE, *(part.key for part in made_of), *sources]), make)

    def _source(self, target: Path) -> Path:
        """Folder of kind's own source, which holds the files of its base image."""
        toolchain = self.parts.get(self.parts.toolchain()) / "go"
        work = target / ".module"
        work.mkdir()
        log = self._log("kind-source")
        found = golang.source_of(MODULES / "kind", "sigs.k8s.io/kind", toolchain=toolchain, log=log, work=work)
        shutil.rmtree(work)
        return found

    def _log(self, name: str) -> Path:
        return self.parts.logs / f"{name}.log"

    def all(self) -> list[Part]:
        """Everything that a start takes from the store, the node image last."""
        return [self.kind(), self.machine_root(), self.node_store()]
