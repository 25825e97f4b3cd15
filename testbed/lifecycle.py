"""Up, down and status of an embedded cluster: the one of this machine's user, or that of a profile."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self

from clients.model.errors import ClusterError, SettingsError
from testbed import browser, golden, lanes, origin, preflight
from testbed.form import SINGLE, Form
from testbed.lock import held
from testbed.node import Node, NodePrograms
from testbed.origin import InUse
from testbed.parts import Parts
from testbed.preflight import USUAL, Needs
from testbed.progress import Say, step
from testbed.starting import EXTERNAL_LOG as EXTERNAL_LOG
from testbed.starting import Start
from testbed.store import Part, PartStore, cache_root
from testbed.versions import KUBERNETES, IstioRelease, istio_release


@dataclass(frozen=True)
class RunningTestbed:
    """A testbed that is up; the content of `state.json`.

    Attributes:
        like: identity of the file that its mesh comes from; empty for the usual mesh.
        made_of: what it was started from, see `testbed.origin`; empty if an older version of meshproof started it.
    """

    istio: str
    kubernetes: str
    installed: str
    tag: str
    kubeconfig: str
    istioctl: str = ""
    like: str = ""
    made_of: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Self:
        """From `state.json`, without what only another version of meshproof writes there."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})


class Testbed:
    """An embedded cluster in a folder of the cache."""

    __test__ = False  # not a test class, despite its name

    def __init__(self, root: Path | None = None, form: Form = SINGLE, needs: Needs = USUAL) -> None:
        self.root = root or cache_root() / "testbed"
        self.form, self._needs = form, needs
        self.node = Node(self.root / "node")
        further = [Node(self.root / f"node-{number}") for number in range(2, len(form.nodes) + 1)]
        self.nodes = (self.node, *further)
        self._lock = self.root / "lock"
        self._state = self.node.state / "state.json"

    def running(self) -> RunningTestbed | None:
        """The testbed that is up; None if there is none, or if its start did not complete."""
        if self.node.pid() is None or not self._state.exists():
            return None
        return RunningTestbed.read(self._state.read_text())

    def up(
        self, release: IstioRelease, say: Say, *, default: bool = True, in_use: InUse = lambda _: ""
    ) -> RunningTestbed:
        """Build what is missing and start the testbed; does nothing if it is up with the parts of this checkout.

        Args:
            default: no version was requested, so that any running version is accepted.
            in_use: asked before a testbed that runs with other parts is started again.

        Raises:
            ConflictError: the testbed runs with other parts, and is in use.
            ClusterError: the machine cannot run it, another version is up, or a part did not start; nothing is left
                running then.
        """
        with held(self._lock, "up", say):
            there = self.there(release, default=default)
            if there and not (changed := self.changed()):
                return there
            if there:
                self._require_replaceable(there, changed, in_use)
                say(f"{origin.in_words(changed)}: it is started again")
                release = _release_of(there) or release
            parts, state = self._built(release, say)
            programs = golden.programs(parts)
            if there:
                self._require_replaceable(there, changed, in_use)  # the build may have taken minutes
                self._end()
            with step(say, f"starting Kubernetes and Istio {release.version}{self._as_profile}") as current:
                try:
                    kubeconfig = Start(self.form, self.nodes, parts, programs, state, current.note).run()
                    return self._note_running(parts, kubeconfig)
                except BaseException:
                    self._end()
                    raise

    def there(self, release: IstioRelease, *, default: bool = True) -> RunningTestbed | None:
        """The testbed that is up, as `up` would take it; None if there is none. Starts and changes nothing.

        Raises:
            ClusterError: it runs another version than the requested one, or with the mesh of another file.
        """
        there = self.running()
        hint = "run './meshproof down' first"
        if there and self._identity not in ("", there.like):
            raise ClusterError("the testbed runs already, and not with the mesh of this file", hint)
        if there is None or there.istio == release.version:
            return there
        if default:
            return there
        raise ClusterError(f"the testbed runs Istio {there.istio} already, not {release.version}", hint)

    def changed(self) -> tuple[str, ...]:
        """Names of what the running testbed was started from and this checkout has otherwise; empty if it is down."""
        there = self.running()
        if there is None:
            return ()
        release = _release_of(there)
        if release is None:
            return (f"Istio {there.istio}",)
        return origin.differences(there.made_of, origin.made_of(Parts(release, lambda _line: None), self.form))

    def _require_replaceable(self, there: RunningTestbed, changed: tuple[str, ...], in_use: InUse) -> None:
        """Raise the error of a start while the running testbed has to stay."""
        if there.like != self._identity:
            raise ClusterError(f"{origin.in_words(changed)} with the mesh of a file", "run './meshproof down' first")
        origin.require_unused(changed, Path(there.kubeconfig), in_use)

    @property
    def _identity(self) -> str:
        return self.form.amendment.identity if self.form.amendment else ""

    @property
    def _as_profile(self) -> str:
        return f" as profile {self.form.name}" if self.form.name else ""

    def build(self, release: IstioRelease, say: Say) -> None:
        """Build every part that a start needs, and the browser.

        Raises:
            ClusterError: the machine cannot build it. BuildError: a part could not be built.
        """
        with held(self._lock, "build", say):
            parts, _ = self._built(release, say)
            golden.programs(parts)
            parts.get(browser.part(say))

    def built(self, release: IstioRelease) -> bool:
        """Whether a start would build nothing."""
        parts = Parts(release, lambda _line: None)
        more = self.form.amendment
        return parts.store.has(golden.part(parts)) and (more is None or more.built(parts))

    def programs(self, release: IstioRelease) -> NodePrograms:
        """Folders of the programs that its nodes run from; built when missing."""
        return golden.programs(Parts(release, lambda _line: None))

    def _built(self, release: IstioRelease, say: Say) -> tuple[Parts, Path]:
        """The parts of a release, and the folder of its installed state; checks the machine before a build.

        Raises:
            ClusterError: the machine cannot build or run it. BuildError: a part could not be built.
        """
        parts = Parts(release, say)
        preflight.require(built=self.built(release), needs=self._needs)
        # the parts are common to all clusters of this user: only one of them builds at a time
        with held(parts.store.root.parent / "parts.lock", "build", say):
            parts.store.sweep()
            installed = golden.part(parts)
            if not parts.store.has(installed):
                lanes.build_programs(parts)
            state = parts.get(installed)
            if self.form.amendment:
                self.form.amendment.build(parts)
        return parts, state

    def browser(self, say: Say) -> Path:
        """The browser's program, built if missing. It needs no cluster.

        Raises:
            BuildError: it could not be built.
        """
        store = PartStore(self.root / "parts")
        with held(self._lock, "browser", say):
            return store.get(browser.part(say)) / browser.PROGRAM

    def _note_running(self, parts: Parts, kubeconfig: Path) -> RunningTestbed:
        istioctl = parts.store.path(_mesh_programs(parts)) / "istioctl"
        names, key = parts.image_names(), golden.part(parts).key
        release, like = parts.release.version, self._identity
        made_of = origin.made_of(parts, self.form)
        running = RunningTestbed(release, KUBERNETES, key, names.tag, str(kubeconfig), str(istioctl), like, made_of)
        self._state.write_text(json.dumps(asdict(running), indent=1))
        return running

    def processes(self) -> set[int]:
        """Ids of every process of its nodes, as this machine numbers them."""
        return set().union(*(node.cgroups.processes() for node in self.nodes))

    def load(self, archive: Path) -> None:
        """Load an OCI archive into every node.

        Raises:
            ClusterError: a node does not run, or refuses the archive.
        """
        for node in self.nodes:
            there = node.folder("kubelet") / "load.tar"  # a folder that the node sees
            try:
                shutil.copyfile(archive, there)
                node.run(["ctr", "-n", "k8s.io", "images", "import", "/var/lib/kubelet/load.tar"], timeout_s=300)
            finally:
                there.unlink(missing_ok=True)

    def down(self, say: Say) -> bool:
        """Stop the cluster and remove its state; True if there was something to stop."""
        with held(self._lock, "down", say):
            there = bool(self.processes())
            self._end()
            return there

    def _end(self) -> None:
        """Stop the nodes, the first one last; only their logs are kept, for a diagnosis."""
        for node in reversed(self.nodes):
            node.stop()
            for entry in node.state.iterdir() if node.state.exists() else ():
                if entry.name == "log":
                    continue
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _release_of(there: RunningTestbed) -> IstioRelease | None:
    """The version that runs; None if this checkout does not have it."""
    try:
        return istio_release(there.istio)
    except SettingsError:
        return None


def _mesh_programs(parts: Parts) -> Part:
    """Istio's own programs; istioctl and the CNI plug-in are used outside images."""
    return parts.program(parts.release.module)
