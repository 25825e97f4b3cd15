"""A running shell in a client container that takes batches of curl requests: ten times as fast as an exec each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from clients import curl
from clients.curl import Request
from clients.errors import InfrastructureError
from clients.outcome import Outcome, infrastructure

SLACK_S = 10.0
"""Time beyond the transfers' own limits that a batch may take before its output counts as lost."""
SHELL = ("sh",)


class Transport(Protocol):
    """What a session needs of a running command (`clients.exec.ExecSession`)."""

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands, as far as is known."""

    def write(self, text: str) -> None:
        """Send text to its stdin."""

    def read_until(self, complete: Callable[[str], bool], timeout_s: float) -> str:
        """Its output since the last call, as soon as `complete` says yes of it."""

    def close(self) -> None:
        """Drop it."""


class ProbeSession:
    """Sends requests from one container. Batches of several threads wait for each other.

    Args:
        open_shell: starts a POSIX shell that reads commands from its stdin; InfrastructureError when it cannot.
    """

    def __init__(self, open_shell: Callable[[], Transport]) -> None:
        self._open_shell = open_shell
        self._shell: Transport | None = None
        self._lock = threading.Lock()

    def run(self, requests: Sequence[Request], *, parallel: bool = False) -> list[Outcome]:
        """One outcome per request, in order, each on a fresh connection.

        When the shell cannot be started, or its output is lost or torn, every affected outcome is `INFRASTRUCTURE`, and
        the next batch starts a new shell: output of a lost batch is never read as that of another.

        `parallel` sends them all at once, for probes that are expected to time out.
        """
        if not requests:
            return []
        with self._lock:
            try:
                outcomes = self._batch(requests, parallel)
            except InfrastructureError as error:
                self._drop()
                return [infrastructure(request.request_id, error.message) for request in requests]
            except BaseException:
                self._drop()
                raise
        return outcomes

    def close(self) -> None:
        """End the shell. The session may be used again."""
        with self._lock:
            self._drop()

    def _batch(self, requests: Sequence[Request], parallel: bool) -> list[Outcome]:
        sentinel = curl.new_sentinel()
        if self._shell is None or not self._shell.is_open:
            self._drop()
            self._shell = self._open_shell()
        self._shell.write(curl.script(requests, sentinel, parallel=parallel))
        limits = [request.timeout_s for request in requests]
        patience_s = SLACK_S + (max(limits) if parallel else sum(limits))
        output = self._shell.read_until(lambda text: curl.finished(text, sentinel), patience_s)
        return curl.parse(output, requests, sentinel)

    def _drop(self) -> None:
        if self._shell is not None:
            self._shell.close()
        self._shell = None
