"""The outcome of each request of a batch, from what curl wrote. Pure; no I/O.

Response headers come from `include`, not from `%{header_json}`: curl 7.83 to 8.0 write broken JSON for repeated or
non-ASCII headers (curl issue 10704), and Debian 12 has 7.88.1. The output of a batch is a sequence of frames; what a
transfer received precedes its frame:

    SENTINEL begin -
    <headers and body> SENTINEL 0 {json of request 0}
    <headers and body> SENTINEL 1 {json of request 1}
    SENTINEL end <exit code of curl>
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from clients.model.addresses import joined
from clients.model.outcome import Outcome, infrastructure
from clients.probe import answer
from clients.probe.answer import Transfer
from clients.probe.request import Request


def finished(output: str, sentinel: str) -> bool:
    """Whether `output` holds the end of the batch, so that nothing more will come."""
    return re.search(rf"\n{sentinel} end \d+\n", output) is not None


def parse(output: str, requests: Sequence[Request], sentinel: str) -> list[Outcome]:
    """One outcome per request, in the order of `requests`, from what the batch wrote to stdout.

    A request whose frame is missing or unreadable is an infrastructure outcome; see `answer.outcome` for the others.
    """
    found: dict[int, Outcome] = {}
    start, ended = 0, None
    for frame in re.finditer(rf"\n{sentinel} (\d+|begin|done|end) (.*)\n", output):
        received, start = output[start : frame.start()], frame.end()
        word, data = frame.groups()
        if word.isdigit() and int(word) < len(requests):
            found[int(word)] = _outcome(requests[int(word)], received, data)
        elif word == "end":
            ended = data
    lost = f"curl ended with exit code {ended} and no result" if ended else "the output of the probe was lost"
    return [found.get(index) or infrastructure(request.request_id, lost) for index, request in enumerate(requests)]


def _outcome(request: Request, received: str, data: str) -> Outcome:
    try:
        info: dict[str, Any] = json.loads(data, strict=False)
        exit_code, code, connects = int(info["exitcode"]), int(info["http_code"]), int(info["num_connects"])
    except (ValueError, KeyError, TypeError):
        return infrastructure(request.request_id, "curl's JSON was unreadable (curl older than 7.75, or output lost)")
    headers, body = _split(received) if code else ({}, "" if request.is_http else received)
    transfer = Transfer(
        exit_code,
        code,
        connects,
        str(info.get("errormsg") or ""),
        headers,
        body,
        remote=joined(str(info.get("remote_ip") or ""), info.get("remote_port")),
        local=joined(str(info.get("local_ip") or ""), info.get("local_port")),
        certs=str(info.get("certs") or ""),
        http_version=str(info.get("http_version") or ""),
        scheme=request.url.partition("://")[0],
        curl_version=str(info.get("curl_version") or ""),
        **{name: float(info.get(name) or 0.0) for name in _TIMES},
    )
    return answer.outcome(
        request.request_id,
        request.method,
        transfer,
        http2=request.http2,
        with_body=request.has_body,
        continues=request.continues,
    )


_TIMES = ("time_namelookup", "time_connect", "time_appconnect", "time_total")


def _split(received: str) -> tuple[dict[str, tuple[str, ...]], str]:
    """Headers of the final response and its body; interim responses (1xx) before it are dropped."""
    while True:
        head, _, rest = received.partition("\r\n\r\n")
        if not re.match(r"HTTP/\S+ 1\d\d\b", head):
            return answer.headers_of(head.split("\r\n")), rest
        received = rest
