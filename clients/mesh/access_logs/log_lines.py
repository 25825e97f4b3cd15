"""Lines of one container's log as far as they have come, found by request id and by the ends of a connection."""

from __future__ import annotations

import bisect
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence, Set

from clients.mesh.access_logs import accesslog
from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.model.errors import InfrastructureError

MAX_LINES = 200_000
"""Lines that are kept of one container; of more, the older half is dropped."""
TWICE_WITHIN = 64
"""Lines within which an equal one is the same entry, of a proxy that has two logs with one format: a time, an id and
ports are in each. Where entries are counted, each would count twice."""
_WORD = re.compile(r"(?<![\w-])[\w-]{16,}(?![\w-])")
"""What may be a request id in a line of any log. Shorter ids are looked for line by line."""
_SHORTEST = 16


class LogLines:
    """Takes lines in order (see `clients.kube.log_follower.Sink`), and finds them again. For several threads.

    Args:
        where: names the log in errors.
        since: monotonic time from which on it will be complete, in seconds.
        changed: called after each change, so that waiting readers look again.

    Attributes:
        has_ended: no further line comes.
        lost_before: monotonic time before which lines are missing for good, in seconds; 0 where none are.
        problem: why it cannot be read at the moment; empty where it can.
    """

    def __init__(self, where: str, since: float, changed: Callable[[], None] = lambda: None) -> None:
        self.where = where
        self.since = since
        self.has_ended = False
        self.lost_before = 0.0
        self.problem = ""
        self._gap = ""
        self._older = f"{where}: its older lines are not known"
        self._changed = changed
        self._lines: list[str] = []
        self._came: list[float] = []
        self._by_word: dict[str, list[int]] = {}
        self._entries: list[tuple[int, AccessLogEntry]] = []
        self._by_request: dict[str, list[int]] = {}
        self._by_client: dict[str, list[int]] = {}
        self._torn: list[int] = []
        self._newest: deque[str] = deque(maxlen=TWICE_WITHIN)
        self._parsed = 0
        self._lock = threading.RLock()

    def add(self, lines: Sequence[str]) -> None:
        """Take further lines."""
        now = time.monotonic()
        with self._lock:
            if len(self._lines) + len(lines) > MAX_LINES:
                self._drop_older_half()
            for line in lines:
                self._keep(line, now)
        self._changed()

    def trouble(self, why: str) -> None:
        """The log cannot be read at the moment; empty: it can be again."""
        if why != self.problem:
            self.problem = why
            self._changed()

    def broken(self, why: str) -> None:
        """Nothing can be concluded from this log."""
        self._gap = self.problem = why
        self._changed()

    def lost(self, why: str) -> None:
        """Lines of before now may be missing, and no other reader of this log has them; those that follow are there."""
        self.since = self.lost_before = time.monotonic()
        self._older = why
        self._changed()

    def ended(self) -> None:
        """No further line comes."""
        self.has_ended = True
        self._changed()

    def complete_since(self, since: float) -> bool:
        """Whether it has, or will have, every line since this monotonic time."""
        return not self._gap and self.since <= since

    def check(self, since: float) -> None:
        """See that no line since this monotonic time is missing, up to the last line that has come.

        Call it after looking for what must not be there.

        Raises:
            InfrastructureError: some may be.
        """
        if self._gap:
            raise InfrastructureError(self._gap)
        if since < self.since:
            raise InfrastructureError(self._older)

    def mentioning(self, request_id: str) -> list[str]:
        """Lines that hold this id whole, in order.

        Raises:
            ValueError: it is empty, so that its absence would prove nothing.
        """
        with self._lock:
            if len(request_id) < _SHORTEST or not _WORD.fullmatch(request_id):
                return accesslog.mentions(self._lines, request_id)
            return [self._lines[number] for number in self._by_word.get(accesslog.canonical(request_id), ())]

    def mentions_any(self, ids: Collection[str]) -> bool:
        """Whether one of the ids is there."""
        return any(self.mentioning(one) for one in ids)

    def of_requests(self, ids: Set[str]) -> list[AccessLogEntry]:
        """Entries of an access log that belong to these requests (`accesslog.belongs`), in order."""
        with self._lock:
            self._parse()
            numbers = sorted({number for one in ids for number in self._by_request.get(one, ())})
            return [self._entries[number][1] for number in numbers]

    def of_clients(self, addresses: Set[str], since: float) -> list[AccessLogEntry]:
        """Entries of an access log, of connections from these `ip:port`, that came since a monotonic time, in order."""
        with self._lock:
            self._parse()
            numbers = sorted({number for one in addresses for number in self._by_client.get(one, ())})
            return [entry for line, entry in (self._entries[number] for number in numbers) if self._came[line] >= since]

    def entries(self, since: float) -> list[AccessLogEntry]:
        """Every entry of an access log that came since a monotonic time, in order."""
        with self._lock:
            self._parse()
            first = bisect.bisect_left(self._came, since)
            start = bisect.bisect_left(self._entries, first, key=lambda one: one[0])
            return [entry for _, entry in self._entries[start:]]

    def torn(self, since: float) -> list[str]:
        """Lines of an access log that came since a monotonic time, of which only a part is there (`accesslog.torn`)."""
        with self._lock:
            self._parse()
            return [self._lines[number] for number in self._torn if self._came[number] >= since]

    def lines(self, since: float) -> list[str]:
        """Every line that came since a monotonic time, in order."""
        with self._lock:
            return self._lines[bisect.bisect_left(self._came, since) :]

    def _parse(self) -> None:
        """Read the lines that have come since the last call as an access log."""
        for number in range(self._parsed, len(self._lines)):
            line = self._lines[number]
            found = [] if line in self._newest else accesslog.parse([line])
            for entry in found:
                self._index(entry)
                self._entries.append((number, entry))
                self._newest.append(line)
            if not found and accesslog.torn(line):
                self._torn.append(number)
        self._parsed = len(self._lines)

    def _index(self, entry: AccessLogEntry) -> None:
        number = len(self._entries)
        for key in {entry.request_id, entry.user_agent.rpartition(" ")[2]} - {""}:
            self._by_request.setdefault(key, []).append(number)
        if entry.downstream_remote:
            self._by_client.setdefault(entry.downstream_remote, []).append(number)

    def _drop_older_half(self) -> None:
        kept, came = self._lines[len(self._lines) // 2 :], self._came[len(self._came) // 2 :]
        self.since = came[0] if came else self.since  # what was dropped had come by then
        self._lines, self._came, self._parsed = [], [], 0
        self._entries, self._by_word, self._by_request, self._by_client, self._torn = [], {}, {}, {}, []
        self._newest.clear()
        for line, at in zip(kept, came, strict=True):
            self._keep(line, at)

    def _keep(self, line: str, at: float) -> None:
        for word in set(map(accesslog.canonical, _WORD.findall(line))):
            self._by_word.setdefault(word, []).append(len(self._lines))
        self._lines.append(line)
        self._came.append(at)
