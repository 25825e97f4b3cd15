"""Answers that several threads ask for at once: the first asks the API server, the others get its answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Recent(Generic[Answer]):
    """Shares answers for a moment. May be used from several threads.

    Args:
        shared_s: how long, in seconds, an answer is given again; shorter than what any caller would notice.
    """

    def __init__(self, shared_s: float) -> None:
        self._shared_s = shared_s
        self._known: dict[Hashable, tuple[float, Answer]] = {}
        self._asking: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, ask: Callable[[], Answer]) -> Answer:
        """The answer of a moment ago, else a new one; a caller that asks for the same meanwhile waits for it.

        An error of `ask` is raised and not kept. The moment begins when the question is sent: an answer is never older.
        """
        with self._lock:
            asking = self._asking.setdefault(key, threading.Lock())
        with asking:
            known = self._known.get(key)
            began = time.monotonic()
            if known is None or began - known[0] >= self._shared_s:
                known = self._known[key] = (began, ask())
            return known[1]

    def forget(self) -> None:
        """Ask again from now on."""
        self._known = {}
