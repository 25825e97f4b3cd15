"""How a process of this machine is named where it holds something in a cluster."""

from __future__ import annotations

import getpass
import os
import socket


def holder_here() -> str:
    """How this process is named as a holder: `ann@host pid 4711`; by number where the user id has no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # any id in a container; OSError since Python 3.13
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()} pid {os.getpid()}"
