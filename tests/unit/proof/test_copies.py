"""Copies of refused requests: under another path, and past the log of the server's sidecar."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, CLIENT_POD, SERVER_POD, FakeRig, answered, entry

from clients.kube.pods import SIDECAR, Pod
from clients.mesh import sidecar
from clients.mesh.access_logs import accesslog
from clients.mesh.access_logs.logs import LogSource
from clients.mesh.external_hosts import ExternalHosts
from clients.mesh.host_log import HostLog
from clients.model import addresses
from clients.model.case import Case
from clients.model.errors import InfrastructureError
from clients.model.expect import rbac_denied
from clients.proof.logs import application_copies, copies, late_entries
from clients.proof.logs.route import Route
from clients.proof.proving import ProvingCase

pytestmark = pytest.mark.unit

CASE = Case("X-2", CLIENT.get("http://httpbin.mtls-service:8000/ip"), rbac_denied())
CLIENTS = Pod("mtls-client", "sleep-1", "10.0.0.5", containers=CLIENT_POD.containers, ready=True)
APP = next(name for name in sidecar.containers_that_log(SERVER_POD) if name != SIDECAR)
MARKED = [f"mp-run-own-000000000{number}" for number in range(4)]
STRANGE = [f"0f8fad5b-d9cb-469f-a165-7086772895{number:02}" for number in range(10)]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_entries, "FLUSHED_S", 0.01)
    for module in (late_entries, application_copies):
        monkeypatch.setattr(module, "LOG_BUDGET_S", 0.05)
        monkeypatch.setattr(module, "POLL_S", 0.001)


def line(name: str, client: str, path: str = "/ip", agent: str = "") -> str:
    made = entry(name, "200", "via_upstream", "10.0.0.9:8080").replace(
        "inbound|8080|| - - - -", "inbound|8080|| - - X -"
    )
    return (
        made.replace(" X ", f" {client} ")
        .replace("/ip", path)
        .replace(f"meshproof/X {name}", agent or f"meshproof/X {name}")
    )


def printed(agent: str, path: str = "/ip") -> str:
    return f'level=INFO msg="200 GET {path} 0.1ms" method=GET uri={path} user_agent="{agent}"'


Lines = Sequence[str]
OWN = tuple(line(name, "127.0.0.1:5") for name in MARKED)
"""At the client's sidecar, which writes a log."""


def found(
    server: list[str],
    client: Lines = OWN,
    app: Lines = (),
    *,
    by_gateway: float | None = None,
    outside: bool = False,
    clients: Pod = CLIENTS,
    change: Callable[[Any], None] = lambda _: None,
) -> str:
    times = {} if by_gateway is None else {CLIENT: {"/other": by_gateway}}
    rig: Any = FakeRig(lambda _, name: answered(200, name), sent_ids=set(MARKED), by_gateway=times)
    rig.cluster.logs_of[("httpbin-1", SIDECAR)] = server
    rig.cluster.logs_of[("httpbin-1", APP)] = list(app)
    rig.cluster.logs_of[("sleep-1", SIDECAR)] = list(client)
    change(rig)
    running: Any = SimpleNamespace(rig=rig, since=0.0, changed_at=0.0)
    seen: Any = SimpleNamespace(attempts=(), last=None)
    proving = ProvingCase(running=running, case=CASE, seen=seen, since=time.monotonic())
    path = Route(client=(clients,), servers=(SERVER_POD,), gateway=(), outside=outside, external=False)
    return copies.unlogged(proving, path, 0.0)


def test_requests_that_the_clients_sidecar_has_made_itself_are_copies_whatever_their_path() -> None:
    made = [line(name, "10.0.0.5:0", f"/anything/{name}") for name in STRANGE]
    assert "10 requests reached mtls-service/httpbin-1 that no program of the client sent" in found(made)


def test_copies_of_a_client_of_ipv6_are_found_as_well() -> None:
    made = [line(name, "[fd00::5]:0", "/other") for name in STRANGE]
    assert "10 requests" in found(made, clients=replace(CLIENTS, ip="fd00::5"))
    assert "10 requests" in found(made, clients=replace(CLIENTS, more_ips=("fd00::5",)))
    assert found(made, clients=replace(CLIENTS, ip="fd00::6")) == ""


def test_requests_of_other_origin_are_none() -> None:
    """Of the client's own programs, by its sidecar; of another pod; too few to be told from late entries."""
    made = [line(name, "10.0.0.5:0", "/other") for name in STRANGE]
    assert found(made, [line(name, "127.0.0.1:5", "/other") for name in STRANGE]) == ""
    assert found([one.replace("10.0.0.5:0", "10.0.0.5:41000") for one in made]) == ""
    assert found([one.replace("10.0.0.5:0", "10.0.0.77:0") for one in made]) == ""
    assert found(made[:3]) == ""
    assert found(made, by_gateway=0.0) == ""
    assert "10 requests" in found(made, by_gateway=-500.0), "in a stage of long before"
    assert found(made, ()) == "", "the client's sidecar writes no log"


def test_a_log_that_cannot_be_read_at_the_moment_does_not_show_copies() -> None:
    """The stream of one log is cut while the other one's goes on: what the first lacks says nothing."""
    made = [line(name, "10.0.0.5:0", "/other") for name in STRANGE]

    def cut(pod: str) -> Callable[[Any], None]:
        return lambda rig: rig.logs.of(LogSource(Pod("", pod), SIDECAR), 0.0).trouble("the API server is away")

    with pytest.raises(InfrastructureError, match="the API server is away"):
        found(made, change=cut("sleep-1"))
    own = [line(name, "10.0.0.5:41000") for name in MARKED]
    lines = [*(printed(f"meshproof/X {name}") for name in MARKED), *[printed("-")] * 6]
    with pytest.raises(InfrastructureError, match="the API server is away"):
        found(own, app=lines, change=cut("httpbin-1"))


def test_a_log_that_is_behind_by_more_than_a_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [line(name, "10.0.0.5:0", "/other") for name in STRANGE]

    def late(rig: Any) -> None:
        log = rig.logs.of(LogSource(CLIENTS, SIDECAR), 0.0)
        own = [line(name, "127.0.0.1:5", "/other") for name in STRANGE]
        threading.Timer(0.1, lambda: log.add(own)).start()

    monkeypatch.setattr(late_entries, "LOG_BUDGET_S", 30.0)

    assert found(made, change=late) == ""


def test_what_the_gateway_refused_and_sent_on_all_the_same_is_a_copy() -> None:
    """Requests that it let in have the address of their client, or its own log shows that it sent them on."""
    made = [line(name, "10.0.0.5:0") for name in STRANGE]
    refused = [*OWN, *(entry(name, "403", "rbac_access_denied_matched_policy[none]", "-") for name in STRANGE)]
    text = found(made, refused, outside=True, by_gateway=0.0)
    assert "10 requests reached mtls-service/httpbin-1 that the gateway did not get" in text
    assert found(made, client=[line(name, "198.51.100.9:5") for name in STRANGE], outside=True) == ""
    assert found([line(name, "198.51.100.9:0") for name in STRANGE], refused, outside=True) == ""
    assert found(made, client=[], outside=True) == "", "the gateway writes no log"


def test_requests_of_the_application_that_its_sidecar_did_not_log_are_copies() -> None:
    own = [line(name, "10.0.0.5:41000") for name in MARKED]
    lines = [printed(f"meshproof/X {name}") for name in MARKED]
    assert found(own, app=[*lines, *[printed("-")] * 6]) == (
        f"6 requests reached mtls-service/httpbin-1 ({APP}) that its sidecar's log does not have"
    )


@pytest.mark.parametrize(
    "more",
    [
        [printed("-")] * 3,
        [printed("kube-probe/1.33")] * 9,
        [printed("-", "/ip/other")] * 9,
        [printed("-", "/status/200")] * 9,
    ],
    ids=["few", "kubelet's", "a longer path", "another path"],
)
def test_other_lines_of_the_application_are_none(more: list[str]) -> None:
    own = [line(name, "10.0.0.5:41000") for name in MARKED]
    lines = [printed(f"meshproof/X {name}") for name in MARKED]
    assert found(own, app=[*lines, *more]) == ""
    assert found(own, app=[*[printed("-")] * 9, *lines]) == "", "they came before the first of ours"


def test_requests_without_a_mark_that_the_sidecar_has_logged_are_none() -> None:
    own = [line(name, "10.0.0.5:41000") for name in MARKED]
    others = [line(name, "10.0.0.77:41000", agent="curl/8.5.0") for name in STRANGE]
    lines = [printed(f"meshproof/X {name}") for name in MARKED]
    assert found([*own, *others], app=[*lines, *[printed("curl/8.5.0")] * 10]) == ""


def test_further_lines_of_the_same_requests_are_none() -> None:
    """An application may print when a request begins as well: each such line was taken for a copy."""
    own = [line(name, "10.0.0.5:41000") for name in MARKED]
    both = [one for name in MARKED for one in ("Started GET /ip for 10.0.0.5", printed(f"meshproof/X {name}"))]
    assert found(own, app=[*both, *["Started GET /ip for 10.0.0.5"] * 9]) == ""
    assert found(own, app=[*both, *[printed("-")] * 6]).startswith("6 requests reached")


def test_an_application_that_logs_otherwise_says_nothing() -> None:
    own = [line(name, "10.0.0.5:41000") for name in MARKED]
    twice = [printed(f"meshproof/X {name}") for name in MARKED for _ in range(2)]
    without = [f"request by meshproof/X {name}" for name in MARKED]
    for lines in (twice, without, []):
        assert found(own, app=[*lines, *[printed("-")] * 9]) == ""


def test_what_another_process_sent_before_the_first_of_ours_is_left_out() -> None:
    entries = accesslog.parse(
        [line(STRANGE[0], "10.0.0.5:1"), line(MARKED[0], "10.0.0.5:2"), line(STRANGE[1], "10.0.0.5:3")]
    )
    assert [one.request_id for one in copies.after_the_first(entries, set(MARKED))] == [MARKED[0], STRANGE[1]]
    assert copies.after_the_first(entries[:1], set(MARKED)) == entries[:1]


GATEWAY = Pod("istio-egress", "gateway-1", "10.0.9.9", containers=CLIENT_POD.containers, ready=True)


def outward(tmp_path: Path, arrived: Sequence[tuple[str, str]], logged: Sequence[str], gateway: Pod = GATEWAY) -> str:
    """What is found of requests that arrived outside, by id and address, and of lines of the gateway's log."""
    lines = [
        json.dumps(
            {
                "event": "request",
                "request_id": name,
                "peer": addresses.joined(peer, 40000),
                "host": "example.com",
                "path": "/",
            }
        )
        for name, peer in arrived
    ]
    (tmp_path / "log").write_text("\n".join(lines))
    rig: Any = FakeRig(lambda _, name: answered(200, name), sent_ids=set(MARKED), gateways=[gateway])
    rig.external = ExternalHosts({"example.com": "198.51.100.10"}, log=HostLog(tmp_path / "log"))
    rig.cluster.logs_of[("gateway-1", SIDECAR)] = list(logged)
    running: Any = SimpleNamespace(rig=rig, since=0.0, changed_at=0.0)
    seen: Any = SimpleNamespace(attempts=(), last=None)
    return copies.from_gateway(ProvingCase(running=running, case=CASE, seen=seen, since=time.monotonic()), [gateway])


def test_what_the_egress_gateway_sends_and_did_not_let_in_is_a_copy(tmp_path: Path) -> None:
    first, *others = STRANGE
    let_in = [line(first, "10.0.0.5:1")]
    arrived = [(first, GATEWAY.ip), *((name, GATEWAY.ip) for name in others)]
    assert outward(tmp_path, arrived, let_in) == (
        "9 requests of the gateway arrived that it did not let in, the first: example.com/"
    )
    refused = [entry(name, "403", "rbac_access_denied_matched_policy[none]", "-") for name in others]
    assert outward(tmp_path, arrived, [*let_in, *refused])
    assert outward(tmp_path, [(first, GATEWAY.ip), *[("", GATEWAY.ip)] * 9], let_in)


@pytest.mark.parametrize("known", [{"ip": "fd00::9"}, {"more_ips": ("fd00::9",)}])
def test_copies_of_an_egress_gateway_of_ipv6_are_found_as_well(tmp_path: Path, known: dict[str, Any]) -> None:
    arrived = [(name, "fd00::9") for name in STRANGE]
    gateway = replace(GATEWAY, **known)
    assert "9 requests" in outward(tmp_path, arrived, [line(STRANGE[0], "[fd00::5]:1")], gateway)
    assert outward(tmp_path, arrived, [line(name, "[fd00::5]:1") for name in STRANGE], gateway) == ""


def test_requests_of_the_egress_gateway_that_it_let_in_are_none(tmp_path: Path) -> None:
    first, *others = STRANGE
    let_in = [line(first, "10.0.0.5:1")]
    arrived = [(first, GATEWAY.ip), *((name, GATEWAY.ip) for name in others)]
    assert outward(tmp_path, arrived, [*let_in, *(line(name, "10.0.0.5:1") for name in others)]) == ""
    assert outward(tmp_path, [(first, GATEWAY.ip), *((name, "10.0.0.5") for name in others)], let_in) == ""
    assert outward(tmp_path, [*arrived[1:], arrived[0]], let_in) == "", "they came before the first that is known"
    assert outward(tmp_path, [(first, GATEWAY.ip), *((name, GATEWAY.ip) for name in MARKED)], let_in) == "", "by TLS"
    failed = [one.replace(" 200 ", " 418 ") for one in let_in]
    assert outward(tmp_path, arrived, failed) == "", "the gateway may log failures only"
    assert outward(tmp_path, arrived, []) == "", "the gateway writes no log"


def test_a_gateway_that_sent_nothing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def waits(_: float) -> None:
        raise AssertionError("its log can change nothing")

    monkeypatch.setattr(late_entries.time, "sleep", waits)
    assert outward(tmp_path, [], []) == ""
    assert outward(tmp_path, [(STRANGE[0], GATEWAY.ip)], []) == ""


def at_host(
    tmp_path: Path, *arrived: tuple[str, str, float], address: str = "198.51.100.10", fast_s: float = 0.0
) -> str:
    """What is found of requests that came to example.com: id, peer, and seconds from now.

    Args:
        fast_s: by how much the host's clock is ahead of this machine's.
    """
    began = time.time() + fast_s
    lines = [
        {
            "event": "request",
            "request_id": name,
            "peer": addresses.joined(peer, 40000),
            "local": f"{address}:80",
            "host": "another.example",
            "path": "/",
            "time": datetime.fromtimestamp(began + at, UTC).isoformat(),
        }
        for name, peer, at in arrived
    ]
    (tmp_path / "log").write_text("\n".join(map(json.dumps, lines)))
    rig: Any = FakeRig(lambda _, name: answered(200, name), sent_ids=set(MARKED))
    rig.sent_at = {name: time.monotonic() + at for name, _, at in arrived if name in MARKED}
    rig.pods = lambda _: [CLIENTS]
    rig.external = ExternalHosts({"example.com": "198.51.100.10"}, log=HostLog(tmp_path / "log"))
    running: Any = SimpleNamespace(rig=rig, since=time.monotonic() - 1.0, changed_at=0.0)
    seen: Any = SimpleNamespace(attempts=(), last=None)
    case = replace(CASE, probe=CLIENT.get("http://example.com/"))
    return copies.at_the_host(ProvingCase(running=running, case=case, seen=seen, since=time.monotonic()))


@pytest.mark.parametrize("fast_s", [-3600.0, 3600.0])
def test_copies_at_an_external_host_whose_clock_differs_are_found(tmp_path: Path, fast_s: float) -> None:
    """A slow clock hid every copy; a fast one had those of an earlier stage count."""
    own = (MARKED[0], CLIENTS.ip, 0.0)
    now, before = ([(name, CLIENTS.ip, at) for name in STRANGE] for at in (0.1, -60.0))
    assert at_host(tmp_path, own, *now, fast_s=fast_s).startswith("10 requests of the client")
    assert at_host(tmp_path, (MARKED[0], CLIENTS.ip, -61.0), *before, fast_s=fast_s) == "", "of an earlier stage"


def test_copies_that_the_clients_pod_sends_to_an_external_host_are_found(tmp_path: Path) -> None:
    own = (MARKED[0], CLIENTS.ip, 0.0)
    strange = [(name, CLIENTS.ip, 0.1) for name in STRANGE]
    assert at_host(tmp_path, own, *strange) == (
        "10 requests of the client arrived that no program of it sent, the first: another.example/"
    )
    assert at_host(tmp_path, own, *strange[:3]) == ""
    assert at_host(tmp_path, *strange, own) == "", "of an earlier pod with this address"
    assert at_host(tmp_path, own, *((name, CLIENTS.ip, -60.0) for name in STRANGE)) == "", "of an earlier stage"
    assert at_host(tmp_path, own, *((name, "10.0.0.77", 0.1) for name in STRANGE)) == ""
    assert at_host(tmp_path, own, *strange, address="198.51.100.20") == "", "to another host"
    assert at_host(tmp_path, *((name, CLIENTS.ip, 0.1) for name in MARKED * 3)) == ""
