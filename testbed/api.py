"""The testbed's interface, for the command line and the tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from clients.model.errors import ClusterError
from clients.model.images import SHOP
from testbed import browser, bundle, internet, preflight
from testbed.addresses import GATEWAY_POOL
from testbed.form import Form
from testbed.lifecycle import EXTERNAL_LOG, RunningTestbed, Testbed
from testbed.like import load
from testbed.like_amendment import LikeAmendment
from testbed.parts import ImageNames
from testbed.preflight import Requirement
from testbed.progress import Say, to_stderr
from testbed.store import PartStore
from testbed.versions import istio_release

POOL_ANNOTATION = {"cni.projectcalico.org/ipv4pools": '["gateway"]'}
"""Annotation of a pod that is to get an address from which the blocked external hosts are reachable."""
IMAGES = {
    **{name: name for name in ("sleep", "httpbin", "traffic")},
    "envoy": "proxyv2",
    **dict.fromkeys((*SHOP, "porter"), "boutique"),
}
"""Logical image names that manifests may use → images of the testbed; the mesh's proxy image contains Envoy.

One image replaces all images of the shop: each container's variable `SERVICE` selects the service.
"""


@dataclass(frozen=True)
class ExternalAddresses:
    """The hermetic internet of a testbed.

    Attributes:
        hosts: name → address, reachable from gateway pods only; DNS knows these names.
        open_hosts: name → another address of it, reachable from every pod; DNS does not know these.
        roots: PEM of the authority that signed the hosts' certificates.
        log: a JSON object a line: each request, and each failed TLS handshake.
        gateway_pool: addresses of pods with `POOL_ANNOTATION`.
        more: name → its further addresses that DNS knows.
        google_apis, metadata_server: CIDRs that replace Google's 199.36.153.8/30 and 169.254.169.254/32.
    """

    hosts: dict[str, str]
    open_hosts: dict[str, str]
    roots: Path
    log: Path
    gateway_pool: str = str(GATEWAY_POOL)
    google_apis: str = str(internet.GOOGLE_APIS)
    metadata_server: str = str(internet.METADATA_SERVER)
    more: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Up:
    """A testbed that is up.

    Attributes:
        kubeconfig: file with an administrator's rights.
        images: logical name in manifests → reference that the node has.
        external: None if an older version of meshproof started the testbed.
        istioctl: the program, of the mesh's own version; None as above.
        left: what of a file of `meshproof like` was not carried over, each with the reason.
    """

    kubeconfig: Path
    istio_version: str
    kubernetes_version: str
    images: dict[str, str]
    external: ExternalAddresses | None = None
    istioctl: Path | None = None
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class Status:
    """`up`, `down` or `broken` (processes run, but the start did not complete)."""

    state: str
    detail: dict[str, str] = field(default_factory=dict)


def _as_up(running: RunningTestbed) -> Up:
    istioctl = Path(running.istioctl) if running.istioctl else None
    return Up(
        Path(running.kubeconfig), running.istio, running.kubernetes, images(running), external(Testbed()), istioctl
    )


def images(running: RunningTestbed) -> dict[str, str]:
    """Logical name in manifests → reference that the nodes of a running cluster have."""
    names = ImageNames(running.tag)
    return {name: names.of(image) for name, image in IMAGES.items()}


def external(testbed: Testbed) -> ExternalAddresses | None:
    """The hermetic internet of a cluster that is up; None if an older version of meshproof started it."""
    node = testbed.node
    roots = node.folder("etc") / "external" / "roots.pem"
    if not roots.exists():
        return None
    hosts = {host.name: host.addresses[0] for host in internet.HOSTS}
    open_hosts = {host.name: host.open_addresses[0] for host in internet.HOSTS if host.open_addresses}
    more = {host.name: list(host.addresses[1:]) for host in internet.HOSTS if host.addresses[1:]}
    return ExternalAddresses(hosts, open_hosts, roots, node.folder("log") / EXTERNAL_LOG, more=more)


def up(istio: str | None = None, progress: Say = to_stderr, like: Path | None = None) -> Up:
    """Build what is missing and start the testbed; returns once pods get a sidecar. A second call does nothing.

    Args:
        istio: `1.29` or `1.29.1`; None means the version that is running, else the default.
        like: file of `meshproof like`, whose mesh the testbed is to start with.

    Raises:
        SettingsError: unknown version, or the file cannot be used. ClusterError: the machine cannot run it, a part did
            not start (nothing is left running then), or it runs already with another file.
    """
    release, default = istio_release(istio), istio is None
    if like is None:
        return _as_up(Testbed().up(release, progress, default=default))
    amendment = LikeAmendment(load(like))
    running = Testbed(form=Form(amendment=amendment)).up(release, progress, default=default)
    return replace(_as_up(running), left=(*amendment.carried.left, *amendment.refused))


def down(progress: Say = to_stderr) -> bool:
    """Stop the testbed; True if one was running."""
    return Testbed().down(progress)


def status() -> Status:
    """The testbed's state now."""
    testbed = Testbed()
    running = testbed.running()
    if running is not None:
        versions = {"istio": running.istio, "kubernetes": running.kubernetes, "kubeconfig": running.kubeconfig}
        return Status(
            "up",
            {
                **versions,
                "node process": str(testbed.node.pid()),
                "logs": str(testbed.node.folder("log")),
                "external hosts": ", ".join(f"{host.name} {host.addresses[0]}" for host in internet.HOSTS),
            },
        )
    if testbed.node.cgroups.processes():
        return Status(
            "broken", {"hint": "./meshproof down, then ./meshproof up", "logs": str(testbed.node.folder("log"))}
        )
    return Status("down")


def logs(component: str | None = None) -> Iterator[str]:
    """Lines of one service's log, or of all logs, each line after the name of its service.

    Raises:
        ClusterError: there is no such log.
    """
    yield from logs_in(Testbed().node.folder("log"), component)


def logs_in(folder: Path, component: str | None = None) -> Iterator[str]:
    """As `logs`, of the files in a folder. Raises as it does."""
    files = {path.stem: path for path in sorted(folder.glob("*.log"))}
    if component is not None and component not in files:
        raise ClusterError(
            f"no log of {component!r}", f"available logs: {', '.join(files) or 'none; the testbed never ran'}"
        )
    for name, path in files.items():
        if component in (None, name):
            for line in path.read_text(errors="replace").splitlines():
                yield line if component else f"{name}: {line}"


def build(istio: str | None = None, progress: Say = to_stderr) -> None:
    """Build every part of a version, and the browser, without starting anything."""
    Testbed().build(istio_release(istio), progress)


def built(istio: str | None = None) -> bool:
    """Whether a start would build nothing."""
    return Testbed().built(istio_release(istio))


def make_browser(progress: Say = to_stderr) -> Path:
    """The program of a headless Chromium outside the machine's own packages; built if missing. Needs no cluster.

    Raises:
        BuildError: Debian's packages of it cannot be downloaded. ClusterError: the store cannot be written.
    """
    return Testbed().browser(progress)


def browser_built() -> bool:
    """Whether `make_browser` would build nothing."""
    return browser.built(PartStore())


def browser_problem() -> str:
    """Why `make_browser` cannot work on this machine; empty if it can."""
    return browser.problem(PartStore())


def export(file: Path, progress: Say = to_stderr) -> None:
    """Write all parts that a start needs, and the browser if it is built, into one file.

    Raises:
        ClusterError: nothing is built yet, or the file cannot be written.
    """
    bundle.export(file, progress)


def import_(file: Path, progress: Say = to_stderr) -> None:
    """Unpack the parts from a file that `export` wrote.

    Raises:
        ClusterError: the file is not such a bundle, or it is of other versions than this checkout.
    """
    bundle.import_(file, progress)


def bundle_key() -> str:
    """Digest of everything that a bundle of this checkout is built from, for a cache."""
    return bundle.key()


def checks(istio: str | None = None) -> list[Requirement]:
    """The machine's requirements and whether they are met, for `doctor`."""
    return preflight.checks(built=built(istio))


def processes() -> set[int]:
    """Ids of every process of the node, as this machine numbers them."""
    return Testbed().processes()


def run_in_node(*command: str) -> str:
    """Run a command inside the node's namespaces; for diagnosis and for tests.

    Raises:
        ClusterError: the node does not run, or the command failed.
    """
    return Testbed().node.run(command)
