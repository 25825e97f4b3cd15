"""One forwarded connection: what a client sends goes to a port of a pod, and back, over a WebSocket to the API server.

The protocol is `v4.channel.k8s.io` (Kubernetes, `pkg/cri/streaming/portforward`): the first byte of a frame is its
channel, and the first frame of each channel has the port. The kubelet ends it by a close frame, once the pod has ended
its connection. The client library's own carrier is not used: where the WebSocket breaks, or a descriptor is above 1023,
its thread ends and leaves the client waiting, and it does not tell an end without a close frame from the pod's.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from kubernetes.client.exceptions import ApiException
from kubernetes.stream import ws_client

_BYTES = 64 * 1024
_DATA, _ERROR = 0, 1
"""Channels of the first port."""
_BINARY, _CLOSE, _PING = 0x2, 0x8, 0x9
"""Kinds of frames (RFC 6455, section 5.2)."""
_NORMAL = 1000
"""Status of a close frame (RFC 6455, section 7.4.1)."""


def opened(configuration: Any, _method: str, url: str, headers: Any = None) -> Any:
    """An open `websocket.WebSocket` to this address. As the client library's own calls have it.

    Raises:
        ApiException: it could not be opened; `reason` has the cause.
    """
    try:
        address = ws_client.get_websocket_url(url)  # type: ignore[no-untyped-call]
        return ws_client.create_websocket(configuration, address, headers)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise ApiException(status=0, reason=str(error)) from None


def carry(websocket: Any, client: socket.socket) -> str:
    """Carry bytes both ways until one side ends, then close the WebSocket; the client's end is left to the caller.

    Returns:
        Why the end is not the pod's own, nor the client's: the kubelet could not reach it, or the WebSocket broke.
    """
    try:
        return _Carrier(websocket, client).run()
    finally:
        with suppress(Exception):
            websocket.close(timeout=0)
        with suppress(Exception):
            websocket.shutdown()  # where the other side has closed first, `close` leaves the socket open


class _Carrier:
    """The two directions of one connection."""

    def __init__(self, websocket: Any, client: socket.socket) -> None:
        self._websocket, self._client = websocket, client
        self._announced: set[int] = set()
        self._sends = True

    def run(self) -> str:
        for readable in self._readable():
            ended = self._from_pod() if readable is self._websocket else self._from_client()
            if ended is not None:
                return ended
        return ""

    def _readable(self) -> Iterator[Any]:
        """Which side can be read from, again and again; what the pod has sent comes first."""
        poll, there = select.poll(), self._websocket.sock
        poll.register(there, select.POLLIN)
        poll.register(self._client, select.POLLIN)
        while True:
            events = {number for number, _ in poll.poll()}
            if there.fileno() in events:
                yield self._websocket
                while isinstance(there, ssl.SSLSocket) and there.pending():  # which `poll` does not see
                    yield self._websocket
            elif self._sends:
                yield self._client
            else:
                poll.unregister(self._client)

    def _from_client(self) -> str | None:
        try:
            data = self._client.recv(_BYTES)
        except OSError:
            data = b""
        if not data:
            return ""
        try:
            self._websocket.send(bytes([_DATA]) + data, _BINARY)
        except Exception:  # the other side has closed: what it has sent before says why
            self._sends = False
        return None

    def _from_pod(self) -> str | None:
        try:
            frame = self._websocket.recv_frame()
        except Exception as error:
            return f"the connection to the API server broke: {error or type(error).__name__}"
        if frame.opcode == _PING:
            with suppress(Exception):
                self._websocket.pong(frame.data)
        if frame.opcode == _CLOSE:
            return _closed(frame.data)
        if frame.opcode != _BINARY or not frame.data:
            return None
        channel, data = frame.data[0], frame.data[1:]
        if channel not in self._announced:
            self._announced.add(channel)
            return None
        if channel == _ERROR:
            return str(data.decode("utf-8", "replace"))
        try:
            self._client.sendall(data)
        except OSError:
            return ""
        return None


def _closed(data: bytes) -> str:
    """What a close frame says, where that is not the ordinary end; it need not have a status."""
    status = int.from_bytes(data[:2], "big") if len(data) >= 2 else _NORMAL
    if status == _NORMAL:
        return ""
    return f"the API server closed the connection: {status} {data[2:].decode('utf-8', 'replace')}".rstrip()
