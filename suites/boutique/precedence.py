"""Which of four levels decides: port before workload before namespace before mesh. The whole table, and its cells."""

from __future__ import annotations

from enum import StrEnum
from itertools import product

from clients.case import Case
from clients.expect import reset, status
from clients.table import Table
from suites.boutique.places import CATALOG, OUTSIDE, SERVICES, url


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
    # namespace of the shop: (mode of the namespace, mode of the workload)
    "ad": (UNSET, UNSET),
    "cart": (UNSET, STRICT),
    "checkout": (UNSET, PERMISSIVE),
    "currency": (STRICT, UNSET),
    "email": (STRICT, STRICT),
    "frontend": (STRICT, PERMISSIVE),
    "loadgenerator": (PERMISSIVE, UNSET),
    "payment": (PERMISSIVE, STRICT),
    "product-catalog": (PERMISSIVE, PERMISSIVE),
    "recommendation": (STRICT, DISABLE),
    "shipping": (DISABLE, STRICT),
}
"""As the manifests of `boutique/precedence` have it: all pairs of the first three modes, and DISABLE against STRICT."""

MANIFESTS = ("boutique/precedence",)


def effective(mesh: Mode, namespace: Mode, workload: Mode, port: Mode) -> Mode:
    """The narrowest level that is set; PERMISSIVE where none is (Istio, PeerAuthentication)."""
    return next((mode for mode in (port, workload, namespace, mesh) if mode is not UNSET), PERMISSIVE)


def table(control: str, mesh: Mode) -> Table:
    """Plaintext to every port of every workload: refused by STRICT only. Through a sidecar each of them is reached."""
    cells = []
    for name, port in product(SERVICES, PORTS):
        namespace, workload = LEVELS[name]
        mode = effective(mesh, namespace, workload, PORTS[port])
        target, mutual = OUTSIDE.get(url(name, port)), CATALOG.get(url(name, port))
        levels = f"{mesh}, {namespace}, {workload}, {PORTS[port]}"
        if mode is STRICT:
            cells.append(Case(control, target, reset(), before=status(200), twin=mutual, variant=f"plain: {levels}"))
        else:
            cells.append(Case(control, target, status(200), variant=f"plain: {levels}"))
        cells.append(Case(control, mutual, status(200), variant=f"sidecar: {levels}"))
    return Table(control, tuple(cells))
