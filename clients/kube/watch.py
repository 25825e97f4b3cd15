"""The states of one object, as the API server reports them: read once, then watched for each change."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import closing, suppress

from urllib3.exceptions import HTTPError

from clients.kube.api import TIMEOUTS_S, Api, Json, RequestError
from clients.model.errors import AccessError

QUIET_S = 2
"""A watch without a change ends after this many seconds (whole ones, as the API has it), and the object is read again:
what is wrong with it may show elsewhere, for instance at its pods, and a connection may be dead."""
UNWATCHED_S = 0.25
"""Seconds between two readings where this identity may not watch the kind."""
GONE = 410
"""The version from which the API server should begin is too old."""


def states(api: Api, path: str, name: str, deadline: float) -> Iterator[Json | None]:
    """The object now and after each change, or None while there is none; ends at the monotonic `deadline`.

    At least one state is yielded, and the last one again while nothing changes, every `QUIET_S`.

    Args:
        path: URL path of all objects of its kind, in its namespace.

    Raises:
        AccessError: this identity may not list the kind.
        ClusterError: the API server does not answer.
    """
    one = ("fieldSelector", f"metadata.name={name}")
    while True:
        listed = api.json("GET", path, query=[one])
        yield next(iter(listed.get("items") or ()), None)
        left = deadline - time.monotonic()
        if left <= 0:
            return
        query = [one, ("watch", "true"), ("resourceVersion", listed["metadata"]["resourceVersion"])]
        query += [("timeoutSeconds", str(max(1, min(QUIET_S, math.ceil(left)))))]
        try:
            yield from _changes(api, path, query)
        except AccessError:
            time.sleep(UNWATCHED_S)
        except RequestError as error:
            if error.status != GONE:
                raise


def _changes(api: Api, path: str, query: list[tuple[str, str]]) -> Iterator[Json | None]:
    """The object after each change, None once it is deleted; ends when the API server ends the watch."""
    with closing(api.stream(path, query, timeouts=(TIMEOUTS_S[0], 2.0 * QUIET_S))) as answer, suppress(HTTPError):
        for line in answer:
            try:
                event = json.loads(line)
            except ValueError:
                return  # cut off in the middle: the object is read again
            if event["type"] == "ERROR":
                return  # usually that the version is too old
            if event["type"] != "BOOKMARK":
                yield None if event["type"] == "DELETED" else event["object"]
