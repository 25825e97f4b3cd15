"""What uses a cluster, and the error of a run that is refused for it: who holds it, and what is in force."""

from __future__ import annotations

import re
import socket
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from clients.hold import held as holding
from clients.kube import lease
from clients.kube.cleanup import Leftover
from clients.kube.cluster import Cluster
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER, RUN_LABEL
from clients.model.api_groups import SECURITY_V1
from clients.model.errors import ClusterError, ConflictError
from runner.config import folders, rights

_KINDS = ("PeerAuthentication", "RequestAuthentication", "AuthorizationPolicy")
_HOLDER = re.compile(r".*@(?P<host>.+) pid (?P<pid>\d+)")


def in_use_error(
    cluster: Cluster, error: ConflictError, holder: str = "", *, root: str = rights.ROOT_NAMESPACE
) -> ConflictError:
    """The error with the mesh-wide changes of runs that are in force now.

    They change answers of the whole mesh, for others too. If the holder was killed, they stay until a clean-up.

    Args:
        holder: as the Lease names it.
        root: namespace whose policies apply to the whole mesh.
    """
    changes = in_force(cluster, root)
    if not changes:
        return error
    when = "now" if ended_here(holder) else "once its lease has expired"
    hint = f"{error.hint}; if it was killed, `meshproof cleanup` removes what it left, {when}"
    return ConflictError(f"{error.message}; in force for the whole mesh: {', '.join(map(str, changes))}", hint)


def in_force(cluster: Cluster, root: str = rights.ROOT_NAMESPACE) -> list[Leftover]:
    """Policies of runs that apply to the whole mesh; without those that this identity may not list."""
    found = []
    for kind in _KINDS:
        with suppress(ClusterError):
            bodies = cluster.objects(SECURITY_V1, kind, root, f"{MANAGED_BY_LABEL}={MANAGER}")
            found += [_leftover(kind, body["metadata"]) for body in bodies]
    return found


def _leftover(kind: str, meta: dict[str, Any]) -> Leftover:
    run = meta.get("labels", {}).get(RUN_LABEL, "")
    return Leftover(SECURITY_V1, kind, meta["namespace"], meta["name"], run, meta.get("uid", ""))


def ended_here(holder: str) -> bool:
    """Whether the holder was a process of this machine that has ended."""
    known = _HOLDER.fullmatch(holder)
    if known is None or known["host"] != socket.gethostname():
        return False
    return not folders.alive(int(known["pid"]))


def user_of(kubeconfig: Path) -> str:
    """What uses the cluster now, in words: a run, or held traffic; empty for neither.

    Raises:
        ClusterError: the API server does not answer, or this identity lacks a permission.
    """
    with closing(Cluster.connect(kubeconfig)) as cluster:
        run = lease.holder(cluster)
        if run and not ended_here(run):
            return run
        held = holding.find(cluster)
        return f"the held traffic {held.id}" if held else ""
