"""A WebSocket from outside: opened, one message there and back, closed. URL: `ws(s)://host/path`.

libcurl sends the upgrade as an ordinary request, reads the answer, and then carries the frames, which this module makes
and reads (RFC 6455, section 5.2). The `ws://` of libcurl is not used: it drops the body of a refused upgrade, which
distinguishes the gateway's 403 from an application's, and it does not verify `Sec-WebSocket-Accept`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field, replace

import pycurl

from clients.model.outcome import Outcome
from clients.probe import curl
from clients.probe.answer import headers_of
from clients.probe.libcurl import Exchange, Options
from clients.probe.request import Request

MESSAGE = "there and back"
"""What is sent, and must come back from a server that echoes."""

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""A server appends it to the client's key and returns the digest (RFC 6455, section 1.3)."""

_CONTINUATION, _TEXT, _CLOSE = 0x0, 0x1, 0x8
_OPCODE, _FINAL, _MASKED = 0x0F, 0x80, 0x80
_SWITCHING, _FINAL_STATUS = 101, 200
_WEIRD_SERVER_REPLY = 8
"""curl's exit code for an answer that it cannot make sense of."""
_NORMAL_CLOSURE = (1000).to_bytes(2, "big")


def send(request: Request, to: tuple[str, int], roots: str = "") -> Outcome:
    """One WebSocket on a fresh connection to `to`.

    Its outcome is the answer to the upgrade: 101, with the message that came back as its body, or a refusal as it is.
    """
    return _Talk(_as_http(request), to, roots).run()


def command(request: Request) -> str:
    """The upgrade as a command that a person could repeat. Not redacted."""
    asked = _upgrade("bWVzaHByb29mLWtleS0xNg==")
    return curl.command(replace(_as_http(request), headers=(*asked, *request.headers)), "-N", "--http1.1")


def _as_http(request: Request) -> Request:
    return replace(request, url=f"http{request.url.removeprefix('ws')}")


def _upgrade(key: str) -> tuple[tuple[str, str], ...]:
    """The headers that request the upgrade (RFC 6455, section 4.1)."""
    return (
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key),
    )


def _frame(opcode: int, data: bytes) -> bytes:
    """A frame that is a whole message of at most 125 bytes, masked as a client's must be."""
    mask = secrets.token_bytes(4)
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
    return bytes([_FINAL | opcode, _MASKED | len(data)]) + mask + masked


@dataclass
class _Talk(Exchange):
    """The upgrade and the messages after it: the upload are the client's frames, the body are the server's.

    Attributes:
        to_send: frames that libcurl has not taken yet.
        status: of the answer that is arriving.
        answered: the head of the final answer is there.
        opened: that answer agrees to the upgrade.
        over: the server has sent its close frame.
        echoed: the message that came back.
    """

    key: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(16)).decode())
    to_send: bytes = b""
    status: int = 0
    answered: bool = False
    opened: bool = False
    over: bool = False
    echoed: bytes = b""

    def options(self) -> Options:
        """A GET with an upload of unknown length; the head mentions no body, as an upgrade has none."""
        usual = super().options()
        return {
            **usual,
            pycurl.UPLOAD: 1,
            pycurl.CUSTOMREQUEST: b"GET",
            pycurl.READFUNCTION: self.on_upload,
            pycurl.HTTPHEADER: [*usual[pycurl.HTTPHEADER], b"Transfer-Encoding:", b"Expect:"],
        }

    def headers(self) -> list[tuple[str, str]]:
        """Those of the upgrade, in place of `Connection: close`."""
        return [*_upgrade(self.key), *self.stated()]

    def on_line(self, line: bytes) -> int | None:
        """Send the message once the server has agreed to the upgrade, and nothing after any other answer."""
        super().on_line(line)
        if started := re.match(rb"HTTP/\S+ (\d{3})", line):
            self.status = int(started[1])
        if line.strip() or (self.status < _FINAL_STATUS and self.status != _SWITCHING):
            return None
        self.answered, self.opened = True, self.status == _SWITCHING
        if self.opened and not self._accepted():
            return 0  # a wrong length ends the transfer
        self._send(_frame(_TEXT, MESSAGE.encode()) if self.opened else b"")
        return None

    def on_upload(self, size: int) -> bytes | int:
        """The next bytes to send: a pause where there are none yet, the end of the upload after a refusal."""
        sent, self.to_send = self.to_send[:size], self.to_send[size:]
        return sent if sent or (self.answered and not self.opened) else pycurl.READFUNC_PAUSE

    def on_data(self, data: bytes) -> int | None:
        """Keep a part of a refusal, or read frames: close after the message, and end at the server's close frame."""
        if not self.opened:
            return super().on_data(data)
        self.body += data
        while frame := self._next_frame():
            first, payload = frame
            if first & _OPCODE == _CLOSE:
                self.over = True
                return 0
            if first & _OPCODE in (_CONTINUATION, _TEXT):
                self.echoed += payload
                if first & _FINAL:
                    self._send(_frame(_CLOSE, _NORMAL_CLOSURE))
        return None

    def text(self) -> bytes:
        """The message that came back, or the body of a refusal."""
        return self.echoed if self.opened else super().text()

    def ended(self, exit_code: int, message: str) -> tuple[int, str]:
        """Those of curl, except where this class ended the transfer: at the close frame, or at a wrong accept key."""
        if self.over:
            return 0, ""
        if self.opened and not self._accepted():
            return _WEIRD_SERVER_REPLY, "Sec-WebSocket-Accept does not match the key that was sent"
        return exit_code, message

    def _accepted(self) -> bool:
        digest = hashlib.sha1(self.key.encode() + _GUID, usedforsecurity=False).digest()
        lines = (line.decode(errors="replace") for line in self.lines)
        return headers_of(lines).get("sec-websocket-accept") == (base64.b64encode(digest).decode(),)

    def _send(self, frames: bytes) -> None:
        self.to_send += frames
        self.handle.pause(pycurl.PAUSE_CONT)  # libcurl calls on_upload again

    def _next_frame(self) -> tuple[int, bytes] | None:
        """First byte and payload of the next frame, once it is whole; it is taken from the body."""
        if len(self.body) < 2:
            return None
        start = {126: 4, 127: 10}.get(self.body[1], 2)
        size = self.body[1] if start == 2 else int.from_bytes(self.body[2:start], "big")
        if len(self.body) < start + size:
            return None
        frame = self.body[0], bytes(self.body[start : start + size])
        del self.body[: start + size]
        return frame
