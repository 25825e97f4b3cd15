"""What a mutant may do, and when."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from clients.apply import open_mesh
from clients.proof.rig.rig import Rig

Object = dict[str, Any]

POLICY_KINDS = frozenset({"PeerAuthentication", "RequestAuthentication", "AuthorizationPolicy"})


class Mutant:
    """One defect of the mesh; this class changes nothing.

    A change in `objects` ends with its object. Everything else is undone in `undo`, which is called
    before the stage is left, and again at the end of the run: it must work when called twice, or with nothing to undo.
    """

    def objects(self, objects: list[Object]) -> None:
        """Change the objects of one manifest. The same each time, for a manifest is read again to delete it."""

    def entered(self, rig: Rig) -> None:
        """The stage's change has settled; its cases are about to be proven."""

    def undo(self) -> None:
        """Repair what `entered` or `objects` did outside of the objects."""


class Changed(Mutant):
    """Only changes the objects of the manifests."""

    def __init__(self, change: Callable[[list[Object]], None]) -> None:
        self._change = change

    def objects(self, objects: list[Object]) -> None:
        self._change(objects)


def of_kind(objects: list[Object], kind: str, name: str = "") -> Iterator[Object]:
    """Those of a kind, and of a name where one is given."""
    return (body for body in objects if body["kind"] == kind and name in ("", body["metadata"]["name"]))


def policy_specs(objects: list[Object], name: str) -> list[Object]:
    """The spec of each authorization policy of a name."""
    return [body["spec"] for body in of_kind(objects, "AuthorizationPolicy", name)]


def policy_operations(objects: list[Object], name: str) -> list[Object]:
    """What the rules of such a policy say of requests, in their order."""
    rules = (rule for spec in policy_specs(objects, name) for rule in spec["rules"])
    return [to["operation"] for rule in rules for to in rule.get("to", ())]


def policies(objects: list[Object]) -> list[Object]:
    """Policies that are proven; not those by which a run opens its own namespaces on a hardened mesh."""
    found = (body for body in objects if body["kind"] in POLICY_KINDS)
    return [body for body in found if not body["metadata"]["name"].startswith(open_mesh.NAME)]


def networking(kind: str, meta: Object, spec: Object) -> Object:
    """An object of Istio's networking API."""
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": meta, "spec": spec}


def run_labels(meta: Object) -> dict[str, str]:
    """Labels of a Namespace that an object in it gets too: the run's, and not those that ask for injection."""
    return {key: value for key, value in meta.get("labels", {}).items() if not key.startswith("istio")}


def document_namespace(body: Object) -> str:
    """An object's namespace (a Namespace's own name) as the document has it: without the run's and worker's prefix."""
    meta = body["metadata"]
    return re.sub(r"^mp-[^-]+-[^-]+-", "", meta["name"] if body["kind"] == "Namespace" else meta.get("namespace", ""))
