"""Objects that one stage leaves for the next: only the difference between the two is checked and deleted."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from clients.apply.applier import Applier
from clients.apply.item import Item
from clients.apply.open_mesh import NOTHING_NEEDED, OpenMesh
from clients.model.evidence import Applied


class StageObjects:
    """The stage objects of one process that are in force.

    Going from one stage straight to the next gives the same state as deleting the first one before: every object of
    the next is applied, whether it has changed or not, and every other object is deleted.
    """

    def __init__(self, applier: Applier, open_mesh: OpenMesh = NOTHING_NEEDED) -> None:
        self._applier = applier
        self._open_mesh = open_mesh
        self._environment: tuple[Item, ...] = ()
        self._own: list[Item] = []
        self._over: tuple[Item, ...] = ()
        self._items: list[Item] = []
        self._marks: list[Item] = []

    @property
    def items(self) -> tuple[Item, ...]:
        """What is in force, without markers, and with what opens the mesh besides."""
        return tuple(self._items)

    def set_environment(self, items: Sequence[Item]) -> None:
        """Take note of the objects of all environments that are deployed."""
        self._environment = tuple(items)

    def make_way(self, over: Sequence[Item]) -> list[Applied]:
        """Put into force, or out of it, what opens the mesh besides, for these objects of a step as well.

        Call it before they are applied: of two policies for a namespace the older one counts.

        Raises:
            ClusterError: an object is not accepted or not gone in time.
        """
        self._over = tuple(over)
        return self._adjust(self._own) if self._open_mesh.needed else []

    def mark(self, items: Sequence[Item]) -> None:
        """Apply a change's markers, after the change itself; earlier ones that are not among them are deleted.

        Raises:
            ClusterError: an object is not accepted; `clear` deletes those that are.
        """
        wanted = {item.key for item in items}
        gone = [item for item in self._marks if item.key not in wanted]
        self._marks = [*gone, *items]
        self._applier.apply(items)
        if gone:
            self._applier.delete(gone)
        self._marks = list(items)

    def check(self, items: Sequence[Item]) -> None:
        """As `Applier.check`, for objects that are not in force in the same form."""
        known = {item.key: item.body for item in self._items}
        self._applier.check([item for item in items if known.get(item.key) != item.body])

    def move_to(self, items: Sequence[Item]) -> list[Applied]:
        """Apply these, then delete all others and wait until they are gone. Call `check` first.

        Raises:
            ClusterError: an object is not accepted or not gone in time; `clear` deletes everything.
        """
        self._over = ()
        return self._adjust(items)

    def _adjust(self, own: Sequence[Item]) -> list[Applied]:
        """Apply these but for what a step has put over them, and what opens the mesh besides; delete all others."""
        in_force = {item.key: item for item in (*own, *self._over)}
        items = [*own, *self._open_mesh.additions(self._environment, list(in_force.values()))]
        wanted = {item.key for item in items}
        gone = [item for item in self._items if item.key not in wanted]
        self._own = list(own)
        self._items = [*gone, *items]  # before the first is applied: `clear` must know all of a half-made stage
        over = {item.key for item in self._over}
        applied = self._applier.apply([item for item in items if item.key not in over])
        self._delete(gone)
        return applied

    def drop(self, items: Sequence[Item]) -> None:
        """Delete some of them, and wait until they are gone; what they stood in the place of comes back.

        Raises:
            ClusterError: an object could not be deleted; it still counts as in force.
        """
        self._delete(items)
        gone = {item.key for item in items}
        own = [item for item in self._own if item.key not in gone]
        self._own = own
        if self._open_mesh.needed:
            self._adjust(own)

    def _delete(self, items: Sequence[Item]) -> None:
        if items:
            self._applier.delete(items)
        gone = {item.key for item in items}
        self._items = [item for item in self._items if item.key not in gone]

    def clear(self) -> None:
        """Delete all of them, and their markers; what opens the mesh is in force afterwards. Raises as `drop` does."""
        if self._marks:
            self._applier.delete(self._marks)
            self._marks = []
        self._over = ()
        if self._open_mesh.needed and self._environment:
            self._adjust(())
        else:
            self._delete(self._items)
            self._own = []

    def leave(self) -> None:
        """Leave them in the cluster for a person to look at, and forget them."""
        self._items, self._marks, self._own, self._over = [], [], [], ()

    def lost(self, namespaces: Collection[str]) -> None:
        """Forget the objects of these namespaces, which were deleted."""
        self._items = [item for item in self._items if item.namespace not in namespaces]
        self._own = [item for item in self._own if item.namespace not in namespaces]
        self._marks = [item for item in self._marks if item.namespace not in namespaces]
