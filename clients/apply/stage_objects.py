"""What stages leave in force for one another: only the difference between two of them is deleted and looked at anew."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from clients.apply.applier import Applier, Item
from clients.model.evidence import Applied


class StageObjects:
    """The objects of stages that are in force, of one process.

    Going from one stage straight to the next gives the same state as clearing the first away before: every object of
    the next is applied, changed since or not, and every other one is deleted.
    """

    def __init__(self, applier: Applier) -> None:
        self._applier = applier
        self._items: list[Item] = []

    def check(self, items: Sequence[Item]) -> None:
        """As `Applier.check`, for what does not stand just so already."""
        known = {item.key: item.body for item in self._items}
        self._applier.check([item for item in items if known.get(item.key) != item.body])

    def move_to(self, items: Sequence[Item]) -> list[Applied]:
        """Apply these, then delete whatever else stands, and wait until it is gone. Call `check` first.

        Raises:
            ClusterError: an object is not accepted or not gone in time; `clear` takes everything away.
        """
        wanted = {item.key for item in items}
        gone = [item for item in self._items if item.key not in wanted]
        self._items = [*gone, *items]  # before the first is made: `clear` must know of what came about only in part
        applied = self._applier.apply(items)
        self.drop(gone)
        return applied

    def drop(self, items: Sequence[Item]) -> None:
        """Delete some of them, and wait until they are gone.

        Raises:
            ClusterError: an object could not be deleted; it still counts as standing.
        """
        if items:
            self._applier.delete(items)
        gone = {item.key for item in items}
        self._items = [item for item in self._items if item.key not in gone]

    def clear(self) -> None:
        """Delete all of them. Raises as `drop` does."""
        self.drop(self._items)

    def leave(self) -> None:
        """Let them be, for good: somebody wants to look at them."""
        self._items = []

    def lost(self, namespaces: Collection[str]) -> None:
        """These namespaces were deleted, with what stood in them."""
        self._items = [item for item in self._items if item.namespace not in namespaces]
