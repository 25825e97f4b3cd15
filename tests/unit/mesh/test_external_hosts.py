"""What external hosts logged is found by the address of its client, in whatever form their sockets show it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clients.mesh.external_hosts import ExternalHosts
from clients.mesh.host_log import HostLog
from clients.model.errors import InfrastructureError

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
    found = ExternalHosts(log=HostLog(tmp_path / "log")).of_peers({peer})
    assert [one.request_id for one in found] == ["0"]


def line(number: int, peer: str = "10.0.0.7:40000", **more: object) -> str:
    return json.dumps({"event": "request", "request_id": f"id-{number}", "peer": peer, **more}) + "\n"


def ids(log: HostLog, *wanted: str) -> list[str]:
    return [one.request_id for one in log.of_requests(set(wanted))]


def test_what_was_there_before_the_run_is_not_read(tmp_path: Path) -> None:
    """A log of months was read whole for each case."""
    file = tmp_path / "log"
    file.write_text(line(1) * 3)
    log = HostLog.from_now(file)
    assert ids(log, "id-1", "id-2") == []
    with file.open("a") as writer:
        writer.write(line(2) + line(1))
    assert ids(log, "id-1", "id-2") == ["id-2", "id-1"], "in the order of the log"
    assert [one.request_id for one in log.of_peers({"10.0.0.7"})] == ["id-2", "id-1"]


def test_each_line_is_read_once_and_a_torn_one_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("")
    log = HostLog(file)
    for start in range(0, len(line(1)), 7):
        with file.open("a") as writer:
            writer.write(line(1)[start : start + 7])
        assert ids(log, "id-1") == (["id-1"] if start + 8 >= len(line(1)) else [])
    assert ids(log, "id-1") == ["id-1"]


@pytest.mark.parametrize("way", ["renamed", "truncated"])
def test_a_log_that_was_begun_again_is_read_from_its_beginning(way: str, tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text(line(1) * 5)
    log = HostLog(file)
    assert len(ids(log, "id-1")) == 5
    with file.open("a") as writer:
        writer.write('{"event": "requ')
    assert len(ids(log, "id-1")) == 5
    late = ["id-3"] if way == "renamed" else []
    if way == "renamed":
        with file.open("a") as writer:
            writer.write(f'est"}}\n{line(3)}{{"event":')
        file.rename(tmp_path / "log.1")
    file.write_text(line(2))
    assert ids(log, "id-1", "id-2", "id-3") == ["id-1"] * 5 + late + ["id-2"]


def test_a_log_may_begin_after_the_run(tmp_path: Path) -> None:
    log = HostLog(tmp_path / "log")
    with pytest.raises(InfrastructureError, match="cannot be read: No such file"):
        log.of_requests({"id-1"})
    (tmp_path / "log").write_text("no JSON\n[]\n" + line(1, user_agent="curl/8 id-9", request_id="other"))
    assert ids(log, "id-9") == ["id-9"], "a gateway gives a request another id, and passes the user agent on"
    assert log.of_peers({"10.0.0.8"}) == []


def test_a_handshake_is_no_request_of_its_client(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(line(1, event="handshake"))
    assert HostLog(tmp_path / "log").of_peers({"10.0.0.7"}) == []
