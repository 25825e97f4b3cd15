"""Only one process changes the testbed at a time; a waiting process names the holder."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clients.model.errors import ClusterError
from testbed.progress import Say

WAIT_S = 45 * 60.0


@contextmanager
def held(path: Path, purpose: str, say: Say, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock; the kernel releases it when the process ends, in any way.

    Raises:
        ClusterError: another process still holds it after `wait_s`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        hint = "set MESHPROOF_CACHE_DIR to a writable folder"
        raise ClusterError(f"{path.parent} cannot be written: {error.strerror}", hint) from error
    with file:
        deadline, holder_named = time.monotonic() + wait_s, False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "another process"
                if time.monotonic() > deadline:
                    raise ClusterError(f"the testbed is held by {holder}", "wait for it or end it") from None
                if not holder_named:
                    say(f"waiting: the testbed is held by {holder}")
                    holder_named = True
                time.sleep(0.1)
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} ({Path(sys.argv[0]).name} {purpose}, since {time.strftime('%H:%M:%S')})")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
