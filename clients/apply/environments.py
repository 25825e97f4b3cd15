"""Environments of stages: deployed once per process, and deleted when another topic begins or the process ends."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from clients.apply.applier import Applier
from clients.apply.item import Item, containers_of
from clients.apply.open_mesh import NOTHING_NEEDED, OpenMesh
from clients.apply.stage_objects import StageObjects
from clients.model.errors import MeshproofError
from clients.model.evidence import Applied

AGAIN_S = 10.0
"""How long what has not become ready in time is looked at, whenever another stage needs it."""


@dataclass(frozen=True)
class Leaving:
    """Objects that are being deleted; `wait` returns when they are gone (see `Applier.ask_to_delete`)."""

    keys: frozenset[tuple[str, str, str, str]]
    wait: Callable[[], None]


class Environments:
    """The environments of one process.

    Args:
        stage_objects: objects that stages have left in force in them.
    """

    def __init__(self, applier: Applier, stage_objects: StageObjects, open_mesh: OpenMesh = NOTHING_NEEDED) -> None:
        self._applier = applier
        self._open_mesh = open_mesh
        self._stage_objects = stage_objects
        self._items: list[Item] = []
        self._applied: dict[str, tuple[Applied, ...]] = {}
        self._background = threading.Thread()
        self._failed: dict[str, MeshproofError] = {}
        self._late: dict[str, list[Item]] = {}  # what has not become ready, by manifest
        self._leaving: list[Leaving] = []

    @property
    def namespaces(self) -> frozenset[str]:
        """Real names of the namespaces that are deployed."""
        return frozenset(item.name for item in self._items if item.kind == "Namespace")

    def containers(self, namespace: str, labels: Mapping[str, str]) -> frozenset[str]:
        """Names of the containers that manifests state for a pod with these labels; empty where none states any."""
        return containers_of((*self._items, *self._stage_objects.items), namespace, labels)

    def ensure(self, environment: Sequence[str]) -> tuple[Applied, ...]:
        """Apply manifests that stay until `close`, and wait until they are ready. Once per process and manifest.

        What has not become ready in time is looked at again, for `AGAIN_S`, by each call that needs it.

        Raises:
            MeshproofError: it cannot be deployed; `close` deletes what there is of it.
        """
        self._join()
        if problem := next((self._failed.pop(path) for path in environment if path in self._failed), None):
            raise problem
        return self._ensure(environment)

    def prepare_in_background(self, environment: Sequence[str]) -> None:
        """Start deploying this environment in the background. The next `ensure` of it raises any error."""
        self._join()
        if missing := [path for path in environment if path not in self._applied]:
            self._background = threading.Thread(target=self._try, args=(missing,), name="prepare-environment")
            self._background.start()

    def _try(self, environment: Sequence[str]) -> None:
        try:
            self._ensure(environment)
        except MeshproofError as error:
            self._failed |= dict.fromkeys(environment, error)

    def _join(self) -> None:
        if self._background.ident is not None:
            self._background.join()

    def _ensure(self, environment: Sequence[str]) -> tuple[Applied, ...]:
        missing = [path for path in environment if path not in self._applied]
        items = {path: self._open_mesh.with_logs(self._applier.load([path])) for path in missing}
        everything = [item for path in missing for item in items[path]]
        if {item.key for item in everything} & frozenset().union(*(leaving.keys for leaving in self._leaving)):
            self._wait()
        self._items += everything  # before the first is created: `close` must know all of a half-made environment
        if everything:
            self._applier.admit(everything)
        applied = iter(self._applier.apply(everything))
        self._applied |= {path: tuple(itertools.islice(applied, len(items[path]))) for path in missing}
        self._stage_objects.set_environment(self._items)
        self._late |= items
        late = [item for path in environment for item in self._late.get(path, ())]
        if everything:
            self._applier.wait_ready(late)
        elif late:
            self._applier.wait_ready(late, AGAIN_S)
        self._late = {path: own for path, own in self._late.items() if path not in environment}
        return tuple(one for path in environment for one in self._applied[path])

    def others(self, environment: Sequence[str]) -> list[str]:
        """Manifests of other topics (first folder below `manifests/`) that are deployed."""
        self._join()
        topics = {path.split("/")[0] for path in environment}
        return [path for path in self._applied if path.split("/")[0] not in topics] if topics else []

    def leave(self, environment: Sequence[str]) -> None:
        """Start deleting these manifests. A later `ensure` that creates one of their objects waits until it is gone."""
        self._join()
        paths = {item.manifest for item in self._applier.load(environment)}
        items = [item for item in self._items if item.manifest in paths]
        self._items = [item for item in self._items if item.manifest not in paths]
        self._stage_objects.set_environment(self._items)
        self._applied = {path: applied for path, applied in self._applied.items() if path not in environment}
        self._late = {path: own for path, own in self._late.items() if path not in environment}
        self._begin(items)

    def remove(self, environment: Sequence[str]) -> None:
        """Delete these manifests, and wait until they are gone.

        Raises:
            ClusterError: something could not be deleted.
        """
        self.leave(environment)
        self._wait()

    def close(self, *, keep: bool) -> None:
        """Delete everything and wait until it is gone; with `keep`, leave it in place.

        Raises:
            ClusterError: something could not be deleted.
        """
        self._join()
        items, self._items, self._applied, self._late = self._items, [], {}, {}
        if keep:
            return
        self._stage_objects.set_environment(())
        self._begin(items)
        try:
            self._stage_objects.clear()
        finally:
            self._wait()

    def _begin(self, items: Sequence[Item]) -> None:
        wait = self._applier.ask_to_delete(items)
        self._stage_objects.lost({item.name for item in items if item.kind == "Namespace"})
        self._leaving.append(Leaving(frozenset(item.key for item in items), wait))

    def _wait(self) -> None:
        leaving, self._leaving = self._leaving, []
        with ExitStack() as each:  # all of them, even if one raises
            for one in leaving:
                each.callback(one.wait)
