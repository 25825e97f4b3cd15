"""What is let in is proven at the application: nothing else can have answered."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, SERVER_POD, FakeRig, answered, entry

from clients.kube.pods import SIDECAR, Pod
from clients.mesh.access_logs import logs
from clients.mesh.discovery import MeshInfo
from clients.mesh.external_hosts import ExternalHosts
from clients.mesh.host_log import HostLog
from clients.model.attempt import Attempt, Phase
from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.evidence import Finding, FindingVerdict, TwinProof, Verdict
from clients.model.expect import rbac_denied, status
from clients.model.log_expectations import ServerLogExpectation
from clients.model.outcome import OutcomeKind
from clients.proof.proving import ProvingCase
from clients.proof.steps import answered as steps

pytestmark = pytest.mark.unit

IP = "http://httpbin.mtls-service:8000/ip"
CASE = Case("X-1", CLIENT.get(IP), status(200))
OUTWARD = Case("X-1", CLIENT.get("http://example.com/"), status(200))
HOSTS = ExternalHosts({"example.com": "198.51.100.10", "httpbin.org": "198.51.100.20"})
NAMES = [f"mp-run-{number}-0123456789" for number in range(3)]

Logged = Callable[[FakeRig, str], None]


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "LOG_BUDGET_S", 0.05)
    monkeypatch.setattr(logs, "PRINTED_S", 0.02)


def attempts(names: list[str], phase: Phase = Phase.CONFIRM) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(0.1, phase, True, "200", name, local=f"10.0.0.5:4{number}", kind=OutcomeKind.STATUS, status=200)
        for number, name in enumerate(names)
    )


TWINS = attempts(["mp-run-twin-0123456789"], Phase.TWIN)


def prove(
    logged: Logged,
    case: Case = CASE,
    *,
    twins: tuple[Attempt, ...] = (),
    external: ExternalHosts | None = None,
    change: Callable[[FakeRig], None] = lambda _: None,
    own: tuple[Attempt, ...] = (),
) -> list[Finding]:
    rig = FakeRig(lambda _, name: answered(200, name), external=external)
    rig.servers = [replace(SERVER_POD, ip="10.0.0.9")]
    change(rig)
    for name in NAMES:
        logged(rig, name)
    running: Any = SimpleNamespace(rig=rig, since=0.0, changed_at=0.0, settled=())
    seen: Any = SimpleNamespace(attempts=own or attempts(NAMES), last=answered(200, NAMES[-1]), duration_s=0.1)
    made = ProvingCase(running=running, case=case, seen=seen, since=time.monotonic(), attempts=list(twins))
    made.twin = TwinProof("X-1", Verdict.PASS, "200", "200", "t") if case.twin else None
    return steps.application_answered(made)


def verdict(*found: Finding) -> FindingVerdict:
    [finding] = found
    return finding.verdict


def app(rig: FakeRig, name: str) -> None:
    rig.cluster.logs_of.setdefault(("httpbin-1", "httpbin"), []).append(f"served {name}")


def proxy(details: str = "via_upstream", upstream: str = "10.0.0.9:8080", cluster: str = "inbound|8080||") -> Logged:
    def logged(rig: FakeRig, name: str) -> None:
        line = entry(name, "200", details, upstream).replace("inbound|8080||", cluster)
        rig.cluster.logs_of.setdefault(("httpbin-1", SIDECAR), []).append(line)

    return logged


@pytest.mark.parametrize(
    ("logged", "expected"),
    [
        (app, FindingVerdict.PASS),
        (proxy(), FindingVerdict.PASS),
        (proxy(upstream="127.0.0.6:8080"), FindingVerdict.PASS),
        (proxy("direct_response", "-"), FindingVerdict.FAIL),
        (proxy("lua_response", "-"), FindingVerdict.FAIL),
        (proxy(upstream="10.0.0.77:8080"), FindingVerdict.FAIL),  # to another server
        (proxy(upstream="10.0.0.9:8080", cluster="outbound|8000||other"), FindingVerdict.FAIL),  # as a client
        (lambda *_: None, FindingVerdict.FAIL),
    ],
    ids=["application", "sidecar", "loopback", "direct", "lua", "another server", "as a client", "nothing"],
)
def test_an_answer_is_the_applications_if_a_log_shows_that_it_had_the_request(
    logged: Logged, expected: FindingVerdict
) -> None:
    def once(rig: FakeRig) -> None:
        app(rig, TWINS[0].request_id)

    assert verdict(*prove(logged, change=once, twins=TWINS)) is expected


def test_an_applications_log_of_marked_requests_does_not_show_that_an_ordinary_one_was_answered_elsewhere() -> None:
    """The sidecar's log is off: the application has what the harness marked, and nothing shows what it did not mark."""
    own = tuple(replace(one, ordinary=number == 0) for number, one in enumerate(attempts(NAMES)))

    def marked(rig: FakeRig, name: str) -> None:
        if name != NAMES[0]:
            app(rig, name)

    found = prove(marked, own=own)
    assert verdict(*found) is FindingVerdict.INCONCLUSIVE, found


GONE = replace(SERVER_POD, name="httpbin-0", ip="10.0.0.8")


@pytest.mark.parametrize(
    ("left_at", "expected"), [(1.0, FindingVerdict.INCONCLUSIVE), (-1.0, FindingVerdict.FAIL)], ids=["others", "ours"]
)
def test_a_pod_that_has_gone_since_may_have_answered(left_at: float, expected: FindingVerdict) -> None:
    """Its log is not looked at; where the run itself has taken it away before, it had none of the requests."""

    def change(rig: FakeRig) -> None:
        app(rig, TWINS[0].request_id)
        rig.left = {GONE: left_at}

    [found] = prove(lambda *_: None, change=change, twins=TWINS)
    assert found.verdict is expected
    assert ("mtls-service/httpbin-0 was ready" in found.text) is (expected is FindingVerdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("to", "expected"), [("10.0.0.8", FindingVerdict.INCONCLUSIVE), ("10.0.0.77", FindingVerdict.FAIL)]
)
def test_what_the_client_sent_to_a_pod_that_has_gone_since_was_not_sent_elsewhere(
    to: str, expected: FindingVerdict
) -> None:
    def sent_on(rig: FakeRig, name: str) -> None:
        line = entry(name, "200", "via_upstream", f"{to}:8080").replace("inbound|", "outbound|")
        rig.cluster.logs_of.setdefault(("sleep-1", SIDECAR), []).append(line)

    assert verdict(*prove(sent_on, change=lambda rig: rig.left.update({GONE: 1.0}))) is expected


def test_without_any_ready_pod_a_pod_that_has_gone_since_may_have_answered() -> None:
    def change(rig: FakeRig) -> None:
        rig.servers, rig.left = [], {GONE: 1.0}

    assert verdict(*prove(lambda *_: None, change=change)) is FindingVerdict.INCONCLUSIVE


def test_a_log_that_cannot_be_read_at_the_moment_does_not_show_that_something_else_answered() -> None:
    """Of two replicas one has all that is known, and the stream of the other one's log is cut."""

    def change(rig: FakeRig) -> None:
        app(rig, TWINS[0].request_id)
        second = replace(SERVER_POD, name="httpbin-2")
        rig.servers.append(second)
        rig.logs.of(logs.LogSource(second, "httpbin"), 0.0).trouble("the API server is away")

    [found] = prove(lambda *_: None, change=change, twins=TWINS)
    assert found.verdict is FindingVerdict.INCONCLUSIVE
    assert "the API server is away" in found.text


def test_a_line_of_which_only_a_part_is_there_does_not_show_that_something_else_answered() -> None:
    def cut(rig: FakeRig, name: str) -> None:
        line = entry(name, "200", "via_upstream", "10.0.0.9:8080")
        parts = (line,) if name != NAMES[0] else (line[:90], "info\txdsproxy\tconnected", line[90:])
        rig.cluster.logs_of.setdefault(("httpbin-1", SIDECAR), []).extend(parts)

    [found] = prove(cut)
    assert found.verdict is FindingVerdict.INCONCLUSIVE
    assert "has 1 torn line" in found.text


def test_a_request_from_before_the_change_does_not_show_that_the_log_is_still_written() -> None:
    earlier = attempts(["mp-run-earlier-0123456789"], Phase.BASELINE)

    def once(rig: FakeRig) -> None:
        app(rig, earlier[0].request_id)

    found = prove(lambda *_: None, change=once, twins=earlier)
    assert verdict(*found) is FindingVerdict.INCONCLUSIVE, found


@pytest.mark.parametrize(
    ("app_label", "stated", "expected"),
    [
        ("httpbin", "", FindingVerdict.PASS),
        ("impostor", "", FindingVerdict.FAIL),
        ("", "", FindingVerdict.FAIL),
        ("http", "", FindingVerdict.FAIL),  # the beginning of the name, but not of one of its words
        ("channels", "channels", FindingVerdict.PASS),
        ("httpbin", "channels", FindingVerdict.FAIL),
    ],
)
def test_the_pods_behind_the_service_are_those_of_the_workload_that_is_meant(
    app_label: str, stated: str, expected: FindingVerdict
) -> None:
    def led(rig: FakeRig) -> None:
        rig.servers = [replace(SERVER_POD, ip="10.0.0.9", labels={"app": app_label} if app_label else {})]

    case = replace(CASE, probe=CLIENT.get(IP, workload=stated))
    assert verdict(*prove(app, case, change=led)) is expected


def test_a_further_service_of_a_workload_has_a_name_that_begins_with_its() -> None:
    case = replace(CASE, probe=CLIENT.get("http://httpbin-headless.mtls-service:8000/ip"))
    assert verdict(*prove(app, case)) is FindingVerdict.PASS


def test_logs_that_show_no_request_at_all_prove_nothing() -> None:
    assert verdict(*prove(lambda *_: None)) is FindingVerdict.INCONCLUSIVE


@pytest.mark.parametrize("upstream", ["-", "10.0.0.77:8080"])
def test_an_answer_that_the_clients_proxy_did_not_get_from_the_server_fails(upstream: str) -> None:
    def logged(rig: FakeRig, name: str) -> None:
        line = entry(name, "200", "direct_response", upstream).replace("inbound|8080||", "outbound|8000||httpbin")
        rig.cluster.logs_of.setdefault(("sleep-1", SIDECAR), []).append(line)

    assert verdict(*prove(logged)) is FindingVerdict.FAIL


@pytest.mark.parametrize("upstream", ["10.0.0.9:9000", "-"])
def test_a_connection_is_found_by_its_addresses_where_no_proxy_sees_a_request(upstream: str) -> None:
    def logged(rig: FakeRig, name: str) -> None:
        number = name.split("-")[2]
        line = (
            f'[2026-11-22T16:00:00.000Z] "- - -" 0 - - - "-" 0 0 1 - "-" "-" "-" "-" "{upstream}" '
            f"inbound|9000|| - 10.0.0.9:9000 10.0.0.5:4{number} - -"
        )
        rig.cluster.logs_of.setdefault(("httpbin-1", SIDECAR), []).append(line)

    def plain_client(rig: FakeRig) -> None:
        rig.pods = lambda _: [Pod("legacy-client", "sleep-1", "10.0.0.5", containers=("sleep",))]  # type: ignore[method-assign]

    expected = FindingVerdict.FAIL if upstream == "-" else FindingVerdict.PASS
    assert verdict(*prove(logged, change=plain_client)) is expected


@pytest.mark.parametrize(
    ("upstream", "expected"),
    [
        ("[fd00::9]:8080", FindingVerdict.PASS),
        ("[fd00:0:0::9]:8080", FindingVerdict.PASS),
        ("10.0.0.9:8080", FindingVerdict.PASS),  # a pod of a dual-stack cluster has both
        ("[::1]:8080", FindingVerdict.PASS),
        ("[fd00::77]:8080", FindingVerdict.FAIL),
        ("-", FindingVerdict.FAIL),
    ],
)
def test_a_pod_of_ipv6_is_its_applications_address(upstream: str, expected: FindingVerdict) -> None:
    def logged(rig: FakeRig, name: str) -> None:
        line = entry(name, "200", "via_upstream", upstream)
        rig.cluster.logs_of.setdefault(("httpbin-1", SIDECAR), []).append(line)

    def dual_stack(rig: FakeRig) -> None:
        rig.servers = [replace(SERVER_POD, ip="fd00::9", more_ips=("10.0.0.9",))]

    assert verdict(*prove(logged, change=dual_stack)) is expected


def test_one_request_that_the_application_did_not_have_fails() -> None:
    found = prove(lambda rig, name: None if "-1-" in name else app(rig, name))
    assert verdict(*found) is FindingVerdict.FAIL
    assert "1 of 3 requests are not in the log" in found[0].text


def test_an_answer_without_any_server_is_from_elsewhere() -> None:
    assert verdict(*prove(app, change=lambda rig: rig.servers.clear())) is FindingVerdict.FAIL
    elsewhere = Case("X-1", CLIENT.get("http://elsewhere/"), status(200))
    assert verdict(*prove(app, elsewhere)) is FindingVerdict.INCONCLUSIVE


def test_where_nothing_logs_requests_it_is_not_checked() -> None:
    def silent(rig: FakeRig) -> None:
        rig.mesh = MeshInfo("istio")

    assert verdict(*prove(lambda *_: None, change=silent)) is FindingVerdict.NOT_CHECKED


@pytest.mark.parametrize(
    ("late_s", "expected"), [(0.15, FindingVerdict.PASS), (60.0, FindingVerdict.FAIL)], ids=["late", "never"]
)
def test_an_applications_log_that_lags_is_waited_for(
    late_s: float, expected: FindingVerdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without access logs it is asked first whether the application logs at all, which takes little time to see."""
    monkeypatch.setattr(steps, "LOG_BUDGET_S", 0.4)

    def logged(rig: FakeRig, name: str) -> None:
        if name != NAMES[-1]:
            app(rig, name)

    def change(rig: FakeRig) -> None:
        rig.mesh = MeshInfo("istio")
        late = threading.Timer(late_s, lambda: app(rig, NAMES[-1]))
        late.daemon = True
        late.start()

    assert verdict(*prove(logged, change=change)) is expected


def test_a_log_with_a_gap_proves_nothing() -> None:
    def gap(rig: FakeRig, name: str) -> None:
        app(rig, name)
        rig.logs.of(logs.LogSource(rig.servers[0], SIDECAR), 0.0).broken("restarted")

    assert verdict(*prove(gap)) is FindingVerdict.INCONCLUSIVE


def test_the_twin_is_proven_too() -> None:
    case = Case("X-2", CLIENT.get(IP), rbac_denied(), twin=CLIENT.get(IP, token="valid"))
    found = prove(lambda rig, _: app(rig, "mp-run-twin-0123456789"), case, twins=TWINS)
    assert (found[0].name, verdict(*found)) == ("twin answered by", FindingVerdict.PASS)
    known = prove(lambda rig, name: app(rig, name), case, twins=TWINS)  # the log shows others of the run
    assert verdict(*known) is FindingVerdict.FAIL


def test_a_proxy_that_has_to_answer_by_itself_is_stated() -> None:
    assert prove(lambda *_: None, replace(CASE, probe=replace(CASE.probe, answered_by=Proxy.CLIENT))) == []


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("198.51.100.10:80", FindingVerdict.PASS),
        ("198.51.100.20:80", FindingVerdict.FAIL),
        ("", FindingVerdict.FAIL),
        ("[2001:db8::10]:80", FindingVerdict.PASS),
        ("[2001:db8::20]:80", FindingVerdict.FAIL),
    ],
)
def test_an_external_host_answers_at_its_own_address(tmp_path: Path, local: str, expected: FindingVerdict) -> None:
    lines = [json.dumps({"request_id": name, "peer": "10.0.0.5:4000", "local": local}) for name in NAMES]
    (tmp_path / "log").write_text("\n".join(lines if local else []))
    external = replace(HOSTS, log=HostLog(tmp_path / "log"), more={"example.com": ["2001:db8:0::10"]})
    found = prove(lambda *_: None, OUTWARD, external=external)
    assert verdict(*found) is expected


def test_without_the_external_hosts_log_it_is_not_checked() -> None:
    assert verdict(*prove(lambda *_: None, OUTWARD, external=HOSTS)) is FindingVerdict.NOT_CHECKED


def test_a_stated_arrival_is_proven_by_its_own_step() -> None:
    stated = replace(OUTWARD, arrival=ServerLogExpectation(CLIENT, server="httpbin.org"))
    assert prove(lambda *_: None, stated, external=HOSTS) == []


def test_requests_like_any_users_are_looked_for_where_logs_have_their_ids() -> None:
    """An application's log has the user agent only; a sidecar's has the id."""

    def all_but_one(rig: FakeRig, name: str) -> None:
        if "-1-" not in name:
            app(rig, name)

    ordinary = tuple(replace(one, ordinary="-1-" in one.request_id) for one in attempts(NAMES))

    def no_sidecar(rig: FakeRig) -> None:
        rig.servers = [replace(rig.servers[0], containers=("httpbin",))]

    assert verdict(*prove(all_but_one, own=ordinary, change=no_sidecar)) is FindingVerdict.PASS
    assert verdict(*prove(all_but_one, own=ordinary)) is FindingVerdict.INCONCLUSIVE  # the sidecar's log may be off
    shown = prove(lambda rig, name: None if "-1-" in name else proxy()(rig, name), own=ordinary)
    assert verdict(*shown) is FindingVerdict.FAIL
    lost = tuple(replace(one, ordinary=True) for one in ordinary)
    assert verdict(*prove(app, own=lost, change=no_sidecar)) is FindingVerdict.INCONCLUSIVE
