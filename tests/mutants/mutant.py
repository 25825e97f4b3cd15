"""What a mutant may do, and when."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from clients.proof.rig import Rig

Object = dict[str, Any]

POLICIES = frozenset({"PeerAuthentication", "RequestAuthentication", "AuthorizationPolicy"})


class Mutant:
    """One way to spoil the mesh; this one does nothing.

    What is done in `objects` goes when its object goes. What is done otherwise is undone in `undo`, which is called
    before a spoilt stage is left, and again at the end of the run: it must bear to be called twice, and for nothing.
    """

    def objects(self, objects: list[Object]) -> None:
        """Change the objects of one manifest. The same each time, for a manifest is read again to delete it."""

    def entered(self, rig: Rig) -> None:
        """The stage's change has settled; its cases are about to be proven."""

    def undo(self) -> None:
        """Make good again."""


class Changed(Mutant):
    """Other objects are applied than the manifests say; nothing else."""

    def __init__(self, change: Callable[[list[Object]], None]) -> None:
        self._change = change

    def objects(self, objects: list[Object]) -> None:
        self._change(objects)


def of_kind(objects: list[Object], kind: str, name: str = "") -> Iterator[Object]:
    """Those of a kind, and of a name where one is given."""
    return (body for body in objects if body["kind"] == kind and name in ("", body["metadata"]["name"]))


def document_namespace(body: Object) -> str:
    """An object's namespace (a Namespace's own name) as the document has it: without the run's and worker's prefix."""
    meta = body["metadata"]
    return re.sub(r"^mp-[^-]+-[^-]+-", "", meta["name"] if body["kind"] == "Namespace" else meta.get("namespace", ""))
