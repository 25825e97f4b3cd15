"""What is let in was answered by the application, and not by another server while it had a copy."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, SERVER_POD, SERVICE_ADDRESS, FakeRig, answered, entry

from clients.kube.pods import SIDECAR, Pod
from clients.mesh.discovery import MeshInfo
from clients.mesh.external_hosts import ExternalHosts
from clients.mesh.host_log import HostLog
from clients.model.attempt import Attempt, Phase
from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.evidence import Evidence, Finding, FindingVerdict, Subject, Verdict
from clients.model.expect import status
from clients.model.log_expectations import ServerLogExpectation
from clients.model.outcome import OutcomeKind
from clients.proof.steps import sent_elsewhere
from clients.proof.steps.answered import ANSWERED
from clients.proof.steps.trace import EXTERNAL_LOG

pytestmark = pytest.mark.unit

BY_ANOTHER = ServerLogExpectation(Proxy.GATEWAY, server="httpbin.org")
CASE = Case("X-1", CLIENT.get("http://httpbin.mtls-service:8000/ip"), status(200))
OWN, OTHER, GONE = "10.0.0.9", "10.0.0.77", "10.0.0.8"
NAMES = ("mp-run-1-0123456789", "mp-run-2-0123456789")
OUTBOUND = "outbound|8000||httpbin.mtls-service.svc.cluster.local"


def attempt(name: str, phase: Phase = Phase.CONFIRM, *, matched: bool = True) -> Attempt:
    return Attempt(0.1, phase, matched, "200", name, kind=OutcomeKind.STATUS, status=200)


def evidence(*attempts: Attempt, verdict: FindingVerdict = FindingVerdict.PASS) -> Evidence:
    subject = Subject(control="X-1", id="X-1", title="t", polarity="allow", twin_control="")
    made = Evidence.of(subject, Verdict.PASS, attempts=attempts or tuple(map(attempt, NAMES)))
    return replace(made, findings=(Finding(ANSWERED, "2 requests in its log", verdict),))


def make_rig(*to: str, cluster: str = OUTBOUND, late: bool = False) -> FakeRig:
    """A client's sidecar has logged to which address it sent each request."""
    rig = FakeRig(lambda _, name: answered(200, name))
    rig.servers = [replace(SERVER_POD, ip=OWN)]
    rig.left = {replace(SERVER_POD, name="httpbin-0", ip=GONE): 1.0}
    lines = [
        entry(name, "200", "via_upstream", f"{address}:8080").replace("inbound|8080||", cluster)
        for name, address in zip(NAMES, to, strict=False)
    ]
    rig.cluster.logs_of["sleep-1", SIDECAR] = [] if late else lines
    return rig


def look(rig: FakeRig, seen: Evidence | None = None, case: Case = CASE, *, ago_s: float = 60.0) -> list[Finding]:
    running: Any = SimpleNamespace(rig=rig, since=0.0)
    return sent_elsewhere.findings(running, case, seen or evidence(), time.monotonic() - ago_s)


@pytest.mark.parametrize("to", [(OWN, OTHER), (OTHER, OTHER)], ids=["some", "all"])
def test_a_request_that_the_clients_proxy_sent_to_another_server_was_answered_there(to: tuple[str, ...]) -> None:
    """A route with `mirror` gives the application a copy of each request: its log has all of them."""
    [found] = look(make_rig(*to))
    assert (found.name, found.verdict) == ("sent to", FindingVerdict.FAIL)
    assert f"sent to {OTHER}:8080" in found.text


def test_a_filters_own_route_may_lead_to_a_cluster_of_any_name() -> None:
    [found] = look(make_rig(OTHER, OTHER, cluster="impostor"))
    assert found.verdict is FindingVerdict.FAIL


@pytest.mark.parametrize(
    ("to", "cluster"),
    [
        ((f"envoy://connect_originate/{OWN}", OWN), OUTBOUND),  # through a tunnel
        ((OTHER, OTHER), "inbound|8080||"),  # of a client in the server's own pod
        ((OWN, OWN), OUTBOUND),
        ((OWN, GONE), OUTBOUND),  # a pod that was ready when the stage began
        ((SERVICE_ADDRESS, OWN), OUTBOUND),  # an entry that leads to the Service by its address
        ((OTHER, OTHER), "PassthroughCluster"),  # to what the client dialled, by no route of the mesh
        ((), OUTBOUND),
    ],
    ids=["through a tunnel", "taken in", "to it", "to one that has gone", "to the Service", "past the mesh", "no log"],
)
def test_anything_else_says_nothing_more(to: tuple[str, ...], cluster: str) -> None:
    assert look(make_rig(*to, cluster=cluster)) == []


@pytest.mark.parametrize(
    "seen",
    [
        evidence(verdict=FindingVerdict.NOT_CHECKED),
        evidence(attempt(NAMES[0])),
        evidence(attempt(NAMES[0]), attempt(NAMES[1], matched=False), attempt("mp-run-3-0123456789")),
        evidence(attempt(NAMES[0]), attempt(NAMES[1], Phase.TWIN)),
    ],
    ids=["not proven at the application", "another request", "before the change had come", "the twin's"],
)
def test_only_the_requests_of_the_pinned_outcome_count(seen: Evidence) -> None:
    assert look(make_rig(OWN, OTHER), seen) == []


HOST, INSIDE = "198.51.100.10", "10.0.0.66"
GATEWAY_POD = Pod("istio-egress", "gateway-1", containers=(SIDECAR,), ready=True)
OUTWARD = replace(CASE, probe=CLIENT.get("http://example.com/"))


@pytest.mark.parametrize(
    ("to", "made", "log", "wrong"),
    [
        (HOST, OUTWARD, Path("/log"), False),
        (INSIDE, OUTWARD, Path("/log"), True),
        (INSIDE, OUTWARD, None, False),  # the host may have more addresses than are known
        ("198.51.100.20", OUTWARD, Path("/log"), True),
        ("198.51.100.20", replace(OUTWARD, arrival=BY_ANOTHER), Path("/log"), False),
    ],
    ids=["the host", "inside", "the internet", "another host", "another host by design"],
)
def test_a_request_that_the_egress_gateway_sent_to_another_server_was_answered_there(
    to: str, made: Case, log: Path | None, wrong: bool
) -> None:
    rig = make_rig()
    rig.external = ExternalHosts(
        {"example.com": HOST, "httpbin.org": "198.51.100.20"}, log=HostLog(log) if log else None
    )
    rig.gateways = [GATEWAY_POD]
    lines = [entry(name, "200", "via_upstream", f"{to}:80").replace("inbound|8080||", OUTBOUND) for name in NAMES]
    rig.cluster.logs_of["gateway-1", SIDECAR] = lines
    seen = evidence()
    name = EXTERNAL_LOG if made.arrival else ANSWERED
    found = look(rig, replace(seen, findings=(replace(seen.findings[0], name=name),)), made)
    assert [one.verdict for one in found] == ([FindingVerdict.FAIL] if wrong else [])


def test_a_denial_that_shows_no_request_at_the_external_server_was_answered_by_none() -> None:
    """What was not accepted may well have been sent to another address, as where a certificate is wrong."""
    rig = make_rig(OTHER, OTHER)
    seen = evidence()
    refused = replace(seen, findings=(replace(seen.findings[0], name=EXTERNAL_LOG),))
    assert look(rig, refused, replace(CASE, expect=status(503))) == []


def test_without_access_logs_it_stays_as_it_is() -> None:
    rig = make_rig(OTHER, OTHER)
    rig.mesh = MeshInfo("istio", capabilities=frozenset())
    assert look(rig) == []


def test_entries_are_waited_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent_elsewhere, "LATE_S", 0.3)
    began = time.monotonic()
    assert look(make_rig(OTHER, OTHER, late=True), ago_s=0.0) == []
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("to", "wrong"), [("-", False), (f"{OWN}:8080", True)])
def test_what_a_proxy_has_to_answer_itself_it_does_not_send_on(to: str, wrong: bool) -> None:
    """A preflight that the server answered passed, as nothing looked at who had."""
    rig = make_rig()
    rig.cluster.logs_of["sleep-1", SIDECAR] = [entry(name, "200", "x", to) for name in NAMES]
    preflight = replace(CASE, probe=replace(CASE.probe, method="OPTIONS", answered_by=Proxy.CLIENT))
    found = look(rig, replace(evidence(), findings=()), preflight)
    assert [one.verdict for one in found] == ([FindingVerdict.FAIL] if wrong else [])
