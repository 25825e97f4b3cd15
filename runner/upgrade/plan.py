"""The phases of an upgrade, and the states of the mesh in each: which part is on which revision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clients.hold.held import GATEWAYS, HOME, SERVERS

OLD, NEW = "old", "new"
PARTS = {"client": HOME, "server": SERVERS, "gateway": GATEWAYS}
"""What moves alone: its name, and its namespace by the manifests' names."""


class PhaseName(StrEnum):
    """The phases, in their order."""

    BEFORE = "before"
    CANARY = "canary"
    MIXED = "mixed"
    MOVED = "moved"
    ROLLED_BACK = "rolled-back"


@dataclass(frozen=True)
class MeshState:
    """Where each part of the held traffic is: `old` or `new`."""

    client: str = OLD
    server: str = OLD
    gateway: str = OLD

    def __str__(self) -> str:
        return f"client {self.client}, server {self.server}, gateway {self.gateway}"

    def of(self, part: str) -> str:
        """Where one part is."""
        return str(getattr(self, part))


@dataclass(frozen=True)
class UpgradePhase:
    """One phase.

    Attributes:
        meaning: what it is, for people.
        states: that the mesh passes through; each differs from the one before in as few parts as possible.
        suites: on which revision the suites run at its end; empty for none.
    """

    name: PhaseName
    meaning: str
    states: tuple[MeshState, ...]
    suites: str = ""


PHASES = (
    UpgradePhase(PhaseName.BEFORE, "everything is on the old revision", (MeshState(),), OLD),
    UpgradePhase(PhaseName.CANARY, "the new control plane is there, and nothing has moved", (MeshState(),)),
    UpgradePhase(
        PhaseName.MIXED,
        "both revisions serve at the same time, in every pair",
        (MeshState(OLD, NEW, OLD), MeshState(OLD, NEW, NEW), MeshState(OLD, OLD, NEW), MeshState(NEW, OLD, NEW)),
    ),
    UpgradePhase(PhaseName.MOVED, "everything is on the new revision", (MeshState(NEW, NEW, NEW),), NEW),
    UpgradePhase(
        PhaseName.ROLLED_BACK,
        "everything is on the old revision again",
        (MeshState(NEW, NEW, OLD), MeshState(OLD, NEW, OLD), MeshState()),
        OLD,
    ),
)
"""With these, clients, servers and gateways meet in every pair of old and new: see `pair`."""
ENDS = {
    "mesh": ("client", "server"),
    "plain": ("server",),
    "ingress": ("gateway", "server"),
    "egress": ("client", "gateway"),
    "originated": ("client", "gateway"),
    "passed": ("client", "gateway"),
}
"""Beginning of a flow's name → the parts that its requests pass."""


def pair(flow: str, state: MeshState) -> str:
    """Which revisions the requests of a flow pass in a state: `client old, server new`."""
    parts = ENDS[flow.partition("-")[0]]
    return ", ".join(f"{part} {state.of(part)}" for part in parts)
