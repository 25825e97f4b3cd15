"""What the settings say of the ways in to a Service; the command line reads them without the cluster's client."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """Which ways in may be used."""

    AUTO = "auto"
    ADDRESS = "address"
    NODE_PORT = "node-port"
    PORT_FORWARD = "port-forward"


@dataclass(frozen=True)
class Entrance:
    """What the settings say about one Service that is reached from outside.

    Attributes:
        address: of it, or of what leads to it; the Service's own port is used with it. Empty: find it.
        way: the only way to use.
    """

    address: str = ""
    way: Way = Way.AUTO
