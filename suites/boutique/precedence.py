"""Precedence of four levels: port, then workload, then namespace, then mesh. The whole table, and its steps."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from itertools import product

from clients.model.case import Case
from clients.model.expect import reset, status
from clients.model.stage import Settle, Step
from clients.proof.table import Table
from suites.boutique.workloads import CATALOG, ECHO, OUTSIDE, SERVICES, url


class Mode(StrEnum):
    """Mode of a PeerAuthentication at one level; unset leaves it to the next wider one."""

    UNSET = "UNSET"
    STRICT = "STRICT"
    PERMISSIVE = "PERMISSIVE"
    DISABLE = "DISABLE"


UNSET, STRICT, PERMISSIVE, DISABLE = Mode
PORTS = {7001: UNSET, 7002: STRICT, 7003: PERMISSIVE, 7004: DISABLE}
"""Every workload has four ports, one for each mode at the level of ports."""

LEVELS = {
    # workload of the shop, by namespace and app: (mode of the namespace, mode of the workload)
    ("ad", SERVICES["ad"]): (UNSET, UNSET),
    ("ad", ECHO): (UNSET, DISABLE),
    ("cart", SERVICES["cart"]): (UNSET, STRICT),
    ("checkout", SERVICES["checkout"]): (UNSET, PERMISSIVE),
    ("currency", SERVICES["currency"]): (STRICT, UNSET),
    ("email", SERVICES["email"]): (STRICT, STRICT),
    ("frontend", SERVICES["frontend"]): (STRICT, PERMISSIVE),
    ("frontend", ECHO): (STRICT, DISABLE),
    ("loadgenerator", SERVICES["loadgenerator"]): (PERMISSIVE, UNSET),
    ("payment", SERVICES["payment"]): (PERMISSIVE, STRICT),
    ("payment", ECHO): (PERMISSIVE, DISABLE),
    ("product-catalog", SERVICES["product-catalog"]): (PERMISSIVE, PERMISSIVE),
    ("recommendation", SERVICES["recommendation"]): (DISABLE, UNSET),
    ("recommendation", ECHO): (DISABLE, DISABLE),
    ("shipping", SERVICES["shipping"]): (DISABLE, STRICT),
    ("shipping", ECHO): (DISABLE, PERMISSIVE),
}
"""As in the manifests of `boutique/precedence`: all sixteen pairs, one workload each."""

MANIFESTS = ("boutique/precedence",)

BARE = OUTSIDE.get(url("ad"))
"""Plaintext to the one port for which nothing narrower than the mesh is set: its outcome shows the mesh's mode."""
_CLOSED, _OPEN = (Settle(BARE, reset()),), (Settle(BARE, status(200)),)
STEPS = (
    Step(
        "STRICT",
        title="Precedence of mTLS modes under mesh-wide STRICT",
        apply=("boutique/mesh-wide-strict/mesh-wide.yaml",),
        settle=_CLOSED,
    ),
    Step(
        "PERMISSIVE",
        title="Precedence of mTLS modes under mesh-wide PERMISSIVE",
        apply=("boutique/mesh-wide-permissive/mesh-wide.yaml",),
        settle=_OPEN,
    ),
    # closed between the two that are open: without it, the arrival of the second could not be observed
    Step(
        "STRICT again",
        title="Mesh-wide STRICT again, to see that DISABLE arrives after it",
        apply=("boutique/mesh-wide-strict/mesh-wide.yaml",),
        settle=_CLOSED,
    ),
    Step(
        "DISABLE",
        title="Precedence of mTLS modes under mesh-wide DISABLE",
        apply=("boutique/mesh-wide-disable",),
        settle=_OPEN,
    ),
)
"""Modes of the mesh, one after the other; before the first step it has none."""
MESH_WIDE = frozenset({"mesh-wide"})


def effective(mesh: Mode, namespace: Mode, workload: Mode, port: Mode) -> Mode:
    """The narrowest level that is set; PERMISSIVE where none is (Istio, PeerAuthentication)."""
    return next((mode for mode in (port, workload, namespace, mesh) if mode is not UNSET), PERMISSIVE)


def table(control: str, mesh: Mode) -> Table:
    """Plaintext to every port of every workload is refused by STRICT only; through a sidecar every port is reached."""
    of_mesh = partial(Case, step="" if mesh is UNSET else mesh, needs=frozenset() if mesh is UNSET else MESH_WIDE)
    cells = []
    for (name, app), port in product(LEVELS, PORTS):
        namespace, workload = LEVELS[name, app]
        mode = effective(mesh, namespace, workload, PORTS[port])
        target, mutual = OUTSIDE.get(url(name, port, app)), CATALOG.get(url(name, port, app))
        levels = f"{mesh}, {namespace}, {workload}, {PORTS[port]}"
        if mode is STRICT:
            cells.append(of_mesh(control, target, reset(), before=status(200), twin=mutual, variant=f"plain: {levels}"))
        else:
            cells.append(of_mesh(control, target, status(200), variant=f"plain: {levels}"))
        cells.append(of_mesh(control, mutual, status(200), variant=f"sidecar: {levels}"))
    return Table(control, tuple(cells))
