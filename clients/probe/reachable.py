"""Whether something is at an address, by a connection that is closed at once."""

from __future__ import annotations

import socket
from contextlib import suppress

CONNECT_S = 2.0
"""Time limit of such a connection."""


def accepts(host: str, port: int) -> bool:
    """Whether a connection is accepted within `CONNECT_S`."""
    with suppress(OSError), socket.create_connection((host, port), CONNECT_S):
        return True
    return False


def replies(host: str, port: int) -> bool:
    """Whether a connection is accepted or refused within `CONNECT_S`: what it leads to may not listen yet."""
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except OSError as error:
        return isinstance(error, ConnectionRefusedError)
    return True
