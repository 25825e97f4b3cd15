"""A WebSocket from outside, by the library `websockets`: opened, one message there and back, closed.

Of the library only the protocol is used, without its own sockets and threads: they would keep from us how it failed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from clients.model.outcome import Outcome, OutcomeKind
from clients.probe import curl, dial
from clients.probe.curl import MAX_BODY_BYTES, Request
from clients.probe.failures import BrokenOffError, failed

MESSAGE = "there and back"
"""What is sent, and must come back from a server that echoes."""
_SWITCHING = 101


def send(request: Request, to: tuple[str, int], roots: str = "") -> Outcome:
    """One WebSocket on a fresh connection to `to`.

    Its outcome is the answer to the upgrade: 101, with the message that came back as its body, or a refusal as it is.
    """
    began = time.monotonic()
    where = f"{to[0]}:{to[1]}"
    try:
        with dial.connection(request, to, roots, ["http/1.1"]) as connected:
            talk = _Talk(request)
            dial.converse(connected, request, talk.to_send, talk.received)
            local = connected.getsockname()
    except Exception as error:
        return failed(request, error, where, time.monotonic() - began)
    assert talk.response is not None
    body = talk.echoed if talk.response.status_code == _SWITCHING else talk.response.body or b""
    names = dict.fromkeys(name.lower() for name, _ in talk.response.headers.raw_items())
    return Outcome(
        kind=OutcomeKind.STATUS,
        request_id=request.request_id,
        status=talk.response.status_code,
        exit_code=0,
        body=bytes(body[:MAX_BODY_BYTES]).decode(errors="replace"),
        headers={name: tuple(talk.response.headers.get_all(name)) for name in names},
        remote_address=where,
        local_address=f"{local[0]}:{local[1]}",
        total_s=time.monotonic() - began,
    )


def command(request: Request) -> str:
    """The upgrade as a command that a person could repeat. Not redacted."""
    url = f"http{request.url.removeprefix('ws')}"
    asked = (
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "bWVzaHByb29mLWtleS0xNg=="),
    )
    return curl.command(replace(request, url=url, headers=(*asked, *request.headers)), "-N", "--http1.1")


@dataclass
class _Talk:
    """What is said, as a state of the library's."""

    request: Request
    response: Response | None = None
    echoed: bytes = b""
    protocol: ClientProtocol = field(init=False)

    def __post_init__(self) -> None:
        self.protocol = ClientProtocol(parse_uri(self.request.url))
        upgrade = self.protocol.connect()
        upgrade.headers["User-Agent"] = self.request.user_agent
        upgrade.headers["x-request-id"] = self.request.request_id
        for name, value in self.request.headers:
            upgrade.headers[name] = value
        self.protocol.send_request(upgrade)

    def to_send(self) -> bytes:
        """Bytes for the server."""
        return b"".join(self.protocol.data_to_send())

    def received(self, data: bytes) -> bool:
        """Take in what came; whether the talk is over: refused, or the message came back and the server took leave."""
        self.protocol.receive_data(data)
        over = any(self._over(event) for event in self.protocol.events_received())
        if self.protocol.handshake_exc and self.response is None:
            raise BrokenOffError(f"no answer to an upgrade: {self.protocol.handshake_exc}")
        return over

    def _over(self, event: object) -> bool:
        if isinstance(event, Response):
            self.response = event
            if event.status_code != _SWITCHING:
                return True
            if self.protocol.handshake_exc:
                raise BrokenOffError(f"the upgrade is not as it should be: {self.protocol.handshake_exc}")
            self.protocol.send_text(MESSAGE.encode())
        elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
            self.echoed = bytes(event.data)
            self.protocol.send_close(1000)
        return isinstance(event, Frame) and event.opcode is Opcode.CLOSE
