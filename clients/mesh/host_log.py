"""The external hosts' own log, of which each line is read once: it may be that of months."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from clients.mesh.access_logs.accesslog import belongs, canonical
from clients.model.addresses import host_of
from clients.model.errors import InfrastructureError


@dataclass(frozen=True)
class ArrivalEntry:
    """One request as the external server saw it. Addresses are `ip:port`, or `[ip]:port` for IPv6.

    Attributes:
        peer: the other end of its connection, as the socket has it, not as a proxy states it.
        local: its own end.
        sni: server name in the TLS hello; empty without TLS.
        client_cert: the client showed a certificate.
        at: when it came, by the server's clock in seconds since 1970; 0 where its log does not say.
    """

    request_id: str
    peer: str
    local: str
    tls: bool
    sni: str
    client_cert: bool
    host: str
    method: str
    path: str
    at: float = 0.0


class HostLog:
    """What the log has since a place in it: one JSON object a line, written before the answer. Threads may share it."""

    def __init__(self, path: Path, begins: int = 0) -> None:
        """`begins` counts bytes: those before it were there before the run, and are not read."""
        self._path = path
        self._lock = threading.Lock()
        self._read, self._file = begins, _identity(path)
        self._torn = b""
        self._entries: list[tuple[ArrivalEntry, str]] = []
        """Each with its user agent."""
        self._by_id, self._by_peer = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)

    @classmethod
    def from_now(cls, path: Path) -> HostLog:
        """What will come to this file, which need not be there yet."""
        return cls(path, path.stat().st_size if path.exists() else 0)

    def of_requests(self, ids: Set[str]) -> list[ArrivalEntry]:
        """Entries of these requests, in order, with the ids by which they were sent.

        Raises:
            InfrastructureError: it cannot be read.
        """
        with self._lock:
            self._go_on()
            found = [self._entries[place] for place in _places(self._by_id, ids)]
        return [replace(entry, request_id=belongs(entry.request_id, agent, ids)) for entry, agent in found]

    def of_peers(self, peers: Set[str]) -> list[ArrivalEntry]:
        """Entries of all requests from these canonical addresses, in order.

        Raises:
            InfrastructureError: it cannot be read.
        """
        with self._lock:
            self._go_on()
            found = [self._entries[place][0] for place in _places(self._by_peer, peers)]
        return [replace(entry, request_id=canonical(entry.request_id)) for entry in found]

    def _go_on(self) -> None:
        """Read what is new. A file that was begun again, as by rotation, is read from its beginning."""
        try:
            now = _identity(self._path)
            if now != self._file:
                self._torn += self._rest_of_the_old_one() + b"\n"
                self._read, self._file = 0, now
            elif self._path.stat().st_size < self._read:
                self._read, self._torn = 0, b""
            with self._path.open("rb") as file:
                file.seek(self._read)
                added = file.read()
        except OSError as error:
            raise InfrastructureError(f"the log of the external hosts cannot be read: {error.strerror}") from None
        self._read += len(added)
        *whole, self._torn = (self._torn + added).split(b"\n")
        for line in whole:
            self._take(_parsed(line))
        if last := _parsed(self._torn):  # a whole one, whose end is yet to come
            self._take(last)
            self._torn = b""

    def _rest_of_the_old_one(self) -> bytes:
        """What came to the file after it was last read and before it was renamed, in the same folder."""
        for file in self._path.parent.iterdir():
            if self._file and _identity(file) == self._file:
                with file.open("rb") as old:
                    old.seek(self._read)
                    return old.read()
        return b""

    def _take(self, data: dict[str, Any]) -> None:
        entry, agent = _entry(data), str(data.get("user_agent") or "")
        place = len(self._entries)
        self._entries.append((entry, agent))
        for name in {canonical(entry.request_id), agent.rpartition(" ")[2]} - {""}:
            self._by_id[name].append(place)
        if data.get("event") == "request":  # a handshake is none
            self._by_peer[host_of(entry.peer)].append(place)


def _places(index: dict[str, list[int]], names: Iterable[str]) -> list[int]:
    return sorted({place for name in names for place in index.get(name, ())})


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and number of the file; None where there is none yet."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _parsed(line: bytes) -> dict[str, Any]:
    """A line's fields; none of one that is torn, because it is being written."""
    try:
        data = json.loads(line.decode(errors="replace"))
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _entry(data: dict[str, Any]) -> ArrivalEntry:
    return ArrivalEntry(
        request_id=str(data.get("request_id") or ""),
        peer=str(data.get("peer", "")),
        local=str(data.get("local", "")),
        tls=bool(data.get("tls")),
        sni=str(data.get("sni") or ""),
        client_cert=bool(data.get("client_cert")),
        host=str(data.get("host", "")),
        method=str(data.get("method", "")),
        path=str(data.get("path", "")),
        at=_seconds(str(data.get("time", ""))),
    )


def _seconds(stated: str) -> float:
    with suppress(ValueError):
        return datetime.fromisoformat(stated).timestamp()
    return 0.0
