"""A running shell in a client container that takes batches of curl requests: ten times as fast as an exec each."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Protocol

from clients.model.errors import InfrastructureError
from clients.model.outcome import Outcome, infrastructure
from clients.probe import curl, curl_output, ordinary
from clients.probe.request import Request

SLACK_S = 10.0
"""Seconds beyond the transfers' own limits that a batch may take before its output counts as lost."""
SHELL = ("sh",)
SHARED = 32
"""Requests of several threads that one curl process carries, because a process costs more than a request."""

GATHER_S = 0.01
"""Seconds to wait before a batch that follows a shared one: its threads have their next requests ready in a moment."""


class Transport(Protocol):
    """What a session needs of a running command (`clients.kube.exec.ExecSession`)."""

    @property
    def is_open(self) -> bool:
        """Whether the connection is still open, as far as is known."""

    def write(self, text: str) -> None:
        """Send text to its stdin."""

    def read_until(self, complete: Callable[[str], bool], timeout_s: float) -> str:
        """Its output since the last call, as soon as `complete` is true of it; InfrastructureError when it is not."""

    def close(self) -> None:
        """End the command."""


@dataclass(eq=False)
class _Waiting:
    """Requests of one thread that wait for their turn at the shell; `outcomes` is None until then."""

    requests: Sequence[Request]
    parallel: bool
    outcomes: list[Outcome] | None = field(default=None)


class ProbeSession:
    """Sends requests from one container.

    Threads take turns at the shell. The thread whose turn it is also sends what the others have waiting: one curl
    process sends all of it, one request after the other, each on a fresh connection.

    Args:
        open_shell: starts a POSIX shell that reads commands from its stdin; InfrastructureError when it cannot.
        ports: source ports, one for each request; 0 lets the system choose.
        ordinary_ports: those of ordinary requests, no two alike in a batch; by default the session's own.
    """

    def __init__(
        self,
        open_shell: Callable[[], Transport],
        ports: Iterable[int] = repeat(0),
        ordinary_ports: Iterable[int] | None = None,
    ) -> None:
        self._open_shell = open_shell
        self._ports = iter(ports)
        self._ordinary_ports = iter(ordinary.ports() if ordinary_ports is None else ordinary_ports)
        self._shell: Transport | None = None
        self._turn = threading.Lock()
        self._shared = False
        self._waiting: deque[_Waiting] = deque()

    def run(self, requests: Sequence[Request], *, parallel: bool = False) -> list[Outcome]:
        """One outcome per request, in order, each on a fresh connection.

        When the shell cannot be started, or its output is lost or torn, every affected outcome is `INFRASTRUCTURE`, and
        the next batch starts a new shell: output of a lost batch is never read as that of another.

        `parallel` sends them all at once, for probes that may time out; such a batch has no requests of other threads.

        Raises:
            ValueError: a control character in a request.
        """
        if not requests:
            return []
        curl.check(requests)  # here, as the batch may be sent by another thread, with requests of others
        mine = _Waiting(requests, parallel)
        self._waiting.append(mine)
        with self._turn:
            while mine.outcomes is None:
                if self._shared:
                    time.sleep(GATHER_S)
                taken = self._next()
                self._shared = len(taken) > 1
                self._serve(taken)
        return mine.outcomes

    def close(self) -> None:
        """End the shell. The session may be used again."""
        with self._turn:
            self._drop()

    def _next(self) -> list[_Waiting]:
        """The requests that have waited longest, as many as one curl process may carry; at least one thread's."""
        taken = [self._waiting.popleft()]
        count = len(taken[0].requests)
        while self._waiting and not taken[0].parallel and not self._waiting[0].parallel:
            count += len(self._waiting[0].requests)
            if count > SHARED:
                break
            taken.append(self._waiting.popleft())
        return taken

    def _serve(self, taken: list[_Waiting]) -> None:
        """Send them, and give each waiting thread its outcomes whatever happens, or it would wait for ever."""
        requests = [request for one in taken for request in one.requests]
        outcomes = [infrastructure(request.request_id, "interrupted") for request in requests]
        try:
            outcomes = self._batch(requests, taken[0].parallel)
        except InfrastructureError as error:
            self._drop()
            outcomes = [infrastructure(request.request_id, error.message) for request in requests]
        except BaseException:
            self._drop()
            raise
        finally:
            for one in taken:
                one.outcomes, outcomes = outcomes[: len(one.requests)], outcomes[len(one.requests) :]

    def _batch(self, requests: Sequence[Request], parallel: bool) -> list[Outcome]:
        sentinel = curl.new_sentinel()
        requests = self._with_ports(requests)
        if self._shell is None or not self._shell.is_open:
            self._drop()
            self._shell = self._open_shell()
        self._shell.write(curl.script(requests, sentinel, parallel=parallel))
        limits = [request.timeout_s for request in requests]
        limit_s = SLACK_S + (max(limits) if parallel else sum(limits))
        output = self._shell.read_until(lambda text: curl_output.finished(text, sentinel), limit_s)
        return curl_output.parse(output, requests, sentinel)

    def _with_ports(self, requests: Sequence[Request]) -> list[Request]:
        """Each with a source port of its own; curl uses an open connection again only from the same one."""
        given: list[Request] = []
        for request in requests:
            of_another = request.continues and given
            port = given[-1].local_port if of_another else next(self._of_kind(request))
            given.append(replace(request, local_port=port))
        return given

    def _of_kind(self, request: Request) -> Iterator[int]:
        return self._ordinary_ports if request.ordinary else self._ports

    def _drop(self) -> None:
        if self._shell is not None:
            self._shell.close()
        self._shell = None
