"""Pytest plugin that records the requests of a run to the API server: `-p tests.rights.plugin --requests FOLDER`.

The live target that it looks at is the embedded cluster, which keeps the external hosts of its own.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from clients.kube.api import Api
from runner.target.access import Access, Say
from runner.target.embedded import external_hosts
from runner.target.in_use import user_of
from runner.target.live import Live
from tests.rights.requests import Asked, asked

REFUSED = 403


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the one option."""
    parser.addoption("--requests", metavar="FOLDER", help="where each process writes its requests")


def pytest_configure(config: pytest.Config) -> None:
    """Record in this process."""
    folder = config.getoption("requests")
    if folder:
        config.pluginmanager.register(RequestRecorder(Path(folder)), "meshproof-requests")


class RequestRecorder:
    """Counts requests by verb and resource, and by whether they were refused (403).

    Below everything that sends: the library's client and the exec's websocket. istioctl is a program of its own, and
    is not seen.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"{os.getpid()}.json"
        self._seen: Counter[tuple[Asked, bool]] = Counter()
        self._lock = threading.Lock()
        self._patch = pytest.MonkeyPatch()
        self._listen()
        self._keep_external_hosts()

    def _listen(self) -> None:
        call: Any = client.ApiClient.call_api
        websocket: Any = Api.websocket

        def calling(api: Any, method: str, url: str, *more: Any, **named: Any) -> Any:
            answer = call(api, method, url, *more, **named)
            self._note(method, url, getattr(answer, "status", None) == REFUSED)
            return answer

        def opening(api: Any, path: str, query: Any) -> Any:
            try:
                opened = websocket(api, path, query)
            except Exception as error:
                self._note("GET", path, str(REFUSED) in str(getattr(error, "reason", error)))
                raise
            self._note("GET", path, refused=False)
            return opened

        self._patch.setattr(client.ApiClient, "call_api", calling)
        self._patch.setattr(Api, "websocket", opening)

    def _keep_external_hosts(self) -> None:
        """A live target has no external hosts of its own: it gets those of the testbed."""
        from testbed import api

        found = Live.access

        def access(target: Live, say: Say) -> Access:
            up = api.up(None, say, in_use=user_of)
            return replace(found(target, say), outside=external_hosts(up), istioctl=str(up.istioctl or ""))

        self._patch.setattr(Live, "access", access)

    def _note(self, method: str, url: str, refused: bool) -> None:
        if (what := asked(method, url)) is not None:
            with self._lock:
                self._seen[what, refused] += 1

    def pytest_unconfigure(self) -> None:
        """Write the counts."""
        with self._lock:
            rows = [[*what, refused, count] for (what, refused), count in sorted(self._seen.items())]
        self._patch.undo()
        self._file.write_text(json.dumps(rows, indent=0), encoding="utf-8")
