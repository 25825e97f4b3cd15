"""Why an environment or a stage did not become ready, or a client has no pod that is: the objects that keep pods so.

Computed only where that has happened, while everything is still there. A reason is given for pods whose proxy runs and
is not ready, and names the object; where none is known to be the cause, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from clients.kube import unready
from clients.kube.pods import SIDECAR
from clients.mesh.why import detectors, reading
from clients.mesh.why.objects import WorkloadView
from clients.model.errors import MeshproofError, UnreadyError
from clients.model.redact import redact
from clients.proof.rig.rig import Rig


@contextmanager
def explaining(rig: Rig) -> Iterator[None]:
    """An error that something is not ready gets the reason, where it is known (`MeshproofError.why`)."""
    try:
        yield
    except UnreadyError as error:
        with suppress(Exception):  # what cannot be found out must not take the error's place
            error.why = error.why or why(rig, rig.environments.namespaces)
        raise


def why(rig: Rig, namespaces: Iterable[str]) -> str:
    """Which objects keep pods of these namespaces from getting ready, in one line; empty where that is not known.

    Never raises for what the cluster does.
    """
    places = sorted(set(namespaces) - {rig.mesh.root})
    try:
        pods = [body for place in places for body in rig.cluster.objects("v1", "Pod", place)]
    except MeshproofError:
        return ""
    waiting = [WorkloadView.from_pod(body) for body in unready.where_unready(pods, SIDECAR)]
    if not waiting:
        return ""
    found = detectors.of_unready(reading.read(rig.cluster, places, rig.mesh.root), waiting)
    return redact(rig.overlay.plain("; ".join(reason.text for reason in found)))
