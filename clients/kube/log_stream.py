"""A container's log as it is written: one request to the API server instead of one for each look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import urllib3

from clients.kube.api import NOT_FOUND, RequestError, Timeouts
from clients.kube.cluster import Cluster
from clients.kube.pods import Pod
from clients.model.errors import ClusterError

TIMEOUTS_S: Timeouts = (5.0, 300.0)
"""Connect and read timeout of one stream: a container may well print nothing for minutes."""
_CHUNK_BYTES = 64 * 1024
_HEAD_BYTES = 256
"""So much of a line has its time."""
_SHOWN = 200
"""Characters that are shown of a line that is none of the log."""
_NO_WATCH = b"failed to create fsnotify watcher"
"""The kubelet writes its own error after what is there of a log that it cannot follow: its status was 200 already."""


class NoWatchError(ClusterError):
    """The node cannot follow a log, as it has no inotify instance left; what is written so far can be read."""


@dataclass(frozen=True)
class LogLine:
    """One line, and when it was written by the node's clock, in seconds since 1970."""

    at: float
    text: str


@dataclass(frozen=True)
class Instance:
    """One run of a container: a restart makes another, with a log of its own.

    Attributes:
        id: of the container at the runtime; empty while it has not started.
        began: when it began, by the node's clock in seconds since 1970; 0 where it does not run.
        restarts: how often it was restarted before.
        previous_began: when the run before this one began, in seconds since 1970; 0 where there was none.
        ended: it runs no more, and will not be started again.
    """

    id: str
    began: float = 0.0
    restarts: int = 0
    previous_began: float = 0.0
    ended: bool = False


def instance(cluster: Cluster, pod: Pod, container: str) -> Instance | None:
    """The current run of a container; None when its pod does not exist any more, or only another one of its name.

    Raises:
        ClusterError: the pod cannot be read.
    """
    body = cluster.get("v1", "Pod", pod.name, pod.namespace)
    if body is None or (pod.uid and pod.uid != body["metadata"].get("uid")):
        return None
    status = body.get("status", {})
    found = [*status.get("containerStatuses", ()), *status.get("initContainerStatuses", ())]
    mine: dict[str, Any] = next((one for one in found if one.get("name") == container), {})
    running = (mine.get("state") or {}).get("running") or {}
    before = (mine.get("lastState") or {}).get("terminated") or {}
    return Instance(
        id=f"{body['metadata'].get('uid', '')} {mine.get('containerID', '')}",
        began=_seconds(str(running.get("startedAt") or "")),
        restarts=int(mine.get("restartCount") or 0),
        previous_began=_seconds(str(before.get("startedAt") or "")),
        ended=status.get("phase") in ("Succeeded", "Failed"),
    )


class LogStream:
    """An open log. One thread reads it, and any other may close it.

    Args:
        follow: it goes on as the container writes; otherwise it ends with what is written so far.
        since_s: how far back it starts, in seconds by the node's clock.
        since: the time at which it starts instead, in seconds since 1970; Kubernetes rounds it down to whole seconds.

    Raises:
        ClusterError: the log cannot be opened.
    """

    def __init__(
        self,
        cluster: Cluster,
        pod: Pod,
        container: str,
        *,
        follow: bool = True,
        since_s: int | None = None,
        since: float | None = None,
    ) -> None:
        query = [("container", container), ("follow", "true" if follow else "false"), ("timestamps", "true")]
        query += [("sinceSeconds", str(max(1, since_s)))] if since_s is not None else []
        query += [("sinceTime", rfc3339(since))] if since is not None else []
        self._where = f"log of {pod} ({container})"
        # Not ridden out: as long as the log cannot be read, nothing may be concluded from what is missing in it.
        self._response: urllib3.BaseHTTPResponse = cluster.api.stream(
            _path(pod), query, timeouts=TIMEOUTS_S, ride_out=False
        )

    def batches(self) -> Iterator[list[LogLine]]:
        """Whole lines, as many as came at once, until the server ends the stream. A torn last line is left out.

        Raises:
            ClusterError: the connection broke, or is silent for longer than its timeout.
            NoWatchError: these were all lines so far, and the node cannot follow it.
            ValueError: a line without a time.
        """
        rest = b""
        for chunk in self._chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            lines = [line for line in whole if not line.startswith(_NO_WATCH)]
            if lines:
                yield [parsed(line.decode("utf-8", "replace")) for line in lines]
            if len(lines) < len(whole):
                break
        else:
            if not rest.startswith(_NO_WATCH):
                return
        hint = "raise fs.inotify.max_user_instances on the nodes"
        raise NoWatchError(f"{self._where}: its node has no inotify instance left", hint)

    def _chunks(self) -> Iterator[bytes]:
        try:
            yield from self._response.stream(_CHUNK_BYTES)
        except Exception as error:
            raise ClusterError(f"{self._where}: {' '.join(str(error).split())[:300]}") from None

    def close(self) -> None:
        """End the stream; a thread that reads it gets an error or the end. Never raises."""
        with suppress(Exception):
            self._response.shutdown()
        with suppress(Exception):
            self._response.close()


def first_at(cluster: Cluster, pod: Pod, container: str, since_s: int | None = None) -> float | None:
    """When the first line of the newest file of a log was written, by the node's clock in seconds since 1970.

    Args:
        since_s: the first line of the last so many seconds, by the node's clock.

    Returns:
        None where there is no such line.

    Raises:
        ClusterError: it cannot be read.
        ValueError: a line without a time.
    """
    query = [("container", container), ("timestamps", "true"), ("limitBytes", str(_HEAD_BYTES))]
    query += [("sinceSeconds", str(since_s))] if since_s is not None else []
    first, *_ = cluster.api.text(_path(pod), query).splitlines() or [""]
    return parsed(first).at if first else None


def previous(cluster: Cluster, pod: Pod, container: str, since_s: int) -> list[LogLine]:
    """Lines of the run before the current one, of the last `since_s` seconds; none where there is no such log.

    Raises:
        ClusterError: it cannot be read.
    """
    query = [("container", container), ("previous", "true"), ("timestamps", "true"), ("sinceSeconds", str(since_s))]
    try:
        return [parsed(line) for line in cluster.api.text(_path(pod), query).splitlines()]
    except RequestError as error:
        if error.status in (NOT_FOUND, 400):
            raise ClusterError(f"log of {pod} ({container}) before its restart is gone") from None
        raise


def parsed(line: str) -> LogLine:
    """A line that begins with its timestamp.

    Raises:
        ValueError: it does not; the message shows the line.
    """
    stamp, _, text = line.partition(" ")
    try:
        return LogLine(datetime.fromisoformat(stamp).timestamp(), text)
    except ValueError:
        raise ValueError(f"a line without a time: {line[:_SHOWN]}") from None


def rfc3339(seconds: float) -> str:
    """A time in seconds since 1970 as Kubernetes reads it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _path(pod: Pod) -> str:
    return f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/log"
