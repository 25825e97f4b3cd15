"""The path of a request, by the logs: as stated it passes, otherwise it fails, and a missing entry proves nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, FakeLogs, FakeRig, answered

from clients.kube.pods import SIDECAR, Pod
from clients.mesh.access_logs import logs
from clients.mesh.discovery import MeshInfo
from clients.mesh.external_hosts import ExternalHosts
from clients.mesh.host_log import HostLog
from clients.model.attempt import Attempt, Phase
from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.evidence import Finding, FindingVerdict
from clients.model.expect import status
from clients.model.log_expectations import AccessLogExpectation, ServerLogExpectation
from clients.model.outcome import Outcome, OutcomeKind
from clients.model.probe import Probe
from clients.proof.logs import log_entries
from clients.proof.logs.route import last_row
from clients.proof.proving import ProvingCase
from clients.proof.steps import trace

pytestmark = pytest.mark.unit

GATEWAY_POD = Pod("istio-egress", "gateway-1", "10.0.9.9", "Running", True, (SIDECAR,))
OUT = CLIENT.get("http://example.com/")
TWIN = CLIENT.get("http://httpbin.org/")
CASE = Case("X-1", OUT, status(200), twin=TWIN)
AS_SENT_ON = AccessLogExpectation(
    Proxy.GATEWAY,
    status=200,
    cluster=r"outbound\|80\|\|example\.com",
    upstream="<example.com>:80",
    local="<gateway>:8080",
    sni=r"outbound_\.80_.*",
    protocol="HTTP/2",
)
HOSTS = {"example.com": "198.51.100.10"}


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "LOG_BUDGET_S", 0.05)
    monkeypatch.setattr(log_entries, "LOG_BUDGET_S", 0.05)
    monkeypatch.setattr(logs, "AGAIN_S", 0.005)


def rig() -> FakeRig:
    made = FakeRig(lambda _, __: None, gateways=[GATEWAY_POD], external=ExternalHosts(HOSTS))  # type: ignore[arg-type,return-value]
    made.mesh = MeshInfo("istio", "1.31.1", capabilities=frozenset({"access-log"}))
    return made


def attempt(name: str, local: str = "10.0.0.5:40000") -> Attempt:
    return Attempt(0.1, Phase.CONVERGE, True, "200", name, local=local, kind=OutcomeKind.STATUS)


@dataclass(frozen=True)
class Requests:
    """The case's own, and later ones of its twin."""

    own: tuple[Attempt, ...]
    marks: tuple[Attempt, ...] = ()


def sent(*names: str, marks: tuple[str, ...] = ()) -> Requests:
    return Requests(tuple(map(attempt, names)), tuple(map(attempt, marks)))


def http(name: str, *, upstream: str = "198.51.100.10:80", code: int = 200, cluster: str = "example.com") -> str:
    return (
        f'[2026-11-22T16:00:00.000Z] "GET / HTTP/2" {code} - via_upstream - "-" 0 0 1 1 "10.0.0.5" "X {name}" '
        f'"{name}" "example.com" "{upstream}" outbound|80||{cluster}; 10.0.9.9:50000 10.0.9.9:8080 10.0.0.5:41000 '
        f"outbound_.80_.mTLS_.gateway.istio-egress.svc.cluster.local -"
    )


def tcp(remote: str, upstream_local: str, *, upstream: str = "198.51.100.10:443") -> str:
    return (
        f'[2026-11-22T16:00:00.000Z] "- - -" 0 - - - "-" 100 100 5 - "-" "-" "-" "-" "{upstream}" '
        f"outbound|443||example.com {upstream_local} 10.0.9.9:8443 {remote} example.com -"
    )


def hop(remote: str, upstream_local: str, *, to: str = "10.0.9.9:8443") -> str:
    """The sidecar's entry of a connection that it sent on, to the gateway above all."""
    return tcp(remote, upstream_local, upstream=to)


def log(made: FakeRig, *lines: str, pod: str = "gateway-1") -> None:
    made.cluster.logs_of.setdefault((pod, SIDECAR), []).extend(lines)


def follow(
    made: FakeRig, requests: Requests, *logged: AccessLogExpectation, arrival: ServerLogExpectation | None = None
) -> Finding:
    [finding] = findings(proving(made, replace(CASE, logged=logged, arrival=arrival), requests))
    return finding


def proving(made: FakeRig, case: Case, requests: Requests) -> ProvingCase:
    twins = [replace(mark, phase=Phase.TWIN) for mark in requests.marks]
    running: Any = SimpleNamespace(rig=made, since=0.0)
    seen: Any = SimpleNamespace(attempts=requests.own, duration_s=0.1)
    return ProvingCase(running=running, case=case, seen=seen, since=0.0, attempts=twins)


def findings(made: ProvingCase) -> list[Finding]:
    return [*trace.logs_as_stated(made), *trace.server_saw(made)]


def test_entries_as_stated_pass() -> None:
    made = rig()
    log(made, http("a"), http("b"))
    finding = follow(made, sent("a", "b"), AS_SENT_ON)
    assert (finding.verdict, finding.name) == (FindingVerdict.PASS, "egress gateway log")
    assert "2 entries" in finding.text


@pytest.mark.parametrize(
    "line",
    [
        http("a", upstream="198.51.100.20:80"),
        http("a", upstream="198.51.100.10:443"),
        http("a", code=503),
        http("a", cluster="httpbin.org"),
        http("a").replace("HTTP/2", "HTTP/1.1"),
        http("a").replace("10.0.9.9:8080", "10.0.9.8:8080"),
        http("a").replace("outbound_.80_", "other_"),
    ],
)
def test_an_entry_unlike_the_stated_one_fails(line: str) -> None:
    made = rig()
    log(made, line)
    assert follow(made, sent("a"), AS_SENT_ON).verdict is FindingVerdict.FAIL


def test_a_request_is_known_by_its_user_agent_where_the_gateway_gave_it_another_id() -> None:
    made = rig()
    log(made, http("a").replace('"a"', '"978a35da-0a70"'), http("other").replace("X other", "X another"))
    finding = follow(made, sent("a"), AS_SENT_ON)
    assert finding.verdict is FindingVerdict.PASS
    assert "1 entry " in finding.text


def test_ports_of_the_gateway_are_those_of_its_settings() -> None:
    made = rig()
    log(made, http("a"))
    assert follow(made, sent("a"), replace(AS_SENT_ON, local="<gateway>:<http-port>")).verdict is FindingVerdict.PASS
    assert follow(made, sent("a"), replace(AS_SENT_ON, local="<gateway>:<tls-port>")).verdict is FindingVerdict.FAIL


def test_addresses_of_ipv6_in_patterns_have_brackets() -> None:
    made = rig()
    made.gateways = [replace(GATEWAY_POD, more_ips=("fd00::9",))]
    made.external = ExternalHosts({"example.com": "2001:db8::10"})
    line = http("a", upstream="[2001:db8::10]:80")
    log(made, line.replace(" 10.0.9.9:8080 ", " [fd00::9]:8080 "))
    assert follow(made, sent("a"), AS_SENT_ON).verdict is FindingVerdict.PASS
    log(made, line.replace(" 10.0.9.9:8080 ", " [fd00::8]:8080 ").replace('"a"', '"b"'))
    assert follow(made, sent("b"), AS_SENT_ON).verdict is FindingVerdict.FAIL


def test_a_missing_entry_proves_nothing() -> None:
    made = rig()
    assert follow(made, sent("a"), AS_SENT_ON).verdict is FindingVerdict.INCONCLUSIVE
    log(made, http("a"))
    assert follow(made, sent("a", "b"), AS_SENT_ON).verdict is FindingVerdict.INCONCLUSIVE


def test_details_are_found_in_the_failure_too() -> None:
    made = rig()
    log(made, http("a").replace('via_upstream - "-"', 'x - "TLS_error:CERTIFICATE_VERIFY_FAILED"'))
    assert (
        follow(made, sent("a"), AccessLogExpectation(Proxy.GATEWAY, details="VERIFY_FAILED")).verdict
        is FindingVerdict.PASS
    )
    assert follow(made, sent("a"), AccessLogExpectation(Proxy.GATEWAY, details="OTHER")).verdict is FindingVerdict.FAIL


def test_a_dash_demands_an_empty_field() -> None:
    made = rig()
    log(made, http("a", upstream="-"))
    assert follow(made, sent("a"), AccessLogExpectation(Proxy.GATEWAY, upstream="-")).verdict is FindingVerdict.PASS
    assert follow(made, sent("a"), AccessLogExpectation(Proxy.GATEWAY, cluster="-")).verdict is FindingVerdict.FAIL


def test_a_connection_is_followed_from_hop_to_hop_by_its_addresses() -> None:
    made = rig()
    log(made, hop("10.0.0.5:40000", "10.0.0.5:41000"), hop("10.0.0.5:1", "10.0.0.5:2"), pod="sleep-1")
    log(made, tcp("10.0.0.5:41000", "10.0.9.9:50000"), tcp("10.0.0.5:2", "10.0.9.9:50001", upstream="-"))
    wanted = AccessLogExpectation(Proxy.GATEWAY, tcp=True, status=0, upstream="<example.com>:443", sni="example.com")
    assert follow(made, sent("a"), wanted).verdict is FindingVerdict.PASS
    assert follow(made, sent("a"), replace(wanted, upstream="-")).verdict is FindingVerdict.FAIL


def test_an_entry_of_an_earlier_request_from_the_same_port_is_left_out() -> None:
    made = rig()
    log(made, hop("10.0.0.5:40000", "10.0.0.5:41000"), pod="sleep-1")
    log(made, http("settled", upstream="-", code=502), tcp("10.0.0.5:41000", "10.0.9.9:50000"))
    wanted = AccessLogExpectation(Proxy.GATEWAY, tcp=True, status=0, upstream="<example.com>:443", sni="example.com")
    assert follow(made, sent("a"), wanted).verdict is FindingVerdict.PASS


def test_a_source_port_that_the_system_reused_for_another_server_does_not_match() -> None:
    """The gateway logged the port for an earlier connection, not for this one."""
    absent = AccessLogExpectation(Proxy.GATEWAY, tcp=True, absent=True)
    made = rig()
    log(made, hop("10.0.0.5:40000", "10.0.0.5:41000", to="198.51.100.40:443"), pod="sleep-1")
    log(made, hop("10.0.0.5:40001", "10.0.0.5:42000"), pod="sleep-1")
    log(made, tcp("10.0.0.5:41000", "10.0.9.9:50000"), tcp("10.0.0.5:42000", "10.0.9.9:50001"))
    twins = (attempt("t", "10.0.0.5:40001"),)
    assert follow(made, replace(sent("a"), marks=twins), absent).verdict is FindingVerdict.PASS
    made.cluster.logs_of.pop(("sleep-1", SIDECAR))
    made.logs = FakeLogs(made.cluster)
    log(made, hop("10.0.0.5:40000", "10.0.0.5:41000"), hop("10.0.0.5:40001", "10.0.0.5:42000"), pod="sleep-1")
    assert follow(made, replace(sent("a"), marks=twins), absent).verdict is FindingVerdict.FAIL


def test_absence_needs_a_later_request_of_the_twin() -> None:
    absent = AccessLogExpectation(Proxy.GATEWAY, absent=True)
    made = rig()
    assert follow(made, sent("a"), absent).verdict is FindingVerdict.INCONCLUSIVE
    assert follow(made, sent("a", marks=("t",)), absent).verdict is FindingVerdict.INCONCLUSIVE
    log(made, http("t"))
    assert follow(made, sent("a", marks=("t",)), absent).verdict is FindingVerdict.PASS
    log(made, http("a"))
    assert follow(made, sent("a", marks=("t",)), absent).verdict is FindingVerdict.FAIL


def test_a_request_that_was_sent_again_counts_once() -> None:
    """A sidecar repeats a request under the same id: its two entries stand for no other request."""
    made = rig()
    log(made, http("a"), http("b"), http("b"))
    assert follow(made, sent("a", "b"), AS_SENT_ON).verdict is FindingVerdict.PASS
    found = follow(made, sent("a", "b", "c"), AS_SENT_ON)
    assert found.verdict is FindingVerdict.INCONCLUSIVE
    assert "2 of 3 requests" in found.text


def test_a_try_for_which_no_server_was_there_is_not_the_request() -> None:
    """A sidecar took a connection from its pool that had just been closed, and sent the request again."""
    made = rig()
    log(made, http("a", code=503), http("a"), http("b"))
    assert follow(made, sent("a", "b"), AS_SENT_ON).verdict is FindingVerdict.PASS
    log(made, http("c", code=503))
    assert follow(made, sent("a", "b", "c"), AS_SENT_ON).verdict is FindingVerdict.FAIL
    log(made, http("d", code=403), http("d"))
    assert follow(made, sent("d"), AS_SENT_ON).verdict is FindingVerdict.FAIL
    refused = replace(AS_SENT_ON, status=503)
    assert follow(made, sent("c"), refused).verdict is FindingVerdict.PASS


def test_of_several_proxies_each_must_show_a_request_of_the_twin_before_its_silence_counts() -> None:
    """The twin's request at one replica says nothing about what another one has still to write."""
    absent = AccessLogExpectation(Proxy.GATEWAY, absent=True)
    made = rig()
    made.gateways = [GATEWAY_POD, replace(GATEWAY_POD, name="gateway-2", ip="10.0.9.8")]
    log(made, http("t"))
    made.answer = lambda _, name: answered(200, name)
    found = follow(made, sent("a", marks=("t",)), absent)
    assert found.verdict is FindingVerdict.INCONCLUSIVE
    assert "istio-egress/gateway-2" in found.text
    assert "gateway-1" not in found.text

    def by_the_second(_: Probe, name: str) -> Outcome:
        log(made, http("a"), http(name), pod="gateway-2")
        return answered(200, name)

    made.answer = by_the_second
    assert follow(made, sent("a", marks=("t",)), absent).verdict is FindingVerdict.FAIL


def test_a_mesh_without_access_log_is_not_checked() -> None:
    made = rig()
    made.mesh = MeshInfo("istio", "1.31.1", capabilities=frozenset())
    finding = follow(made, sent("a"), AS_SENT_ON)
    assert finding.verdict is FindingVerdict.NOT_CHECKED
    assert finding.text == "not checked: the mesh writes no access log"


def test_no_gateway_proves_nothing() -> None:
    made = rig()
    made.gateways = []
    assert follow(made, sent("a"), AS_SENT_ON).verdict is FindingVerdict.INCONCLUSIVE


def arrived(name: str, peer: str, **more: object) -> str:
    entry = {"event": "request", "request_id": name, "peer": peer, "local": "198.51.100.10:443", "tls": True}
    return json.dumps({**entry, "sni": "example.com", "client_cert": False, "host": "example.com", **more})


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (arrived("a", "10.0.9.9:50000"), FindingVerdict.PASS),
        (arrived("a", "10.0.0.5:50000"), FindingVerdict.FAIL),
        (arrived("a", "10.0.9.9:50000", tls=False), FindingVerdict.FAIL),
        (arrived("a", "10.0.9.9:50000", sni="httpbin.org"), FindingVerdict.FAIL),
        (arrived("a", "10.0.9.9:50000", client_cert=True), FindingVerdict.FAIL),
        (arrived("b", "10.0.9.9:50000"), FindingVerdict.FAIL),
        ("{torn", FindingVerdict.FAIL),
    ],
)
def test_an_arrival_must_be_as_stated(tmp_path: Path, line: str, verdict: FindingVerdict) -> None:
    made = rig()
    (tmp_path / "log").write_text(line + "\n")
    made.external = ExternalHosts(HOSTS, log=HostLog(tmp_path / "log"))
    arrival = ServerLogExpectation(Proxy.GATEWAY, tls=True, sni="example.com")
    assert follow(made, sent("a"), arrival=arrival).verdict is verdict


@pytest.mark.parametrize(
    ("peer", "local", "expected"),
    [
        ("[fd00::9]:50000", "[2001:db8::10]:443", FindingVerdict.PASS),
        ("10.0.9.9:50000", "[2001:db8::10]:443", FindingVerdict.PASS),
        ("[fd00::5]:50000", "[2001:db8::10]:443", FindingVerdict.FAIL),
        ("[fd00::9]:50000", "[2001:db8::20]:443", FindingVerdict.FAIL),
    ],
)
def test_an_arrival_by_ipv6_is_known_by_its_addresses(
    tmp_path: Path, peer: str, local: str, expected: FindingVerdict
) -> None:
    made = rig()
    made.gateways = [replace(GATEWAY_POD, ip="10.0.9.9", more_ips=("fd00::9",))]
    (tmp_path / "log").write_text(arrived("a", peer, local=local) + "\n")
    made.external = ExternalHosts({"example.com": "2001:db8:0:0::10"}, log=HostLog(tmp_path / "log"))
    arrival = ServerLogExpectation(Proxy.GATEWAY, tls=True, sni="example.com")
    assert follow(made, sent("a"), arrival=arrival).verdict is expected


@pytest.mark.parametrize(
    ("local", "at", "verdict"),
    [
        ("198.51.100.10:443", "", FindingVerdict.PASS),
        ("198.51.100.20:443", "", FindingVerdict.FAIL),
        ("198.51.100.20:443", "httpbin.org", FindingVerdict.PASS),
        ("198.51.100.10:443", "httpbin.org", FindingVerdict.FAIL),
    ],
)
def test_a_foreign_server_must_be_stated(tmp_path: Path, local: str, at: str, verdict: FindingVerdict) -> None:
    made = rig()
    (tmp_path / "log").write_text(arrived("a", "10.0.9.9:50000", local=local) + "\n")
    hosts = {"example.com": "198.51.100.10", "httpbin.org": "198.51.100.20"}
    made.external = ExternalHosts(hosts, log=HostLog(tmp_path / "log"))
    arrival = ServerLogExpectation(Proxy.GATEWAY, tls=True, sni="example.com", server=at)
    assert follow(made, sent("a"), arrival=arrival).verdict is verdict


def test_a_pod_of_the_gateway_that_has_gone_since_is_the_gateway(tmp_path: Path) -> None:
    made = rig()
    (tmp_path / "log").write_text(arrived("a", "10.0.9.7:50000") + "\n")
    made.external = ExternalHosts(HOSTS, log=HostLog(tmp_path / "log"))
    through = ServerLogExpectation(Proxy.GATEWAY, tls=True, sni="example.com")
    assert follow(made, sent("a"), arrival=through).verdict is FindingVerdict.FAIL
    made.left = {replace(GATEWAY_POD, name="gateway-0", ip="10.0.9.7"): 1.0}
    assert follow(made, sent("a"), arrival=through).verdict is FindingVerdict.PASS


@pytest.mark.parametrize("external", [None, ExternalHosts(HOSTS)])
def test_an_arrival_that_cannot_be_looked_up_is_not_checked(external: ExternalHosts | None) -> None:
    made = rig()
    made.external = external
    assert follow(made, sent("a"), arrival=ServerLogExpectation(Proxy.GATEWAY)).verdict is FindingVerdict.NOT_CHECKED


def test_a_log_of_the_servers_that_cannot_be_read_proves_nothing(tmp_path: Path) -> None:
    made = rig()
    made.external = ExternalHosts(HOSTS, log=HostLog(tmp_path / "gone"))
    assert follow(made, sent("a"), arrival=ServerLogExpectation(Proxy.GATEWAY)).verdict is FindingVerdict.INCONCLUSIVE


def test_several_entries_of_one_log_are_findings_of_their_own() -> None:
    made = rig()
    log(made, http("a"))
    case = replace(CASE, logged=(AS_SENT_ON, replace(AS_SENT_ON, status=503), AS_SENT_ON))
    found = findings(proving(made, case, sent("a")))
    assert [one.verdict for one in found] == [FindingVerdict.PASS, FindingVerdict.FAIL, FindingVerdict.PASS]
    assert len({one.name for one in found}) == 1


def test_the_network_path_is_what_the_logs_have_seen() -> None:
    made = rig()
    log(made, http("a"))
    seen = proving(made, replace(CASE, logged=(AS_SENT_ON,)), sent("a"))
    assert trace.network_path(seen) == (), "no log has been read"
    findings(seen)
    assert trace.network_path(seen) == ("mtls-client/sleep", "egress gateway", "example.com")


def test_all_requests_of_the_last_row_of_matches_are_judged() -> None:
    missed = replace(attempt("m"), matched=False)
    row = [attempt("a"), missed, *(attempt(str(n)) for n in range(9))]
    requests = Requests(tuple(row))
    assert [one.request_id for one in last_row(proving(rig(), CASE, requests))] == [str(n) for n in range(9)]
    made = rig()
    log(made, http("b"), http("c", code=503), *(http(name) for name in "defgh"))
    finding = follow(made, sent(*"bcdefgh"), AS_SENT_ON)
    assert finding.verdict is FindingVerdict.FAIL
    assert "has status 503" in finding.text


def test_a_foreign_server_may_be_pinned(tmp_path: Path) -> None:
    made = rig()
    hosts = {**HOSTS, "httpbin.org": "198.51.100.20"}
    (tmp_path / "log").write_text(arrived("a", "10.0.9.9:50000", local="198.51.100.20:443") + "\n")
    made.external = ExternalHosts(hosts, log=HostLog(tmp_path / "log"))
    arrival = ServerLogExpectation(Proxy.GATEWAY, tls=True, sni="example.com")
    assert follow(made, sent("a"), arrival=arrival).verdict is FindingVerdict.FAIL
    by_design = replace(arrival, server="httpbin.org")
    assert follow(made, sent("a"), arrival=by_design).verdict is FindingVerdict.PASS


def test_a_row_of_ordinary_requests_alone_shows_nothing_of_where_they_arrived(tmp_path: Path) -> None:
    """One confirmation may be one that only looks like a user's: "0 of 0 did not arrive" was a failure of the mesh."""
    made = rig()
    (tmp_path / "log").write_text("")
    made.external = ExternalHosts(HOSTS, log=HostLog(tmp_path / "log"))
    ordinary = Requests((replace(attempt("a"), ordinary=True),))
    assert follow(made, ordinary, arrival=ServerLogExpectation(Proxy.GATEWAY)).verdict is FindingVerdict.INCONCLUSIVE


CONNECTIONS = AccessLogExpectation(Proxy.GATEWAY, tcp=True, status=0, upstream="<example.com>:443", sni="example.com")


def test_some_connections_past_the_gateway_are_no_change_of_ports() -> None:
    """One entry was enough for all of them: a route that leads half of them around the gateway passed."""

    def found(count: int) -> Finding:
        made = rig()
        requests = Requests(tuple(attempt(str(one), f"10.0.0.5:4000{one}") for one in range(8)))
        for one in range(8):
            passed = one < count
            log(made, hop(f"10.0.0.5:4000{one}", f"10.0.0.5:4100{one}"), pod="sleep-1")
            log(made, *([tcp(f"10.0.0.5:4100{one}", f"10.0.9.9:5000{one}")] if passed else []))
        return follow(made, requests, CONNECTIONS)

    assert found(8).verdict is FindingVerdict.PASS
    assert found(6).verdict is FindingVerdict.PASS, "the ports of a few may have changed"
    lacking = found(5)
    assert lacking.verdict is FindingVerdict.INCONCLUSIVE
    assert "5 of 8 requests have an entry" in lacking.text


def test_a_connection_is_absent_only_where_the_clients_log_has_it() -> None:
    """The gateway's log may be ahead of the client's, by which alone a connection is found there."""
    absent = AccessLogExpectation(Proxy.GATEWAY, tcp=True, absent=True)
    made = rig()
    log(made, hop("10.0.0.5:40001", "10.0.0.5:42000"), pod="sleep-1")
    log(made, tcp("10.0.0.5:41000", "10.0.9.9:50000"), tcp("10.0.0.5:42000", "10.0.9.9:50001"))
    twins = replace(sent("a"), marks=(attempt("t", "10.0.0.5:40001"),))
    assert follow(made, twins, absent).verdict is FindingVerdict.INCONCLUSIVE
    log(made, hop("10.0.0.5:40000", "10.0.0.5:41000"), pod="sleep-1")
    assert follow(made, twins, absent).verdict is FindingVerdict.FAIL
