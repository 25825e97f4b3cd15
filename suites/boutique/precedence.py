"""Which of four levels decides: port before workload before namespace before mesh. The whole table, and its cells."""

from __future__ import annotations

from enum import StrEnum
from itertools import product

from clients.case import Case
from clients.expect import reset, status
from clients.table import Table
from suites.boutique.places import CATALOG, ECHO, OUTSIDE, SERVICES, url


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
"""As the manifests of `boutique/precedence` have it: all sixteen pairs, one workload each."""

MANIFESTS = ("boutique/precedence",)


def effective(mesh: Mode, namespace: Mode, workload: Mode, port: Mode) -> Mode:
    """The narrowest level that is set; PERMISSIVE where none is (Istio, PeerAuthentication)."""
    return next((mode for mode in (port, workload, namespace, mesh) if mode is not UNSET), PERMISSIVE)


def table(control: str, mesh: Mode) -> Table:
    """Plaintext to every port of every workload: refused by STRICT only. Through a sidecar each of them is reached."""
    cells = []
    for (name, app), port in product(LEVELS, PORTS):
        namespace, workload = LEVELS[name, app]
        mode = effective(mesh, namespace, workload, PORTS[port])
        target, mutual = OUTSIDE.get(url(name, port, app)), CATALOG.get(url(name, port, app))
        levels = f"{mesh}, {namespace}, {workload}, {PORTS[port]}"
        if mode is STRICT:
            cells.append(Case(control, target, reset(), before=status(200), twin=mutual, variant=f"plain: {levels}"))
        else:
            cells.append(Case(control, target, status(200), variant=f"plain: {levels}"))
        cells.append(Case(control, mutual, status(200), variant=f"sidecar: {levels}"))
    return Table(control, tuple(cells))
