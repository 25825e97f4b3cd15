"""Requests, and curl's output for them as the framing of a batch has it, for tests of curl."""

from __future__ import annotations

import json

from clients.model.outcome import Outcome
from clients.probe import curl_output
from clients.probe.request import Request

S = "mpfeed"


def request(number: int = 0, url: str = "http://h/", **changes: object) -> Request:
    values: dict[str, object] = {
        "method": "GET",
        "url": url,
        "headers": (),
        "request_id": f"mp-r1-{number}",
        "user_agent": f"meshproof/X mp-r1-{number}",
        "timeout_s": 0.4 if url.endswith("/slow") else 10.0,  # a busy machine must not look like a timeout
        "connect_timeout_s": 10.0,
    }
    return Request(**{**values, **changes})  # type: ignore[arg-type]


def frame(index: int, **changes: object) -> str:
    info = {"exitcode": 0, "http_code": 200, "num_connects": 1, "errormsg": None, "remote_ip": "10.0.0.1"}
    return f"\n{S} {index} {json.dumps({**info, 'remote_port': 80, 'time_total': 0.01, **changes})}\n"


OK = "HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello\n"
BEGIN, END = f"\n{S} begin -\n", f"\n{S} end 0\n"


def parse_one(output: str, asked: Request | None = None) -> Outcome:
    (outcome,) = curl_output.parse(output, [asked or request()], S)
    return outcome
