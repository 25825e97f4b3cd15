"""A long-lived connection: one curl that sends request after request on it."""

from __future__ import annotations

import re
import time

from clients.kube.exec import ExecSession
from clients.model.errors import InfrastructureError
from clients.model.probe import Workload
from clients.proof.rig.rig import Rig

RATE = 4
"""Requests per second, by curl's `--rate`."""
DRAIN_S = 1.0
"""Seconds for which earlier answers are read, so that later ones are of later requests."""
MORE = 4
"""Further answers that show that the connection goes on."""
_LINE = re.compile(r"^(\d+) (\d{3}) (\d+)$", re.MULTILINE)


class Stream:
    """A connection that is open until `close`. A request that needs a second connection is a problem.

    Raises:
        InfrastructureError: the exec did not start, or no answer came in `patience_s`.
    """

    def __init__(self, rig: Rig, source: Workload, url: str, *, patience_s: float = 10.0) -> None:
        pod = rig.workloads.pods(source)[0]
        # `%{num_connects}` is 1 for the request that opened the connection and 0 for those that reused it;
        # only standard error is unbuffered
        form = "%{stderr}%{urlnum} %{http_code} %{num_connects}\\n"
        words = ["--disable", "--silent", "--rate", f"{RATE}/s", "--output", "/dev/null", "--write-out", form]
        command = ["sh", "-c", 'exec curl "$@" 2>&1', "curl", *words, f"{rig.overlay.url(url)}?[0-2400]"]
        self._session = ExecSession(rig.cluster, pod, source.container, command, stdin=False)
        self._text = ""
        self._answers(1, patience_s)

    def problem(self, patience_s: float = 10.0) -> str | None:
        """None when new requests are answered on the first connection; else what happened instead.

        How many have been answered by now is not known from the time: a busy machine sends fewer than `RATE`.
        """
        try:
            self._read_for(DRAIN_S, patience_s)
            answers = self._answers(len(_LINE.findall(self._text)) + MORE, patience_s)
        except InfrastructureError as error:
            return f"no further answer on the connection: {error.message}"
        opened = [number for number, _, connects in answers if connects != "0"]
        wrong = [code for _, code, _ in answers if code != "200"]
        if wrong or opened != ["0"]:
            return f"answers {', '.join(wrong) or '200'}; requests that opened a connection: {', '.join(opened)}"
        return None

    def close(self) -> None:
        """Close the connection. Never raises."""
        self._session.close()

    def _read_for(self, seconds: float, patience_s: float) -> None:
        """Read until an answer comes that many seconds from now, or later."""
        end = time.monotonic() + seconds
        self._text += self._session.read_until(lambda _: time.monotonic() >= end, patience_s)

    def _answers(self, count: int, patience_s: float) -> list[tuple[str, str, str]]:
        done = len(_LINE.findall(self._text))
        self._text += self._session.read_until(lambda text: done + len(_LINE.findall(text)) >= count, patience_s)
        return _LINE.findall(self._text)
