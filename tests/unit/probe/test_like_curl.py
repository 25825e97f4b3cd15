"""The client outside beside the program curl, both sent to a server that misbehaves: they must see the same.

The program runs as it does in a pod: by the shell text of `clients.probe.curl`, whose output the same module reads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace

import pytest
from faulty_servers import HOST, Where, says, serving

from clients.model.outcome import Outcome, OutcomeKind
from clients.probe import curl, outside
from clients.probe.curl import Request

pytestmark = [pytest.mark.unit, pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")]


def request(scheme: str = "http", **changes: object) -> Request:
    values: dict[str, object] = {"timeout_s": 3.0, "connect_timeout_s": 3.0, **changes}
    return Request("GET", f"{scheme}://{HOST}/ip", (), "mp-r1-1", "meshproof/X mp-r1-1", **values)  # type: ignore[arg-type]


def by_program(asked: Request, where: Where, roots: str = "") -> Outcome:
    """What a pod would report."""
    asked, sentinel = replace(asked, connect_to=f"{where[0]}:{where[1]}"), curl.new_sentinel()
    ran = subprocess.run(["sh"], input=curl.script([asked], sentinel), env=os.environ, text=True, capture_output=True)
    [outcome] = curl.parse(ran.stdout, [asked], sentinel)
    return outcome


NO_HTTP = says(b"\x15\x03\x01\x00\x02\x02\x28")
SHORT_BODY = says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")


@pytest.mark.parametrize(("behaviour", "code"), [(NO_HTTP, 1), (SHORT_BODY, 18)], ids=["no HTTP", "short body"])
def test_the_exit_code_is_that_of_the_program(behaviour, code) -> None:
    with serving(behaviour, 2) as where:
        [ours], theirs = outside.send([request()], where), by_program(request(), where)
    assert (ours.exit_code, ours.kind, ours.status) == (theirs.exit_code, theirs.kind, theirs.status)
    assert ours.exit_code == code
    assert ours.kind not in (OutcomeKind.STATUS, OutcomeKind.RESET)
