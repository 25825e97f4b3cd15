"""Silence is counted: a request that reaches the backend under another id is one too many."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, CLIENT_POD, SERVER_POD, FakeRig, answered, entry

from clients.kube.pods import SIDECAR, Pod
from clients.mesh import sidecar
from clients.mesh.access_logs.logs import LogSource
from clients.mesh.discovery import MeshInfo
from clients.model import addresses
from clients.model.attempt import Attempt, Phase
from clients.model.case import Case
from clients.model.evidence import Finding, FindingVerdict, TwinProof, Verdict
from clients.model.expect import rbac_denied
from clients.model.outcome import OutcomeKind
from clients.model.probe import Workload
from clients.probe.outside import through
from clients.proof.logs import application_copies, late_entries
from clients.proof.proving import ProvingCase
from clients.proof.steps import counted

pytestmark = pytest.mark.unit

IP = "http://httpbin.mtls-service:8000/ip"
CASE = Case("X-2", CLIENT.get(IP), rbac_denied(), twin=CLIENT.get(IP, token="valid"))
TWIN = "mp-run-twin-0123456789"
OTHERS = ("mp-run-other-0123456789", "mp-run-third-0123456789")
CLIENTS = Pod("mtls-client", "sleep-1", "10.0.0.5", containers=CLIENT_POD.containers, ready=True, more_ips=("fd00::5",))


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_entries, "FLUSHED_S", 0.01)
    for module in (late_entries, application_copies):
        monkeypatch.setattr(module, "LOG_BUDGET_S", 0.05)


APP = next(name for name in sidecar.containers_that_log(SERVER_POD) if name != SIDECAR)


def line(name: str, *, client: str = "10.0.0.5", upstream: str = "10.0.0.9:8080", port: int = 8080) -> str:
    made = entry(name, "200", "via_upstream", upstream).replace("inbound|8080|| - - - -", f"inbound|{port}|| - - X -")
    return made.replace(" X ", f" {addresses.joined(client, 41000)} ")


def prove(
    *lines: str,
    case: Case = CASE,
    access_log: bool = True,
    gap: bool = False,
    app: Sequence[str] = (),
    by_gateway: dict[Workload, dict[str, float]] | None = None,
    twin: str = TWIN,
    second: Sequence[str] = (),
    port: int = 8080,
    gateway: Sequence[str] = (),
) -> list[Finding]:
    """What the step finds.

    Args:
        twin: the twin's request as the log of the first replica has it.
        second: lines of another replica.
        port: of the container that the Service leads to.
        gateway: lines of a gateway of the run.
    """
    sent = {TWIN, *OTHERS}
    rig = FakeRig(lambda _, name: answered(200, name), sent_ids=sent, by_gateway=by_gateway or {})
    rig.target_port = lambda _: port  # type: ignore[method-assign]
    if second:
        rig.servers = [SERVER_POD, replace(SERVER_POD, name="httpbin-2")]
        rig.cluster.logs_of[("httpbin-2", SIDECAR)] = list(second)
    rig.pods = lambda _: [CLIENTS]  # type: ignore[method-assign]
    rig.mesh = rig.mesh if access_log else MeshInfo("istio")
    rig.cluster.logs_of[("httpbin-1", SIDECAR)] = [line(twin), *lines]
    rig.cluster.logs_of[("httpbin-1", APP)] = list(app)
    rig.namespaces = frozenset({"edge"})
    rig.cluster.pods_of["edge"] = [Pod("edge", "door-1", containers=(SIDECAR,), ready=True)]
    rig.cluster.logs_of[("door-1", SIDECAR)] = list(gateway)
    if gap:
        rig.logs.of(LogSource(rig.servers[0], SIDECAR), 0.0).broken("restarted")
    running: Any = SimpleNamespace(rig=rig, since=0.0, changed_at=0.0, cases=(case,))
    passed = Attempt(0.1, Phase.TWIN, True, "200", TWIN, kind=OutcomeKind.STATUS)
    seen: Any = SimpleNamespace(attempts=(), last=None)
    made = ProvingCase(running=running, case=case, seen=seen, since=time.monotonic(), attempts=[passed])
    made.twin = TwinProof("X-1", Verdict.PASS, "200", "200", TWIN)
    return counted.every_arrival_is_known(made)


def test_requests_that_were_sent_are_counted() -> None:
    [found] = prove(line("mp-run-other-0123456789"))
    assert found.verdict is FindingVerdict.PASS
    assert found.text.startswith("2 requests")


def test_a_request_under_an_id_that_was_not_sent_fails() -> None:
    [found] = prove(line("0f8fad5b-d9cb-469f-a165-70867728950e"))
    assert found.verdict is FindingVerdict.FAIL
    assert "0f8fad5b-d9cb-469f-a165-70867728950e" in found.text


def test_a_request_of_ipv6_under_an_id_that_was_not_sent_fails() -> None:
    [found] = prove(line("0f8fad5b-d9cb-469f-a165-70867728950e", client="fd00::5"))
    assert found.verdict is FindingVerdict.FAIL
    [found] = prove(line("0f8fad5b-d9cb-469f-a165-70867728950e", client="fd00::6"))
    assert found.verdict is FindingVerdict.PASS


def test_a_replica_that_no_request_of_the_twin_came_to_is_counted_as_well() -> None:
    [found] = prove(second=[line("0f8fad5b-d9cb-469f-a165-70867728950e")])
    assert found.verdict is FindingVerdict.FAIL


def test_where_the_twin_goes_elsewhere_the_services_port_is_counted() -> None:
    """A twin of another backend, or the server's own pod, leaves no entry: nothing at all was counted."""
    elsewhere, stranger = OTHERS[0], line("0f8fad5b-d9cb-469f-a165-70867728950e")
    assert [one.verdict for one in prove(stranger, twin=elsewhere)] == [FindingVerdict.FAIL]
    assert [one.verdict for one in prove(twin=elsewhere)] == [FindingVerdict.PASS]
    assert [one.verdict for one in prove(stranger, twin=elsewhere, port=0)] == [FindingVerdict.NOT_CHECKED]


def test_a_copy_past_the_log_of_the_servers_sidecar_fails() -> None:
    agents = [f"meshproof/X {name}" for name in (TWIN, *OTHERS)] + ["-"] * 6
    app = [f'level=INFO msg="200 GET /ip 0.1ms" method=GET uri=/ip user_agent="{agent}"' for agent in agents]
    [found] = prove(*map(line, OTHERS), app=app)
    assert found.verdict is FindingVerdict.FAIL
    assert "6 requests reached" in found.text


@pytest.mark.parametrize(
    "other",
    [
        line("x-1", client="10.0.0.77"),
        line("x-1", port=9090),
        line("x-1", upstream="-"),
        line("x-1").replace("/ip", "/hipstershop.CartService/GetCart"),
    ],
    ids=["another client", "another port", "refused", "another path"],
)
def test_other_traffic_of_the_backend_is_not_counted(other: str) -> None:
    [found] = prove(other)
    assert found.verdict is FindingVerdict.PASS
    assert found.text.startswith("1 request ")


def test_the_clients_requests_through_a_gateway_are_not_counted() -> None:
    """Unless it sends none: then they are copies that its own sidecar made. Entries of the stage before may come late,
    those of long before not."""
    copy = line("x-1").replace("10.0.0.5:41000", "10.0.0.5:0")
    assert [one.verdict for one in prove(copy)] == [FindingVerdict.FAIL]
    for at, verdict in ((1.0, FindingVerdict.PASS), (-20.0, FindingVerdict.PASS), (-500.0, FindingVerdict.FAIL)):
        assert [one.verdict for one in prove(copy, by_gateway={CLIENT: {"/ip": at}})] == [verdict], at
    assert [one.verdict for one in prove(copy, by_gateway={CLIENT: {"/get": 1.0}})] == [FindingVerdict.FAIL]


STRANGE = [f"0f8fad5b-d9cb-469f-a165-7086772895{number:02}" for number in range(6)]


def stating(name: str, path: str = "/ip") -> str:
    """Of a request that states its client in `x-forwarded-for`."""
    return line(name, client="203.0.113.9").replace(":41000", ":0").replace("/ip", path)


@pytest.mark.parametrize("path", ["/ip", "/anything"])
@pytest.mark.parametrize("outside", [False, True], ids=["inside", "outside"])
def test_copies_that_state_another_client_fail(path: str, outside: bool) -> None:
    """A filter of the client's sidecar, or of a gateway, sends them with any address: none was counted."""
    case = replace(CASE, probe=through(CLIENT).get(IP)) if outside else CASE
    [found] = prove(*(stating(name, path) for name in STRANGE), case=case)
    assert found.verdict is FindingVerdict.FAIL
    assert f"6 requests reached mtls-service/httpbin-1 that no proxy sent on, the first: {path} from 203" in found.text


@pytest.mark.parametrize(
    ("server", "gateway"),
    [
        (STRANGE[:3], ()),
        (STRANGE, STRANGE),
        (STRANGE, STRANGE[:3]),
        ((*OTHERS, TWIN, "mp-run-other-0123456789"), ()),
    ],
    ids=["few", "by a gateway", "few but those by a gateway", "probes"],
)
def test_requests_of_a_known_origin_are_no_copies(server: Sequence[str], gateway: Sequence[str]) -> None:
    let_in = [line(name, upstream="10.0.0.9:8080") for name in gateway]
    assert [one.verdict for one in prove(*map(stating, server), gateway=let_in)] == [FindingVerdict.PASS]


@pytest.mark.parametrize("known", [True, False], ids=["its log is known", "its log is not known"])
def test_a_gateway_that_has_gone_may_have_sent_them_on(monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    gone = Pod("edge", "door-0", containers=(SIDECAR,), ready=True)
    monkeypatch.setattr(FakeRig, "seen_ready", lambda *_: [gone])
    logs_of = FakeRig.logs.func  # type: ignore[attr-defined]

    def logs(rig: FakeRig) -> Any:
        rig.cluster.logs_of[("door-0", SIDECAR)] = [line(name) for name in STRANGE] if known else []
        made = logs_of(rig)
        if not known:
            made.of(LogSource(gone, SIDECAR), 0.0).broken("its pod was gone before it was read")
        return made

    monkeypatch.setattr(FakeRig, "logs", cached_property(logs))
    FakeRig.logs.__set_name__(FakeRig, "logs")
    verdict = FindingVerdict.PASS if known else FindingVerdict.INCONCLUSIVE
    assert [one.verdict for one in prove(*map(stating, STRANGE))] == [verdict]


def test_what_a_gateway_refused_it_did_not_send_on() -> None:
    refused = [line(name, upstream="-") for name in STRANGE]
    assert [one.verdict for one in prove(*map(stating, STRANGE), gateway=refused)] == [FindingVerdict.FAIL]


def test_a_log_with_a_gap_is_not_counted() -> None:
    [found] = prove(gap=True)
    assert found.verdict is FindingVerdict.INCONCLUSIVE


def test_where_ids_are_not_the_clients_own_nothing_is_counted() -> None:
    outside = Case("X-2", through(CLIENT).get(IP), rbac_denied(), twin=CASE.twin)
    assert prove(case=outside) == []
    assert prove(access_log=False) == []


def test_connections_are_not_counted_as_they_have_no_ids() -> None:
    """ "0 requests from the client, all let in" was a finding that nothing could have failed."""
    raw = CLIENT.tcp("httpbin.mtls-service:8000", "{id}\r\n")
    assert prove(line("x-1"), case=replace(CASE, probe=raw)) == []
