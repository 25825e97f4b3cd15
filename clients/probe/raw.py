"""Raw TCP from outside: bytes are sent, and what comes back until the connection ends is the outcome. URL: `tcp://`.

libcurl is not used: its Gopher, by which the program curl sends raw bytes in a pod, takes one line in newer releases.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field

from clients.model.addresses import joined
from clients.model.outcome import Outcome, infrastructure
from clients.probe import answer, curl
from clients.probe.answer import MAX_TRANSFER_BYTES, Transfer
from clients.probe.request import Request

_REFUSED, _TIMED_OUT, _SEND_ERROR, _RECEIVE_ERROR = 7, 28, 55, 56
"""Exit codes that the program curl would have (curl(1))."""


def send(request: Request, to: tuple[str, int], _roots: str = "") -> Outcome:
    """The request's body on a fresh connection to `to`."""
    try:
        curl.check([request])
    except ValueError as error:
        return infrastructure(request.request_id, f"the request could not be sent: {error}")
    return answer.outcome(request.request_id, request.method, _Exchange(request, to).run())


@dataclass
class _Exchange:
    """One connection: what came back, and how far it got."""

    request: Request
    to: tuple[str, int]
    began: float = field(default_factory=time.monotonic)
    received: bytearray = field(default_factory=bytearray)
    local: str = ""

    def run(self) -> Transfer:
        code, message = _REFUSED, ""
        try:
            with self._connect() as peer:
                self.local = joined(*peer.getsockname()[:2])
                code = _SEND_ERROR
                peer.sendall(self.request.body.encode())
                code = _RECEIVE_ERROR
                self._receive(peer)
                code = 0
        except TimeoutError as error:
            code, message = _TIMED_OUT, str(error)
        except OSError as error:
            message = error.strerror or str(error)
        return self._transfer(code, message)

    def _connect(self) -> socket.socket:
        source = ("", self.request.local_port) if self.request.local_port else None
        limit_s = min(self.request.connect_timeout_s, self.request.timeout_s)
        return socket.create_connection(self.to, limit_s, source)

    def _receive(self, peer: socket.socket) -> None:
        while len(self.received) < MAX_TRANSFER_BYTES:
            left_s = self.began + self.request.timeout_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("the connection did not end in time")
            peer.settimeout(left_s)
            data = peer.recv(65536)
            if not data:
                return
            self.received += data

    def _transfer(self, code: int, message: str) -> Transfer:
        took_s = time.monotonic() - self.began
        return Transfer(
            exitcode=code,
            http_code=0,
            num_connects=1 if self.local else 0,
            errormsg=message,
            body=self.received.decode(errors="replace"),
            remote=joined(*self.to) if self.local else "",
            local=self.local,
            scheme=answer.RAW,
            time_namelookup=took_s,
            time_total=took_s,
        )
