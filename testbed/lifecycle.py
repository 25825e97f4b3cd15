"""Up, down and status of the one testbed of this machine's user."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from clients.model.errors import ClusterError
from testbed import apiserver, browser, configuration, golden, lanes, preflight
from testbed.addresses import choose_link, routed
from testbed.apiserver import CORE, ApiServer
from testbed.lock import held
from testbed.node import SERVICES, Node, Programs
from testbed.parts import Parts
from testbed.progress import Say, step
from testbed.store import Part, Store, cache_root
from testbed.versions import KUBERNETES, IstioRelease

EXTERNAL_LOG = "external.log"
"""Log of requests to the external hosts, in the node's log folder: one JSON object per line."""
_DATABASES = (
    "io.containerd.snapshotter.v1.overlayfs/metadata.db",
    "io.containerd.metadata.v1.bolt/meta.db",
)
"""The only files of containerd's store that change in place; all others are written once."""


@dataclass(frozen=True)
class Running:
    """A testbed that is up; the content of `state.json`."""

    istio: str
    kubernetes: str
    installed: str
    tag: str
    kubeconfig: str
    istioctl: str = ""


class Testbed:
    """The testbed in a folder of the cache."""

    __test__ = False  # not a test class, despite its name

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache_root() / "testbed"
        self.node = Node(self.root / "node")
        self._lock = self.root / "lock"
        self._state = self.node.state / "state.json"

    def running(self) -> Running | None:
        """The testbed that is up; None if there is none, or if its start did not complete."""
        if self.node.pid() is None or not self._state.exists():
            return None
        return Running(**json.loads(self._state.read_text()))

    def up(self, release: IstioRelease, say: Say, *, default: bool = True) -> Running:
        """Build what is missing and start the testbed; does nothing if it is up.

        Args:
            default: no version was requested, so that any running version is accepted.

        Raises:
            ClusterError: the machine cannot run it, another version is up, or a part did not start; nothing is left
                running then.
        """
        with held(self._lock, "up", say):
            if there := self._adoptable(release, default):
                return there
            parts, installed = _parts(release, say)
            state = parts.get(installed)
            programs = golden.programs(parts)
            with step(say, f"starting Kubernetes and Istio {release.version}") as current:
                try:
                    return self._start(parts, state, programs, installed.key, current.note)
                except BaseException:
                    self._end()
                    raise

    def build(self, release: IstioRelease, say: Say) -> None:
        """Build every part that a start needs, and the browser.

        Raises:
            ClusterError: the machine cannot build it. BuildError: a part could not be built.
        """
        with held(self._lock, "build", say):
            parts, installed = _parts(release, say)
            parts.get(installed)
            golden.programs(parts)
            parts.get(browser.part(say))

    def browser(self, say: Say) -> Path:
        """The browser's program, built if missing. It needs no cluster.

        Raises:
            BuildError: it could not be built.
        """
        store = Store(self.root / "parts")
        with held(self._lock, "browser", say):
            return store.get(browser.part(say)) / browser.PROGRAM

    def _adoptable(self, release: IstioRelease, default: bool) -> Running | None:
        there = self.running()
        if there is None or there.istio == release.version:
            return there
        if default:
            return there
        hint = "run './meshproof down' first"
        raise ClusterError(f"the testbed runs Istio {there.istio} already, not {release.version}", hint)

    def _start(self, parts: Parts, state: Path, programs: Programs, key: str, note: Say) -> Running:
        node = self.node
        node.prepare()
        _copy_state(state, node)
        link = choose_link(routed())
        names = parts.image_names()
        kubeconfig = node.state / "kubeconfig"
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(configuration.write(node.folder("etc"), link, names, SERVICES))
        node.start(programs, link)
        api = ApiServer(kubeconfig, programs.kubernetes / "kubectl", node.state / "work", node.gone)
        note("API server")
        api.wait("the API server", apiserver.ready, 60)
        api.wait(
            "the cluster's authority",
            apiserver.publish_authority((node.folder("etc") / "pki" / "ca.crt").read_bytes()),
            30,
        )
        node.api_is_ready()
        note("node")
        api.wait("the node", apiserver.node_ready, 60)
        note("external hosts")
        log = node.folder("log") / EXTERNAL_LOG
        api.wait(
            "the external hosts", lambda _session, _server: None if log.exists() else "see external-server.log", 30
        )
        note("istiod and CoreDNS")
        api.wait("istiod and CoreDNS", apiserver.deployments_available(CORE), 120)
        note("sidecar injection")
        api.wait("sidecar injection", apiserver.injection_works, 60)
        istioctl = parts.store.path(_mesh_programs(parts)) / "istioctl"
        running = Running(parts.release.version, KUBERNETES, key, names.tag, str(kubeconfig), str(istioctl))
        self._state.write_text(json.dumps(asdict(running), indent=1))
        return running

    def down(self, say: Say) -> bool:
        """Stop the testbed and remove its state; True if there was something to stop."""
        with held(self._lock, "down", say):
            there = self.node.pid() is not None
            self._end()
            return there

    def _end(self) -> None:
        """Stop the node; only its logs are kept, for a diagnosis."""
        self.node.stop()
        if self.node.state.exists():
            for entry in self.node.state.iterdir():
                if entry.name == "log":
                    continue
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _parts(release: IstioRelease, say: Say) -> tuple[Parts, Part]:
    """The parts of a release and its installed state; checks the machine before anything is built."""
    parts = Parts(release, say)
    parts.store.sweep()
    installed = golden.part(parts)
    built = parts.store.has(installed)
    preflight.require(built=built)
    if not built:
        lanes.build_programs(parts)
    return parts, installed


def _mesh_programs(parts: Parts) -> Part:
    """Istio's own programs; istioctl and the CNI plug-in are used outside images."""
    return parts.program(parts.release.module)


def _copy_state(installed: Path, node: Node) -> None:
    """Copy the installed state for this node: unpacked images as hard links, databases as copies."""
    for name in ("etcd", "containerd"):
        node.folder(name).rmdir()
    _copy("--sparse=always", installed / "etcd", node.folder("etcd"))
    _copy("--link", installed / "containerd", node.folder("containerd"))
    for name in _DATABASES:
        own = node.folder("containerd") / name
        own.unlink()
        shutil.copy2(installed / "containerd" / name, own)


def _copy(option: str, source: Path, target: Path) -> None:
    result = subprocess.run(["cp", "--archive", option, str(source), str(target)], capture_output=True, text=True)
    if result.returncode:
        raise ClusterError(f"copying {source.name} failed: {result.stderr.strip()[-200:]}", "see './meshproof doctor'")
