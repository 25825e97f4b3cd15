"""Follows one container's log in a thread of its own: every line once and in order, also over lost connections."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from clients.kube import log_stream
from clients.kube.cluster import Cluster
from clients.kube.cluster_time import ClusterTime
from clients.kube.log_stream import Instance, LogLine, LogStream, NoWatchError
from clients.kube.pods import SIDECAR, Pod
from clients.model.errors import AccessError, ClusterError

OVERLAP_S = 3.0
"""Seconds before the last line that are read again after a lost connection. Lines of stdout and stderr may be written
out of order by as much as that, and Kubernetes takes whole seconds only."""
AGAIN_S = (0.05, 0.2, 0.5, 1.0, 2.0)
"""Pauses before the log is opened again, the longer the more often that was in a row."""
STEADY_S = 5.0
"""A connection that lasted longer than this begins a new row."""
LOOK_S = 0.5
"""Pause between two looks at a log that its node cannot follow."""
UNWATCHED_S = 30.0
"""How long such a log is read again and again, before the node is asked once more to follow it."""
STARTED_S = 60.0
"""Within so many seconds a proxy has printed its first line."""
_CLOCKS_S = 300.0
"""How far the clocks of a node and of the API server may differ."""


class Sink(Protocol):
    """What takes the lines. All of it is called by the follower's thread."""

    def add(self, lines: Sequence[str]) -> None:
        """Take further lines."""

    def trouble(self, why: str) -> None:
        """The log cannot be read at the moment; empty: it can be again."""

    def broken(self, why: str) -> None:
        """The log has a gap, or must not be read: nothing can be concluded from it."""

    def lost(self, why: str) -> None:
        """Lines of before may be missing, and no other connection shows them; those that follow are complete."""

    def ended(self) -> None:
        """The container, or its pod, has ended: no further line comes."""


class LogFollower:
    """Starts to follow when it is created.

    A lost connection is opened again from a few seconds before the last line, and what came before is left out. Where
    that line is not shown again before a new one, the node has begun another file meanwhile: it shows the newest only,
    and what was written to the one before is lost (Kubernetes, "Log rotation"). The same where the newest file of a
    proxy's log does not begin with the proxy's start, when it is first opened.

    A log begins with the run before the current one where the container has been restarted; one that is restarted while
    it is followed breaks the log, and must be followed again.

    Args:
        since_s: how far back the log matters, in seconds.
    """

    def __init__(self, cluster: Cluster, pod: Pod, container: str, since_s: int, sink: Sink) -> None:
        self._cluster, self._pod, self._container = cluster, pod, container
        self._where = f"log of {pod} ({container})"
        self._matters_from = time.monotonic() - since_s  # not by the time of day, which may be set meanwhile
        self._sink = sink
        self._recent: deque[LogLine] = deque()
        self._known: Counter[LogLine] = Counter()
        self._newest: LogLine | None = None
        self._expected: LogLine | None = None
        self._stream: LogStream | None = None
        self._refreshed = False
        self._followable_at = 0.0
        self._closed = threading.Event()
        threading.Thread(target=self._run, name=f"log {pod} ({container})", daemon=True).start()

    def refresh(self) -> None:
        """Open the connection again: it may be dead without having said so."""
        self._refreshed = True
        if self._stream is not None:
            self._stream.close()

    def close(self) -> None:
        """End it."""
        self._closed.set()
        self.refresh()

    def _run(self) -> None:
        run: Instance | None = None
        failures = 0
        while not self._closed.is_set():
            began = time.monotonic()
            follow = began >= self._followable_at
            try:
                run, done = self._follow(run, follow=follow)
                if done:
                    return
                if not follow:
                    self._closed.wait(LOOK_S)
                    continue
            except NoWatchError:
                self._followable_at = began + UNWATCHED_S
                continue
            except AccessError as error:
                self._sink.broken(error.message)
                return
            except ClusterError as error:
                self._sink.trouble(error.message)
            except Exception as error:  # a line without a time, above all: nothing may be concluded from this log
                self._sink.broken(f"{self._where}: {error}")
                return
            failures = 0 if time.monotonic() - began > STEADY_S else failures + 1
            self._closed.wait(AGAIN_S[min(failures, len(AGAIN_S) - 1)])

    def _follow(self, before: Instance | None, *, follow: bool) -> tuple[Instance | None, bool]:
        """Read until the connection ends; returns the run that was read, and whether nothing more will come.

        Args:
            before: the run that the lines so far are of.
            follow: wait for further lines; otherwise the connection ends with what is written so far.

        Raises:
            ClusterError: the log cannot be opened, or the connection broke.
            NoWatchError: the log can be read, and not followed.
        """
        run = log_stream.instance(self._cluster, self._pod, self._container)
        if run is None and before is None:
            self._sink.broken(f"{self._where}: its pod was gone before it was read")
            return run, True
        if run is None:
            self._sink.ended()
            return run, True
        if before is not None and run.id != before.id:
            self._sink.broken(f"{self._where}: it was restarted meanwhile")
            return run, True
        if before is None and not self._begin(run):
            return run, True
        stream = self._open(follow=follow)
        try:
            if before is None and self._rotated(run):
                self._sink.lost(f"{self._where}: its node began another file before it was read")
            self._sink.trouble("")
            for batch in stream.batches():
                self._take(batch)
        except NoWatchError:
            raise
        except ClusterError as error:
            self._sink.trouble(error.message)  # until it is open again
            return run, False
        finally:
            stream.close()
        done = run.ended and not self._refreshed
        if done:
            self._sink.ended()
        return run, done

    def _begin(self, run: Instance) -> bool:
        """Hand on the run before this one, where there was one; False where there is a gap before that."""
        if not run.restarts:
            return True
        if run.restarts > 1 and run.previous_began > self._now() - self._since_s() - _CLOCKS_S:
            self._sink.broken(f"{self._where}: it was restarted {run.restarts} times")
            return False
        self._take(log_stream.previous(self._cluster, self._pod, self._container, self._since_s()))
        self._newest = None  # the current run has a file of its own
        return True

    def _rotated(self, run: Instance) -> bool:
        """Whether the node has begun another file within the time that matters. Asked when the newest one is open.

        Only a proxy is known to print something as soon as it starts. Other containers may be silent at first.
        """
        if self._container != SIDECAR or not run.began:
            return False
        first_at = partial(log_stream.first_at, self._cluster, self._pod, self._container)
        first = first_at()
        if first is None:
            return self._now() > run.began + STARTED_S + _CLOCKS_S
        return first > run.began + STARTED_S and first == first_at(self._since_s())

    def _open(self, *, follow: bool) -> LogStream:
        stream_of = partial(LogStream, self._cluster, self._pod, self._container, follow=follow)
        if not self._recent:
            stream = stream_of(since_s=self._since_s())
        else:
            stream = stream_of(since=max(line.at for line in self._recent) - OVERLAP_S)
        self._stream, self._refreshed = stream, False
        if self._closed.is_set():  # between its creation and the assignment
            stream.close()
        self._known, self._expected = Counter(self._recent), self._newest
        return stream

    def _take(self, batch: Sequence[LogLine]) -> None:
        """Hand on the lines that are new, and remember those that a reconnect would show again."""
        new = []
        for line in batch:
            if self._known[line] > 0:
                self._known[line] -= 1
                self._expected = None if line == self._expected else self._expected
                continue
            if self._expected is not None:
                self._expected = None
                self._sink.lost(f"{self._where}: its node began another file while it was not read")
            new.append(line)
        self._recent.extend(new)
        newest = max((line.at for line in new), default=0.0)
        while self._recent and self._recent[0].at < newest - 2 * OVERLAP_S:
            self._recent.popleft()
        if new:
            self._newest = max(filter(None, (self._newest, *new)), key=lambda line: line.at)
            self._sink.add([line.text for line in new])

    def _now(self) -> float:
        """The API server's time, which nodes are closer to than this machine may be. Asked for in rare cases only."""
        return ClusterTime.read(self._cluster).now()

    def _since_s(self) -> int:
        return max(1, int(time.monotonic() - self._matters_from) + 1)
