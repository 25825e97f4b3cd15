"""The testbed's interface, for the command line and the tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from clients.model.errors import ClusterError
from testbed import browser, bundle, internet, preflight
from testbed.form import Form
from testbed.lifecycle import Testbed
from testbed.like import load
from testbed.like_amendment import LikeAmendment
from testbed.origin import InUse
from testbed.preflight import Requirement
from testbed.progress import Say, to_stderr
from testbed.reached import IMAGES as IMAGES
from testbed.reached import POOL_ANNOTATION as POOL_ANNOTATION
from testbed.reached import Up as Up
from testbed.reached import as_up
from testbed.store import PartStore
from testbed.versions import istio_release


@dataclass(frozen=True)
class Status:
    """`up`, `down` or `broken` (processes run, but the start did not complete)."""

    state: str
    detail: dict[str, str] = field(default_factory=dict)


def up(istio: str | None = None, progress: Say = to_stderr, like: Path | None = None, *, in_use: InUse) -> Up:
    """Build what is missing and start the testbed; returns once pods get a sidecar.

    A testbed that is up with the parts of this checkout stays; with other parts it is started again.

    Args:
        istio: `1.29` or `1.29.1`; None means the version that is running, else the default.
        like: file of `meshproof like`, whose mesh the testbed is to start with.
        in_use: asked before a running testbed is started again.

    Raises:
        SettingsError: unknown version, or the file cannot be used. ClusterError: the machine cannot run it, a part did
            not start (nothing is left running then), or it runs already with another file.
        ConflictError: it runs with other parts and is in use.
    """
    release, default = istio_release(istio), istio is None
    if like is None:
        return as_up(Testbed().up(release, progress, default=default, in_use=in_use))
    amendment = LikeAmendment(load(like))
    running = Testbed(form=Form(amendment=amendment)).up(release, progress, default=default, in_use=in_use)
    return replace(as_up(running), left=(*amendment.carried.left, *amendment.refused))


def there(istio: str | None = None) -> Up | None:
    """The testbed as it is; None if it is not up. Changes nothing.

    Args:
        istio: as for `up`.

    Raises:
        SettingsError: unknown version. ClusterError: it runs another one.
    """
    running = Testbed().there(istio_release(istio), default=istio is None)
    return as_up(running) if running else None


def changed() -> tuple[str, ...]:
    """Names of what the running testbed was started from and this checkout has otherwise; empty if it is down."""
    return Testbed().changed()


def down(progress: Say = to_stderr) -> bool:
    """Stop the testbed; True if one was running."""
    return Testbed().down(progress)


def status() -> Status:
    """The testbed's state now."""
    testbed = Testbed()
    running = testbed.running()
    if running is not None:
        versions = {"istio": running.istio, "kubernetes": running.kubernetes, "kubeconfig": running.kubeconfig}
        changed = ", ".join(testbed.changed())
        return Status(
            "up",
            {
                **versions,
                **({"changed since its start": f"{changed}; './meshproof up' starts it again"} if changed else {}),
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
            f"no log of {component!r}",
            f"available logs: {', '.join(files)}; kubectl prints those of pods" if files else "the testbed never ran",
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
