"""A denial is proven at the proxy that has to refuse: by which mechanism, by which policy, for every request."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, CLIENT_POD, SERVER_POD, FakeRig, answered, broken, entry

from clients.kube.pods import SIDECAR, Pod, addresses_of
from clients.mesh.access_logs import logs
from clients.mesh.access_logs.accesslog import parse
from clients.mesh.discovery import MeshInfo
from clients.mesh.external_hosts import ExternalHosts
from clients.mesh.policies import EnforcedPolicy
from clients.model.attempt import Attempt, Phase
from clients.model.case import Case
from clients.model.decision import Decision, Mechanism, Proxy
from clients.model.evidence import Finding, FindingVerdict, TwinProof, Verdict
from clients.model.expect import RBAC_DENIED, Expectation, no_reply, rbac_denied, reset, status
from clients.model.log_expectations import AccessLogExpectation
from clients.model.outcome import Outcome, OutcomeKind
from clients.model.probe import Probe
from clients.probe.outside import through
from clients.proof.logs import complete_logs, mechanism
from clients.proof.proving import ProvingCase
from clients.proof.steps import decided

pytestmark = pytest.mark.unit

IP = "http://httpbin.mtls-service:8000/ip"
REFUSED, ALLOWED = CLIENT.get(IP), CLIENT.get(IP, token="valid")
DENIAL = Case("X-2", REFUSED, rbac_denied(), twin=ALLOWED)
BY_POLICY = "rbac_access_denied_matched_policy[ns[mtls-service]-policy[deny-admin]-rule[0]]"
BY_NONE = "rbac_access_denied_matched_policy[none]"
DENY, ALLOW = EnforcedPolicy("mtls-service/deny-admin", "DENY"), EnforcedPolicy("mtls-service/require-jwt", "ALLOW")
MARKER = "meshproof-marker-0a1b2c-httpbin"
THE_MARKER = EnforcedPolicy(f"mtls-service/{MARKER}", "DENY")
PLAIN_POD = Pod("legacy-client", "sleep-1", "10.0.0.5", containers=("sleep",), ready=True)
OUTSIDE = through(CLIENT)

Logged = Callable[[FakeRig, str], None]


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complete_logs, "LOG_BUDGET_S", 0.1)
    monkeypatch.setattr(decided, "FLUSHED_S", 0.02)
    monkeypatch.setattr(logs, "AGAIN_S", 0.005)


def log(rig: FakeRig, line: str, pod: str = "httpbin-1") -> None:
    rig.cluster.logs_of.setdefault((pod, SIDECAR), []).append(line)


def tcp(
    remote: str,
    flags: str,
    details: str,
    cluster: str = "-",
    upstream: str = '"-"',
    *,
    status: int = 0,
    own: str = "-",
    dialled: str = "10.0.0.9:8080",
) -> str:
    """A line of a connection; `own` is the proxy's own end of that to the upstream, `dialled` what the client asked."""
    return (
        f'[2026-11-22T16:00:00.000Z] "- - -" {status} {flags} {details} - "-" 0 0 1 - "-" "-" "-" "-" {upstream} '
        f"{cluster} {own} {dialled} {remote} - -"
    )


def prove(
    logged: Logged,
    case: Case = DENIAL,
    *,
    outcome: Callable[[str], Outcome] = lambda name: answered(403, name, RBAC_DENIED),
    policies: tuple[EnforcedPolicy, ...] = (),
    client: Pod = CLIENT_POD,
    external: bool = False,
    access_log: bool = True,
    count: int = 3,
    changed_at: Callable[[], float] = lambda: 0.0,
    left: tuple[Pod, ...] = (),
    new: tuple[Pod, ...] = (),
) -> Finding | None:
    """The finding about refused requests, which `logged` writes to the logs as the mesh would have.

    Args:
        left: pods that were ready when the case began, and are not any more.
        new: pods of the gateway that were not known before.
    """
    rig = FakeRig(lambda _, name: answered(200, name), in_force=set(policies))
    rig.left, rig.new = dict.fromkeys(left, 1.0), list(new)
    rig.pods = lambda _: [client]  # type: ignore[method-assign]
    rig.external = ExternalHosts({"example.com": "198.51.100.10"}) if external else None
    rig.mesh = rig.mesh if access_log else MeshInfo("istio")
    names = [f"mp-run-{number}-0123456789" for number in range(count)]
    for name in names:
        logged(rig, name)
    last = outcome(names[-1])
    attempts = tuple(
        Attempt(0.1, Phase.CONFIRM, True, "x", name, local=f"10.0.0.5:4{number}", kind=last.kind)
        for number, name in enumerate(names)
    )
    running: Any = SimpleNamespace(rig=rig, since=0.0, changed_at=changed_at())
    seen: Any = SimpleNamespace(attempts=attempts, last=last, duration_s=0.1)
    made = ProvingCase(running=running, case=case, seen=seen, since=time.monotonic())
    made.twin = TwinProof("X-1", Verdict.PASS, "200", "200", "t")
    found = decided.refused_by_policy(made)
    return found[0] if found else None


def by(details: str, status: str = "403", upstream: str = "-") -> Logged:
    return lambda rig, name: log(rig, entry(name, status, details, upstream))


@pytest.mark.parametrize(
    ("details", "policies", "verdict"),
    [
        (BY_NONE, (ALLOW,), FindingVerdict.PASS),
        (BY_POLICY, (DENY,), FindingVerdict.PASS),
        (BY_POLICY, (DENY, ALLOW), FindingVerdict.PASS),
        (BY_NONE, (DENY,), FindingVerdict.FAIL),  # no policy allows anything, so `none` cannot be why
        (BY_POLICY, (ALLOW,), FindingVerdict.FAIL),
        (BY_NONE, (), FindingVerdict.FAIL),  # a filter that was added does what no policy states
        (BY_POLICY, (), FindingVerdict.FAIL),
        (BY_POLICY.replace("deny-admin", "deny-all"), (DENY,), FindingVerdict.FAIL),
        (BY_POLICY.replace("deny-admin", MARKER), (DENY, ALLOW, THE_MARKER), FindingVerdict.FAIL),
        ("jwt_authn_access_denied{Jwt_is_expired}", (ALLOW,), FindingVerdict.FAIL),
        ("lua_response", (ALLOW,), FindingVerdict.FAIL),
        ("fault_filter_abort", (ALLOW,), FindingVerdict.FAIL),
        ("via_upstream", (ALLOW,), FindingVerdict.FAIL),
    ],
)
def test_the_policy_that_refused_is_one_that_is_in_force_there(
    details: str, policies: tuple[EnforcedPolicy, ...], verdict: FindingVerdict
) -> None:
    found = prove(by(details), policies=policies)
    assert found is not None
    assert found.verdict is verdict, found.text
    if verdict is FindingVerdict.PASS:
        assert "3 requests refused by AuthorizationPolicy" in found.text
        assert "mtls-service/httpbin-1" in found.text


def test_a_request_that_was_sent_on_was_not_refused() -> None:
    found = prove(by(BY_NONE, upstream="10.0.0.9:8080"), policies=(ALLOW,))
    assert found is not None
    assert found.verdict is FindingVerdict.FAIL


def test_a_refusal_that_only_the_clients_sidecar_knows_of_fails() -> None:
    """The server's log is complete up to a later request of the twin, and does not have the refused ones."""
    found = prove(lambda rig, name: log(rig, entry(name, "403", BY_NONE, "-"), "sleep-1"), policies=(ALLOW,))
    assert found is not None
    assert found.verdict is FindingVerdict.FAIL
    assert "whose log does not have them" in found.text


@pytest.mark.parametrize("change", ["left", "new"])
def test_the_entry_may_be_in_the_log_of_a_pod_that_is_not_looked_at(change: str) -> None:
    pod = replace(SERVER_POD, name="httpbin-0")
    found = prove(lambda *_: None, policies=(ALLOW,), **{change: (pod,)})  # type: ignore[arg-type]
    assert found is not None
    assert found.verdict is FindingVerdict.INCONCLUSIVE
    assert "mtls-service/httpbin-0 was" in found.text


def test_a_line_of_which_only_a_part_is_there_may_be_the_entry() -> None:
    """A line of the proxy's agent came between its halves: the mesh did refuse."""

    def cut(rig: FakeRig, name: str) -> None:
        line = entry(name, "403", BY_NONE, "-")
        for part in (line,) if "-1-" not in name else (line[:90], "info\txdsproxy\tconnected", line[90:]):
            log(rig, part)

    found = prove(cut, policies=(ALLOW,))
    assert found is not None
    assert found.verdict is FindingVerdict.INCONCLUSIVE
    assert "the log of mtls-service/httpbin-1 has 1 torn line" in found.text


def test_where_the_only_server_is_not_ready_any_more_no_proxy_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A readiness probe that failed for a moment, on a busy node."""
    monkeypatch.setattr(FakeRig, "backends", lambda *_: [])
    plain = replace(DENIAL, expect=reset())
    found = prove(lambda *_: None, plain, outcome=lambda name: broken(56, name), client=PLAIN_POD, left=(SERVER_POD,))
    assert found is not None
    assert found.verdict is FindingVerdict.INCONCLUSIVE


def test_one_request_without_an_entry_fails() -> None:
    def all_but_one(rig: FakeRig, name: str) -> None:
        if "-1-" not in name:
            by(BY_NONE)(rig, name)

    found = prove(all_but_one, policies=(ALLOW,))
    assert found is not None
    assert found.verdict is FindingVerdict.FAIL
    assert "1 of 3 refused requests were not refused" in found.text


def test_a_log_that_shows_no_later_request_of_the_twin_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeRig, "arrive", lambda *_: None)
    found = prove(lambda *_: None, policies=(ALLOW,))
    assert found is not None
    assert found.verdict is FindingVerdict.INCONCLUSIVE


def test_a_log_with_a_gap_proves_nothing() -> None:
    def then_broken(rig: FakeRig, name: str) -> None:
        by(BY_NONE)(rig, name)
        rig.logs.of(logs.LogSource(SERVER_POD, SIDECAR), 0.0).broken("the pod was restarted")

    found = prove(then_broken, policies=(ALLOW,))
    assert found is not None
    assert found.verdict is FindingVerdict.INCONCLUSIVE


def test_without_an_access_log_it_is_not_checked() -> None:
    found = prove(by(BY_NONE), access_log=False)
    assert found is not None
    assert found.verdict is FindingVerdict.NOT_CHECKED


TO_STRICT = replace(DENIAL, expect=reset())


@pytest.mark.parametrize(
    ("flags", "details", "verdict"),
    [
        ("NR", "filter_chain_not_found", FindingVerdict.PASS),
        ("UF", "-", FindingVerdict.FAIL),
        ("-", "-", FindingVerdict.FAIL),
    ],
)
def test_strict_refuses_plaintext_for_want_of_a_filter_chain(flags: str, details: str, verdict: FindingVerdict) -> None:
    def logged(rig: FakeRig, name: str) -> None:
        number = name.split("-")[2]
        log(rig, tcp(f"10.0.0.5:4{number}", flags, details))

    found = prove(logged, TO_STRICT, outcome=lambda name: broken(56, name), client=PLAIN_POD)
    assert found is not None
    assert found.verdict is verdict, found.text


def test_a_client_that_its_own_sidecar_does_not_redirect_connects_itself() -> None:
    def logged(rig: FakeRig, name: str) -> None:
        log(rig, tcp(f"10.0.0.5:4{name.split('-')[2]}", "NR", "filter_chain_not_found"))

    found = prove(logged, TO_STRICT, outcome=lambda name: broken(56, name))
    assert found is not None
    assert found.verdict is FindingVerdict.PASS, found.text


def test_a_client_inside_may_be_refused_by_the_gateway_that_it_dials(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Pod("ingress", "door-1", "10.0.0.8", containers=(SIDECAR,), ready=True)
    monkeypatch.setattr(FakeRig, "backends", lambda rig, probe: [SERVER_POD] if probe.behind else [door])
    case = replace(DENIAL, probe=CLIENT.get("http://door.ingress/ip", behind="httpbin.mtls-service"))
    found = prove(lambda rig, name: log(rig, entry(name, "403", BY_NONE, "-"), "door-1"), case, policies=(ALLOW,))
    assert found is not None
    assert found.verdict is FindingVerdict.PASS, found.text


NO_HTTP = replace(DENIAL, expect=status(400))


@pytest.mark.parametrize(
    ("at_client", "at_server", "upstream", "verdict"),
    [
        ("DPE", "", "", FindingVerdict.PASS),
        # the client's sidecar detects no HTTP, and hands the connection on: to a pod, or to the Service's address
        ("-", "DPE", "10.0.0.9:8080", FindingVerdict.PASS),
        ("-", "DPE", "10.96.0.7:8000", FindingVerdict.PASS),
        ("-", "-", "10.0.0.9:8080", FindingVerdict.FAIL),
        ("-", "UF", "10.96.0.7:8000", FindingVerdict.FAIL),
        ("-", "DPE", "10.0.0.8:8080", FindingVerdict.FAIL),  # to another pod: the server's entry is of another request
    ],
)
def test_what_is_no_http_is_refused_by_the_first_proxy_that_parses_it(
    at_client: str, at_server: str, upstream: str, verdict: FindingVerdict
) -> None:
    def logged(rig: FakeRig, name: str) -> None:
        number = name.split("-")[2]
        client = f"10.0.0.5:4{number}"
        if at_client == "DPE":
            log(rig, tcp(client, "DPE", "http1.codec_error", status=400), "sleep-1")
            return
        own, dialled = f"10.0.0.5:5{number}", "10.96.0.7:8000"
        log(rig, tcp(client, at_client, "-", "passed-on", f'"{upstream}"', own=own, dialled=dialled), "sleep-1")
        log(rig, tcp(own, at_server, "http1.codec_error", status=400))

    found = prove(logged, NO_HTTP, outcome=lambda name: answered(400, name))
    assert found is not None
    assert found.verdict is verdict, found.text


OPENED = EnforcedPolicy("mtls-service/meshproof-open-mesh-0", "ALLOW")


@pytest.mark.parametrize(
    ("pod", "server", "verdict"),
    [
        ("door-1", {ALLOW, OPENED}, FindingVerdict.PASS),
        (SERVER_POD.name, {ALLOW, OPENED}, FindingVerdict.FAIL),
        (SERVER_POD.name, set[EnforcedPolicy](), FindingVerdict.FAIL),
    ],
)
def test_what_a_gateway_may_refuse_by_is_not_what_an_opened_server_may(
    monkeypatch: pytest.MonkeyPatch, pod: str, server: set[EnforcedPolicy], verdict: FindingVerdict
) -> None:
    """The server refuses as long as the policy that opens it has not come, and that is not the gateway's denial."""
    door = Pod("ingress", "door-1", "10.0.0.8", containers=(SIDECAR,), ready=True)
    by_pod = SimpleNamespace(at=lambda pods, _: set().union(*({ALLOW} if pod == door else server for pod in pods)))
    monkeypatch.setattr(FakeRig, "backends", lambda rig, probe: [SERVER_POD] if probe.behind else [door])
    monkeypatch.setattr(FakeRig, "policies", by_pod)
    case = replace(DENIAL, probe=CLIENT.get("http://door.ingress/ip", behind="httpbin.mtls-service"))
    found = prove(lambda rig, name: log(rig, entry(name, "403", BY_NONE, "-"), pod), case)
    assert found is not None
    assert found.verdict is verdict, found.text


def test_a_reset_that_the_servers_proxy_knows_nothing_of_fails() -> None:
    found = prove(lambda *_: None, TO_STRICT, outcome=lambda name: broken(56, name), client=PLAIN_POD)
    assert found is not None
    assert found.verdict is FindingVerdict.FAIL


def test_a_server_without_a_proxy_cannot_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Service without selector, for instance: where it leads is not a pod of the mesh that is known."""
    monkeypatch.setattr(FakeRig, "backends", lambda *_: [])
    found = prove(lambda *_: None, TO_STRICT, outcome=lambda name: broken(56, name), client=PLAIN_POD)
    assert found is not None
    assert found.verdict is FindingVerdict.FAIL
    assert "no proxy on the way" in found.text


@pytest.mark.parametrize(("entries", "verdict"), [(3, FindingVerdict.PASS), (2, FindingVerdict.FAIL)])
def test_connections_from_outside_are_counted_where_their_addresses_are_translated(
    entries: int, verdict: FindingVerdict
) -> None:
    def logged(rig: FakeRig, name: str) -> None:
        if int(name.split("-")[2]) < entries:
            log(rig, tcp(f"172.16.0.1:5{name[7]}", "NR", "filter_chain_not_found"))

    case = replace(TO_STRICT, probe=Probe(OUTSIDE, IP))
    found = prove(logged, case, outcome=lambda name: broken(56, name), client=SERVER_POD)
    assert found is not None
    assert found.verdict is verdict, found.text


FROM_OUTSIDE = replace(TO_STRICT, probe=Probe(OUTSIDE, IP))


def test_connections_that_were_refused_before_the_case_began_are_none_of_its_own() -> None:
    """What the stage settled on was refused just so, and a firewall refuses the case's: the proxy saw none of them."""

    def before(rig: FakeRig, _: str) -> None:
        log(rig, tcp("172.16.0.1:51", "NR", "filter_chain_not_found"))
        rig.logs.of(logs.LogSource(SERVER_POD, SIDECAR), 0.0)

    found = prove(before, FROM_OUTSIDE, outcome=lambda name: broken(56, name), client=SERVER_POD)
    assert found is not None
    assert found.verdict is FindingVerdict.FAIL, found.text


@pytest.mark.parametrize("late", [DENIAL, FROM_OUTSIDE], ids=["inside", "outside"])
def test_entries_that_come_as_late_as_the_twins_are_found(monkeypatch: pytest.MonkeyPatch, late: Case) -> None:
    """On a busy machine a proxy's log is behind by more than is waited for at first."""
    written: list[str] = []
    arrive = FakeRig.arrive

    def later(rig: FakeRig, request_id: str) -> None:
        while written:
            log(rig, written.pop())
        arrive(rig, request_id)

    def logged(_: FakeRig, name: str) -> None:
        refused = tcp(f"10.0.0.5:4{name[7]}", "NR", "filter_chain_not_found")
        written.append(entry(name, "403", BY_NONE, "-") if late is DENIAL else refused)

    monkeypatch.setattr(FakeRig, "arrive", later)
    outcome = partial(answered, 403, body=RBAC_DENIED) if late is DENIAL else partial(broken, 56)
    client = CLIENT_POD if late is DENIAL else SERVER_POD
    found = prove(logged, late, outcome=lambda name: outcome(request_id=name), policies=(ALLOW,), client=client)
    assert found is not None
    assert found.verdict is FindingVerdict.PASS, found.text


@pytest.mark.parametrize(
    ("remapped", "ports", "verdict"),
    [
        (2, ("10.0.0.5:17579", "10.0.0.5:26008"), FindingVerdict.PASS),
        (2, ("10.0.0.5:17579",), FindingVerdict.FAIL),
        (1, ("10.0.0.77:17579",), FindingVerdict.FAIL),  # another client's
        (3, ("10.0.0.5:17579", "10.0.0.5:26008", "10.0.0.5:26009"), FindingVerdict.FAIL),  # more than a few
    ],
)
def test_a_few_connections_may_come_from_another_port(
    remapped: int, ports: tuple[str, ...], verdict: FindingVerdict
) -> None:
    """netfilter changes the port of a redirected connection whose own is tracked for another port of the server."""

    def logged(rig: FakeRig, name: str) -> None:
        number = int(name.split("-")[2])
        if number >= remapped:
            log(rig, tcp(f"10.0.0.5:4{number}", "NR", "filter_chain_not_found"))
        elif number < len(ports):
            log(rig, tcp(ports[number], "NR", "filter_chain_not_found"))

    found = prove(logged, TO_STRICT, outcome=lambda name: broken(56, name), client=PLAIN_POD, count=8)
    assert found is not None
    assert found.verdict is verdict, found.text


GONE = BY_POLICY.replace("deny-admin", "keep-out")


def over(connection: int, line: str) -> str:
    """The line of a request over this connection of the client's sidecar."""
    return line.replace("- - - - default", f"- 10.0.0.9:8080 10.0.0.5:7{connection} - default")


@pytest.mark.parametrize(
    ("stale", "before", "details", "verdict"),
    [
        (1, True, GONE, FindingVerdict.PASS),
        (2, True, GONE, FindingVerdict.PASS),
        (3, True, GONE, FindingVerdict.FAIL),  # more than a quarter: the proxy itself is old
        (1, False, GONE, FindingVerdict.FAIL),  # a new connection
        (1, True, "lua_response", FindingVerdict.FAIL),  # by no policy
    ],
)
def test_an_old_connection_is_answered_by_the_policies_of_before(
    stale: int, before: bool, details: str, verdict: FindingVerdict
) -> None:
    """The client's sidecar took a connection from its pool that the proxy still serves by its old filter chain."""

    def logged(rig: FakeRig, name: str) -> None:
        number = int(name.split("-")[2])
        if number == 0:  # idle connections of the stage before
            for one in range(stale if before else 0):
                log(rig, over(one, entry("mp-run-before", "403", GONE, "-")))
            rig.logs.of(logs.LogSource(SERVER_POD, SIDECAR), 0.0)
        log(rig, over(number, entry(name, "403", details if number < stale else BY_POLICY, "-")))

    found = prove(logged, policies=(DENY,), count=8, changed_at=time.monotonic)
    assert found is not None
    assert found.verdict is verdict, found.text
    assert ("over connections from before the change" in found.text) is (verdict is FindingVerdict.PASS)


@pytest.mark.parametrize("seen", [False, True])
def test_behind_a_network_policy_no_proxy_sees_the_connection(seen: bool) -> None:
    def logged(rig: FakeRig, name: str) -> None:
        if seen:
            log(rig, entry(name, "200", "-", "10.0.0.9:8080"))

    case = replace(DENIAL, expect=no_reply(OutcomeKind.CONNECT_TIMEOUT))
    found = prove(logged, case, outcome=lambda name: broken(7, name), client=PLAIN_POD)
    assert found is not None
    assert found.verdict is (FindingVerdict.FAIL if seen else FindingVerdict.PASS)


def test_a_gateway_that_saw_the_connection_was_not_shut_off_by_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that a pod dials was not looked at, only what is behind it."""
    door = Pod("ingress", "door-1", "10.0.0.8", containers=(SIDECAR,), ready=True)
    monkeypatch.setattr(FakeRig, "backends", lambda rig, probe: [SERVER_POD] if probe.behind else [door])
    probe = CLIENT.get("http://door.ingress/ip", behind="httpbin.mtls-service")
    case = replace(DENIAL, probe=probe, expect=no_reply(OutcomeKind.CONNECT_TIMEOUT))

    def seen(rig: FakeRig, name: str) -> None:
        log(rig, entry(name, "403", BY_NONE, "-"), "door-1")

    found = prove(seen, case, outcome=lambda name: broken(7, name), client=PLAIN_POD)
    assert found is not None
    assert found.verdict is FindingVerdict.FAIL


@pytest.mark.parametrize("server", [True, False], ids=["a proxy", "no proxy"])
def test_without_an_access_log_nothing_shows_that_no_proxy_saw_the_connection(
    monkeypatch: pytest.MonkeyPatch, server: bool
) -> None:
    """Its silence counted in full; where no proxy is behind the network, none can have seen it."""
    monkeypatch.setattr(FakeRig, "backends", lambda *_: [SERVER_POD] if server else [])
    case = replace(DENIAL, expect=no_reply(OutcomeKind.CONNECT_TIMEOUT))
    found = prove(lambda *_: None, case, outcome=lambda name: broken(7, name), client=PLAIN_POD, access_log=False)
    assert found is not None
    assert found.verdict is (FindingVerdict.NOT_CHECKED if server else FindingVerdict.PASS)


def test_a_log_that_cannot_be_read_at_the_moment_does_not_show_that_no_proxy_saw_it() -> None:
    def cut(rig: FakeRig, _: str) -> None:
        rig.logs.of(logs.LogSource(SERVER_POD, SIDECAR), 0.0).trouble("the API server is away")

    case = replace(DENIAL, expect=no_reply(OutcomeKind.CONNECT_TIMEOUT))
    found = prove(cut, case, outcome=lambda name: broken(7, name), client=PLAIN_POD)
    assert found is not None
    assert (found.verdict, found.text) == (FindingVerdict.INCONCLUSIVE, "the API server is away")


def test_what_cannot_be_derived_is_not_checked_unless_the_case_states_it() -> None:
    case = replace(DENIAL, expect=status(418))
    found = prove(lambda *_: None, case, outcome=lambda name: answered(418, name))
    assert found is not None
    assert found.verdict is FindingVerdict.NOT_CHECKED
    stated = replace(case, logged=(AccessLogExpectation(Proxy.SERVER, details="teapot"),))
    assert prove(lambda *_: None, stated, outcome=lambda name: answered(418, name)) is None
    pinned = replace(case, decided=Decision(Mechanism.AUTHORIZATION, Proxy.SERVER, "mtls-service/deny-admin"))
    found = prove(by(BY_POLICY), pinned, outcome=lambda name: answered(418, name))
    assert found is not None
    assert found.verdict is FindingVerdict.PASS
    found = prove(by(BY_NONE), pinned, outcome=lambda name: answered(418, name))
    assert found is not None
    assert found.verdict is FindingVerdict.FAIL


def test_an_allowed_case_has_no_decision() -> None:
    assert prove(lambda *_: None, Case("X-1", ALLOWED, status(200))) is None


EXPIRED = "jwt_authn_access_denied{Jwt_is_expired}"


@pytest.mark.parametrize(
    ("expect", "body", "outside", "line", "expected"),
    [
        (status(401), "Jwt is expired", False, entry("a", "401", EXPIRED, "-"), True),
        (status(401), "Jwt issuer is not configured", False, entry("a", "401", EXPIRED, "-"), False),
        (status(404), "", True, entry("a", "404", "route_not_found", "-").replace("404 -", "404 NR"), True),
        (status(404), "", True, entry("a", "404", "via_upstream", "10.0.0.7:80"), True),
        (status(404), "", True, entry("a", "404", "via_upstream", "10.0.0.9:80"), False),
        (status(503), "", False, entry("a", "503", "x", "-").replace("503 -", "503 UF,URX"), True),
        (status(503), "", False, entry("a", "503", "fault_filter_abort", "-").replace("503 -", "503 FI"), False),
        (status(400), "", True, entry("a", "400", "http1.codec_error", "-").replace("400 -", "400 DPE"), True),
        (status(502), "", False, entry("a", "502", "direct_response", "-").replace("default", "block_all"), True),
        (status(502), "", False, entry("a", "502", "direct_response", "-"), False),
        (no_reply(OutcomeKind.TLS_ERROR), "", False, tcp("1.2.3.4:5", "UH", "-", "BlackHoleCluster"), True),
        (no_reply(OutcomeKind.TLS_ERROR), "", False, tcp("1.2.3.4:5", "UH", "-", "PassthroughCluster"), False),
        (no_reply(OutcomeKind.CLOSED), "", False, tcp("1.2.3.4:5", "-", BY_NONE, upstream='"10.0.0.9:9000"'), True),
        (no_reply(OutcomeKind.CLOSED), "", False, tcp("1.2.3.4:5", "-", "-", upstream='"10.0.0.9:9000"'), False),
    ],
)
def test_the_mechanism_follows_from_the_outcome(
    expect: Expectation, body: str, outside: bool, line: str, expected: bool
) -> None:
    path = mechanism.Route((CLIENT_POD,), (replace(SERVER_POD, ip="10.0.0.9"),), (), outside, not expect.status)
    found = mechanism.derived(expect, answered(expect.status or 0, "a", body), "GET", path, ())
    assert mechanism.decided(found, None, {"10.0.0.9"}, parse([line])[0]) is expected


@pytest.mark.parametrize(
    ("upstream", "expected"),
    [("[fd00::9]:80", False), ("[fd00:0:0::9]:80", False), ("10.0.0.9:80", False), ("[fd00::7]:80", True)],
)
def test_a_request_that_a_backend_of_ipv6_got_was_not_refused_by_routing(upstream: str, expected: bool) -> None:
    """In brackets the backend's address was none of the backend's, so that a request to it counted as led elsewhere."""
    backend = replace(SERVER_POD, ip="fd00::9", more_ips=("10.0.0.9",))
    decision = Decision(Mechanism.NOT_ROUTED, Proxy.CLIENT)
    got = entry("a", "404", "via_upstream", upstream)
    assert mechanism.decided(decision, None, addresses_of([backend]), parse([got])[0]) is expected

    case = Case("X-2", Probe(OUTSIDE, IP), status(404), twin=ALLOWED, decided=decision)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FakeRig, "backends", lambda *_: [backend])
        logged = partial(log_at_the_gateway, upstream=upstream)
        finding = prove(logged, case, outcome=lambda name: answered(404, name))
    assert finding is not None
    assert finding.verdict is (FindingVerdict.PASS if expected else FindingVerdict.FAIL), finding.text


def log_at_the_gateway(rig: FakeRig, name: str, *, upstream: str) -> None:
    log(rig, entry(name, "404", "via_upstream", upstream), CLIENT_POD.name)


@pytest.mark.parametrize(("own", "verdict"), [("fd00::5", FindingVerdict.FAIL), ("fd00::6", FindingVerdict.PASS)])
def test_a_connection_of_a_pod_of_ipv6_is_none_from_outside(own: str, verdict: FindingVerdict) -> None:
    def logged(rig: FakeRig, name: str) -> None:
        log(rig, tcp(f"[fd00:0::5]:5{name[7]}", "NR", "filter_chain_not_found"))

    client = replace(SERVER_POD, more_ips=(own,))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FakeRig, "backends", lambda *_: [client])
        case = replace(TO_STRICT, probe=Probe(OUTSIDE, IP))
        found = prove(logged, case, outcome=lambda name: broken(56, name), client=client)
    assert found is not None
    assert found.verdict is verdict, found.text


NO_PROXY = no_reply(OutcomeKind.RESET, OutcomeKind.REFUSED)
CUT_OFF = replace(CLIENT_POD, containers=(), cut_off=True)
AT_SERVER = Decision(Mechanism.MUTUAL_TLS, Proxy.SERVER)


@pytest.mark.parametrize(
    ("exit_code", "clients", "expected"),
    [
        (7, (CUT_OFF,), Decision(Mechanism.NETWORK)),
        (7, (CLIENT_POD,), AT_SERVER),
        (7, (CUT_OFF, CLIENT_POD), AT_SERVER),
        (7, (), AT_SERVER),
        (56, (CUT_OFF,), AT_SERVER),
    ],
)
def test_only_a_pod_that_is_cut_off_refuses_itself(
    exit_code: int, clients: tuple[Pod, ...], expected: Decision
) -> None:
    """Istio's CNI plug-in leads an init container to a proxy that does not listen yet: no server has an entry of it.

    Wherever else a connection is refused, the server's proxy still has to say that it did.
    """
    path = mechanism.Route(clients, (SERVER_POD,), (), False, False)
    assert mechanism.derived(NO_PROXY, broken(exit_code, "a"), "GET", path, ()) == expected


def test_what_is_refused_elsewhere_than_in_its_own_pod_needs_the_servers_word() -> None:
    """A network that rejects the connection does not show that the mesh does."""

    def seen(client: Pod, logged: Logged = lambda *_: None) -> FindingVerdict:
        found = prove(logged, replace(DENIAL, expect=NO_PROXY), outcome=lambda name: broken(7, name), client=client)
        assert found is not None
        return found.verdict

    assert seen(CUT_OFF) is FindingVerdict.PASS
    assert seen(CUT_OFF, by("via_upstream", "200", "10.0.0.9:8080")) is FindingVerdict.FAIL, "it did get out"
    assert seen(CLIENT_POD) is not FindingVerdict.PASS


def test_external_authorization_is_known_by_its_policy() -> None:
    path = mechanism.Route((CLIENT_POD,), (SERVER_POD,), (), True, False)
    custom = {EnforcedPolicy("a/b", "CUSTOM")}
    denied = mechanism.derived(status(403), answered(403, "a", "no header"), "GET", path, custom)
    line = entry("a", "403", "ext_authz_denied", "-").replace("403 -", "403 UAEX")
    assert mechanism.decided(denied, None, (), parse([line])[0])
    failed = mechanism.derived(status(403), answered(403, "a"), "GET", path, custom)
    assert not mechanism.decided(failed, None, (), parse([line])[0])
    with pytest.raises(LookupError, match="403"):
        mechanism.derived(status(403), answered(403, "a", "an application's own"), "GET", path, ())


@pytest.mark.parametrize("details", ["ext_authz_denied", "ext_authz_error", "lua_response"])
def test_external_authorization_refuses_head_without_a_text(details: str) -> None:
    """An answer to HEAD has no body, so a denial was taken for a server that had not answered, and blamed the mesh."""
    path = mechanism.Route((CLIENT_POD,), (SERVER_POD,), (), True, False)
    found = mechanism.derived(status(403), answered(403, "a"), "HEAD", path, {EnforcedPolicy("a/b", "CUSTOM")})
    line = entry("a", "403", details, "-").replace("403 -", "403 UAEX")
    assert mechanism.decided(found, None, (), parse([line])[0]) is details.startswith("ext_authz")
