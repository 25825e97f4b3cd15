"""Why an object that was deleted is still there: its finalizers, or an API that cannot say what it holds."""

from __future__ import annotations

from collections.abc import Iterator

from clients.kube.api import Json
from clients.kube.no_answer import one_line

_CONDITIONS = (
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
    "NamespaceFinalizersRemaining",
    "NamespaceContentRemaining",
)
"""What the namespace controller reports of a deletion that does not end (Kubernetes, namespace conditions)."""


def why_it_stays(body: Json | None) -> str:
    """Why a deleted object stays, in a few words with a colon before them; empty where it does not say.

    A namespace names the API group that does not answer, or the finalizers of the objects in it.
    """
    reasons = list(_reasons(body)) if body else []
    return f": {'; '.join(reasons)}" if reasons else ""


def _reasons(body: Json) -> Iterator[str]:
    if finalizers := body["metadata"].get("finalizers"):
        yield f"it waits for finalizer {', '.join(map(str, finalizers))}"
    conditions = {one.get("type"): one for one in (body.get("status") or {}).get("conditions") or ()}
    for name in _CONDITIONS:
        found = conditions.get(name) or {}
        if found.get("status") == "True" and found.get("message"):
            yield one_line(found["message"])
