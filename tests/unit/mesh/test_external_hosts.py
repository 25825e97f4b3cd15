"""What external hosts logged is found by the address of its client, in whatever form their sockets show it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clients.mesh.external_hosts import ExternalHosts

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("peer", "logged"),
    [
        ("10.0.0.7", "10.0.0.7:40000"),
        ("10.0.0.7", "[::ffff:10.0.0.7]:40000"),
        ("fd00::7", "[fd00::7]:40000"),
    ],
)
def test_requests_of_a_client_are_found_by_its_address(peer: str, logged: str, tmp_path: Path) -> None:
    others = ("10.0.0.70:1", "[::ffff:10.0.0.70]:1", "[fd00::70]:1")
    lines = [
        {"event": "request", "request_id": str(number), "peer": one} for number, one in enumerate((logged, *others))
    ]
    (tmp_path / "log").write_text("\n".join(map(json.dumps, lines)))
    found = ExternalHosts(log=tmp_path / "log").of_peers({peer})
    assert [one.request_id for one in found] == ["0"]
