"""Verdicts: what passes, what fails, what proves nothing; above all that no denial passes for a wrong reason."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, CLIENT_POD, FakeRig, answered, broken, entry, lost

from clients.identity.tokens import TokenIssuer
from clients.kube.pods import SIDECAR
from clients.mesh import logs, sidecar
from clients.mesh.discovery import MeshInfo
from clients.mesh.external_hosts import ExternalHosts
from clients.model.attempt import Phase
from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.errors import InfrastructureError
from clients.model.evidence import Applied, Evidence, FindingVerdict, Grade, Subject, Verdict
from clients.model.expect import RBAC_DENIED, no_reply, rbac_denied, status
from clients.model.log_expectations import AccessLogExpectation
from clients.model.marker import MarkerRecord, MarkerState
from clients.model.outcome import Outcome, OutcomeKind
from clients.model.probe import Probe, Workload
from clients.model.stage import Observation, Stage
from clients.probe.convergence import ConvergencePolicy
from clients.probe.outside import through
from clients.proof import decided, denial, log_entries, trace
from clients.proof import prove as proof
from clients.proof.client_reach import ClientReach

pytestmark = pytest.mark.unit

IP = "http://httpbin.mtls-service:8000/ip"
ALLOWED = CLIENT.get(IP, token="valid")
REFUSED = CLIENT.get(IP)
DENIAL = Case("X-2", REFUSED, rbac_denied(), twin=ALLOWED)
SUBJECT = Subject(control="X-2", id="X-2", title="t", polarity="deny", twin_control="X-1")


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(denial, "LOG_BUDGET_S", 0.3)
    monkeypatch.setattr(trace, "LOG_BUDGET_S", 0.3)
    monkeypatch.setattr(log_entries, "LOG_BUDGET_S", 0.3)
    monkeypatch.setattr(decided, "LOG_BUDGET_S", 0.3)
    monkeypatch.setattr(decided, "FLUSHED_S", 0.05)
    monkeypatch.setattr(logs, "SILENT_S", 0.05)
    monkeypatch.setattr(logs, "PRINTED_S", 0.05)


def require_jwt(rig: FakeRig, probe: Any, request_id: str) -> Any:
    """A mesh that lets tokens through and refuses the rest, and logs both."""
    if probe.token:
        return answered(200, request_id)
    rig.refuse_in_log(request_id, "rbac_access_denied_matched_policy[none]")
    return answered(403, request_id, RBAC_DENIED)


def make_rig(answer: Any = require_jwt) -> FakeRig:
    rig = FakeRig(lambda probe, request_id: answer(rig, probe, request_id))
    return rig


def prove(rig: FakeRig, case: Case, **stage: Any) -> Evidence:
    running = SimpleNamespace(
        rig=rig,
        stage=Stage("s"),
        applied=(),
        changed_at=time.monotonic(),
        baselines={},
        settled=(),
        worker="gw0",
        since=0.0,
        marked=lambda case: (),
        client_reach=ClientReach(rig, ()),  # type: ignore[arg-type]
    )
    running.__dict__.update(stage)
    return proof.prove_case(running, case, replace(SUBJECT, control=case.control, id=case.id))  # type: ignore[arg-type]


def texts(evidence: Evidence) -> dict[str, str]:
    return {finding.name: finding.text for finding in evidence.findings}


def test_without_a_change_times_count_from_the_cases_own_start():
    evidence = prove(make_rig(), Case("X-1", ALLOWED, status(200)), changed_at=time.monotonic() - 60)
    assert evidence.time_to_stable_s is not None
    assert evidence.time_to_stable_s < 10
    changed = (Applied("m", "k", "", "n", ""),)
    evidence = prove(make_rig(), Case("X-1", ALLOWED, status(200)), changed_at=time.monotonic() - 60, applied=changed)
    assert evidence.time_to_stable_s is not None
    assert evidence.time_to_stable_s > 50


def test_too_few_confirmations_are_inconclusive_and_state_the_error_rate_that_they_reach():
    def slowly(_: Probe, request_id: str) -> Outcome:
        time.sleep(0.02)
        return answered(200, request_id)

    rig = FakeRig(slowly, policy=ConvergencePolicy(budget_s=0.03, poll_s=0.001, window_s=0.0))
    rig.required_confirmations = lambda *_: 400  # type: ignore[method-assign]
    evidence = prove(rig, Case("X-1", ALLOWED, status(200)))
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "probes were too slow for 400 confirmations" in evidence.reason
    assert "may be left with a probability of 0.2, and 0.0001 is wanted" in evidence.reason


GROWN = "2 replicas are behind httpbin.mtls-service now; the 3 confirmations were derived for fewer, and 37 are needed"


def growing(monkeypatch: pytest.MonkeyPatch, *needed: int) -> FakeRig:
    """A second replica that appears once the confirmations were derived."""
    rig, derived = make_rig(), iter(needed)
    monkeypatch.setattr(rig, "required_confirmations", lambda probe: next(derived))
    monkeypatch.setattr(rig, "replicas", lambda probe: 2)
    return rig


def test_a_replica_that_came_later_leaves_too_few_confirmations(monkeypatch: pytest.MonkeyPatch):
    evidence = prove(growing(monkeypatch, 3, 37), Case("X-1", ALLOWED, status(200)))
    assert (evidence.verdict, evidence.reason) == (Verdict.INCONCLUSIVE, f"replicas: {GROWN}")


def test_a_failure_says_that_a_replica_came_later(monkeypatch: pytest.MonkeyPatch):
    evidence = prove(growing(monkeypatch, 3, 37), Case("X-1", ALLOWED, status(404)))
    assert evidence.verdict is Verdict.FAIL
    assert evidence.reason.startswith("expected 404, saw 200")
    assert evidence.reason.endswith(f"; {GROWN}")


def test_fewer_replicas_than_before_are_no_matter(monkeypatch: pytest.MonkeyPatch):
    assert prove(growing(monkeypatch, 37, 3), Case("X-1", ALLOWED, status(200))).verdict is Verdict.PASS


def test_an_allowed_request_passes():
    evidence = prove(make_rig(), Case("X-1", ALLOWED, status(200)))
    assert (evidence.verdict, evidence.observed, evidence.twin) == (Verdict.PASS, "200", None)


def test_a_denial_passes_with_its_four_proofs():
    evidence = prove(
        make_rig(), replace(DENIAL, logged=(AccessLogExpectation(Proxy.SERVER, details="matched_policy[none]"),))
    )
    assert evidence.verdict is Verdict.PASS, evidence.reason
    assert evidence.twin is not None
    assert (evidence.twin.control, evidence.twin.verdict) == ("X-1", Verdict.PASS)
    names = [finding.name for finding in evidence.findings]
    expected = ["exec", "twin", "ordinary requests", "leak", "backend log", "backend count", "decision"]
    assert names == [*expected, "twin answered by", "server sidecar log"]
    assert {finding.verdict for finding in evidence.findings} == {FindingVerdict.PASS}
    assert evidence.grade is Grade.FULL
    assert "5 refused request ids absent" in texts(evidence)["backend log"]
    assert "(httpbin)" in texts(evidence)["backend log"]
    assert "(istio-proxy)" in texts(evidence)["backend log"]
    assert {attempt.phase for attempt in evidence.attempts} == {Phase.CONVERGE, Phase.CONFIRM, Phase.TWIN}


def test_another_outcome_fails():
    evidence = prove(make_rig(lambda _, __, name: answered(200, name)), DENIAL)
    assert evidence.verdict is Verdict.FAIL
    assert "expected 403" in evidence.reason


def test_a_probe_that_never_ran_proves_nothing():
    evidence = prove(make_rig(lambda _, __, name: lost(name)), DENIAL)
    assert evidence.verdict is Verdict.INCONCLUSIVE


def test_a_missing_client_proves_nothing():
    rig = make_rig()
    rig.problem = InfrastructureError("no ready pod")
    evidence = prove(rig, DENIAL)
    assert (evidence.verdict, evidence.reason) == (Verdict.INCONCLUSIVE, "no ready pod")


def test_the_evidence_names_the_twins_request_as_it_was_sent():
    with_header = replace(ALLOWED, headers=(("x-route", "external"),))
    evidence = prove(make_rig(), replace(DENIAL, twin=with_header))
    assert evidence.twin is not None
    expected = f"GET {ALLOWED.url} from {CLIENT.namespace}/{CLIENT.app}, x-route: external, token {ALLOWED.token}"
    assert evidence.twin.sent == expected


def test_a_twin_from_outside_names_its_gateway():
    visitor = through(Workload("ingress", "gateway", "proxy"))
    assert denial.sent(Probe(visitor, "http://shop/")) == "GET http://shop/ from outside/client by gateway"


def test_a_refusal_without_a_twin_proves_nothing():
    evidence = prove(make_rig(), replace(DENIAL, twin=None))
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "names no twin" in evidence.reason


def test_a_mesh_that_refuses_every_request_fails():
    evidence = prove(make_rig(lambda _, __, name: answered(403, name, RBAC_DENIED)), DENIAL)
    assert evidence.verdict is Verdict.FAIL
    assert "twin: X-1 expected 200, saw 403" in evidence.reason


def test_a_twin_that_did_not_run_proves_nothing():
    def answer(rig: FakeRig, probe: Any, name: str) -> Any:
        return lost(name) if probe.token else answered(403, name, RBAC_DENIED)

    assert prove(make_rig(answer), DENIAL).verdict is Verdict.INCONCLUSIVE


def test_a_refusal_that_ends_with_the_twin_fails():
    def answer(rig: FakeRig, probe: Any, name: str) -> Any:
        twin_came = any(sent.token for sent in rig.sent)
        return answered(200, name) if probe.token or twin_came else answered(403, name, RBAC_DENIED)

    evidence = prove(make_rig(answer), DENIAL)
    assert evidence.verdict is Verdict.FAIL
    assert "after the twin" in evidence.reason


def test_a_refused_request_that_reached_the_application_fails():
    def answer(rig: FakeRig, probe: Any, name: str) -> Any:
        if not probe.token:
            rig.arrive(name)  # the answer says 403, but the backend served it
        return require_jwt(rig, probe, name)

    evidence = prove(make_rig(answer), DENIAL)
    assert evidence.verdict is Verdict.FAIL
    assert "5 of 5 refused requests reached the backend" in evidence.reason


def test_an_arrival_that_only_the_application_logged_fails():
    def answer(rig: FakeRig, probe: Any, name: str) -> Any:
        if not probe.token:
            rig.cluster.logs_of.setdefault(("httpbin-1", "httpbin"), []).append(f"served {name}")
        return require_jwt(rig, probe, name)

    assert prove(make_rig(answer), DENIAL).verdict is Verdict.FAIL


def test_without_the_twin_in_the_log_absence_proves_nothing():
    rig = make_rig()
    rig.writes_logs = False
    evidence = prove(rig, DENIAL)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "did not appear in mtls-service/httpbin-1" in evidence.reason


def test_an_application_that_logs_nothing_leaves_the_sidecars_log_as_proof(monkeypatch: pytest.MonkeyPatch):
    rig = make_rig()
    arrive = rig.arrive

    def only_sidecar(request_id: str) -> None:
        arrive(request_id)
        rig.cluster.logs_of.pop(("httpbin-1", "httpbin"))

    monkeypatch.setattr(rig, "arrive", only_sidecar)
    evidence = prove(rig, DENIAL)
    assert evidence.verdict is Verdict.PASS, evidence.reason
    assert "(httpbin)" not in texts(evidence)["backend log"]


def test_without_access_log_the_applications_log_is_the_proof():
    rig = make_rig()
    rig.mesh = MeshInfo("istio")
    evidence = prove(rig, replace(DENIAL, logged=(AccessLogExpectation(Proxy.SERVER, details="none"),)))
    assert evidence.verdict is Verdict.PASS, evidence.reason
    assert "(istio-proxy)" not in texts(evidence)["backend log"]
    unchecked = {one.name: one.text for one in evidence.findings if one.verdict is FindingVerdict.NOT_CHECKED}
    why = "not checked: the mesh writes no access log"
    assert unchecked == {"decision": why, "server sidecar log": why}
    assert evidence.grade is Grade.REDUCED


def test_a_log_that_cannot_be_read_proves_nothing(monkeypatch: pytest.MonkeyPatch):
    rig = make_rig()

    def refuse(*_: Any, **__: Any) -> str:
        raise InfrastructureError("logs are forbidden")

    monkeypatch.setattr(rig.cluster, "logs", refuse)
    assert prove(rig, DENIAL).verdict is Verdict.INCONCLUSIVE


def test_another_reason_in_the_sidecars_log_fails():
    evidence = prove(
        make_rig(), replace(DENIAL, logged=(AccessLogExpectation(Proxy.SERVER, details="matched_policy[other]"),))
    )
    assert evidence.verdict is Verdict.FAIL
    assert "rbac_access_denied_matched_policy[none]" in evidence.reason


def test_other_flags_in_the_sidecars_log_fail():
    evidence = prove(make_rig(), replace(DENIAL, logged=(AccessLogExpectation(Proxy.SERVER, flags=frozenset({"UH"})),)))
    assert evidence.verdict is Verdict.FAIL


def test_a_twin_through_another_backend_proves_nothing():
    elsewhere = replace(DENIAL, twin=CLIENT.get("http://elsewhere:80/ip", token="valid"))
    evidence = prove(make_rig(), elsewhere)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    [found] = [one for one in evidence.findings if one.name == denial.BACKEND_LOG]
    assert found.text.startswith("the twin goes to another backend, so this log is not known to be complete")


def test_without_a_server_no_request_can_arrive(monkeypatch: pytest.MonkeyPatch):
    rig = make_rig(lambda _, probe, name: answered(200, name) if probe.token else broken(7, name))
    monkeypatch.setattr(rig, "backends", lambda probe: rig.servers if probe.token else [])
    evidence = prove(rig, Case("X-2", REFUSED, no_reply(OutcomeKind.REFUSED), twin=ALLOWED))
    assert evidence.verdict is Verdict.PASS, evidence.reason
    assert texts(evidence)["backend log"] == "no ready pod is behind the destination"


def observation(**more: Any) -> Observation:
    return Observation(REFUSED, status(200), time.monotonic(), **more)


@pytest.mark.parametrize(("conclusive", "verdict"), [(True, Verdict.FAIL), (False, Verdict.INCONCLUSIVE)])
def test_a_wrong_state_before_the_change_decides(conclusive: bool, verdict: Verdict):
    rig = make_rig()
    before = observation(problem="expected 200, saw 503", conclusive=conclusive)
    evidence = prove(rig, DENIAL, baselines={"X-2": before})
    assert (evidence.verdict, evidence.reason) == (verdict, "before the change: expected 200, saw 503")
    assert rig.sent == []


def test_a_change_that_never_arrived_decides():
    evidence = prove(make_rig(), Case("X-1", ALLOWED, status(200)), settled=(observation(problem="saw 200"),))
    assert (evidence.verdict, evidence.reason) == (Verdict.FAIL, "settled 1: saw 200")


def test_attempts_while_the_stage_settled_are_the_first_of_the_case():
    settled = replace(observation(first_s=0.2, stable_s=0.7, flaps=1), expect=DENIAL.expect)
    evidence = prove(make_rig(), DENIAL, settled=(settled,), changed_at=settled.at)
    assert (evidence.time_to_first_s, evidence.time_to_stable_s, evidence.flaps) == (0.2, 0.7, 1)


def test_the_evidence_of_a_case_that_was_not_tried_has_the_reason():
    evidence = proof.not_tried(SUBJECT, "the environment could not be made")
    assert (evidence.verdict, evidence.reason) == (Verdict.INCONCLUSIVE, "the environment could not be made")
    assert evidence.observed == "nothing: the case was not tried"


def test_a_probe_after_the_twin_that_did_not_run_is_inconclusive():
    twins: list[str] = []

    def answer(rig: FakeRig, probe: Probe, name: str) -> Any:
        if probe.token:
            twins.append(name)
        elif twins:
            return lost(name)
        return require_jwt(rig, probe, name)

    evidence = prove(make_rig(answer), DENIAL)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "after the twin: infrastructure" in evidence.reason


def not_registered(rig: FakeRig, name: str) -> None:
    """The client's sidecar answers for a host that it does not know."""
    line = entry(name, "502", "direct_response", "-").replace("inbound|8080|| - - - - default", "- - - - - block_all")
    rig.cluster.logs_of.setdefault(("sleep-1", SIDECAR), []).append(line)


def outward(tmp_path: Path, *, arrives: bool) -> Evidence:
    """A refusal of a request to an external host, whose own log may have it all the same."""
    log = tmp_path / "external.log"
    log.touch()

    def answer(rig: FakeRig, probe: Probe, name: str) -> Any:
        if probe.token or arrives:
            with log.open("a") as lines:
                arrival = {"request_id": name, "peer": "10.0.0.5:4000", "local": "198.51.100.10:80"}
                lines.write(json.dumps(arrival) + "\n")
        if probe.token:
            return answered(200, name)
        not_registered(rig, name)
        return answered(502, name)

    rig = make_rig(answer)
    rig.external = ExternalHosts({"example.com": "198.51.100.10"}, log=log)
    refused = CLIENT.get("http://example.com/")
    return prove(rig, Case("X-2", refused, status(502), twin=replace(refused, token="valid")))


def test_a_refused_request_that_the_external_server_has_seen_fails(tmp_path: Path):
    assert outward(tmp_path, arrives=False).verdict is Verdict.PASS
    evidence = outward(tmp_path, arrives=True)
    assert evidence.verdict is Verdict.FAIL
    assert "external server's log: 5 of 5 refused requests arrived, the first from 10.0.0.5:4000" in evidence.reason


DEFECT = ("1.37.0", status(200))
"""Of one release of the proxy: it lets the request through."""


@pytest.mark.parametrize(
    ("versions", "expected", "verdict"),
    [
        (["1.37.0"], "200", Verdict.FAIL),
        (["1.37.1-dev"], rbac_denied().text, Verdict.PASS),
        (["1.37.0-dev", "1.37.1-dev"], rbac_denied().text, Verdict.PASS),
    ],
)
def test_a_case_is_judged_by_what_is_pinned_for_the_version_of_the_clients_proxy(
    versions: list[str], expected: str, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
):
    asked = iter(versions)
    rig = make_rig()
    monkeypatch.setattr(rig, "pods", lambda _: [CLIENT_POD] * len(versions))
    monkeypatch.setattr(sidecar, "envoy_version", lambda *_: next(asked))
    evidence = prove(rig, replace(DENIAL, expect_of=(DEFECT,)))
    assert (evidence.expected, evidence.verdict) == (expected, verdict)


def test_proxies_of_versions_that_answer_differently_prove_nothing(monkeypatch: pytest.MonkeyPatch):
    asked = iter(["1.37.0", "1.39.3"])
    rig = make_rig()
    monkeypatch.setattr(rig, "pods", lambda _: [CLIENT_POD] * 2)
    monkeypatch.setattr(sidecar, "envoy_version", lambda *_: next(asked))
    evidence = prove(rig, replace(DENIAL, expect_of=(DEFECT,)))
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "several versions, which answer differently: 1.37.0, 1.39.3" in evidence.reason


def test_a_proxy_that_does_not_report_its_version_proves_nothing(monkeypatch: pytest.MonkeyPatch):
    def unanswered(*_: object) -> str:
        raise InfrastructureError("sidecar of x does not report its version")

    monkeypatch.setattr(sidecar, "envoy_version", unanswered)
    evidence = prove(make_rig(), replace(DENIAL, expect_of=(DEFECT,)))
    assert (evidence.verdict, evidence.reason) == (Verdict.INCONCLUSIVE, "sidecar of x does not report its version")


def test_the_proxy_is_not_asked_where_one_outcome_is_pinned(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sidecar, "envoy_version", lambda *_: pytest.fail("asked"))
    assert prove(make_rig(), DENIAL).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("log", "verdict", "grade", "reason"),
    [
        (None, Verdict.PASS, Grade.REDUCED, ""),
        (Path("/nowhere/external.log"), Verdict.INCONCLUSIVE, None, "external server's log: the log of the external"),
    ],
    ids=["not available", "cannot be read"],
)
def test_the_silence_of_an_external_server_needs_its_log(
    log: Path | None, verdict: Verdict, grade: Grade | None, reason: str
):
    def answer(rig: FakeRig, probe: Probe, name: str) -> Any:
        not_registered(rig, name)
        return answered(200 if probe.token else 502, name)

    rig = make_rig(answer)
    rig.external = ExternalHosts({"example.com": "198.51.100.10"}, log=log)
    refused = CLIENT.get("http://example.com/")
    evidence = prove(rig, Case("X-2", refused, status(502), twin=replace(refused, token="valid")))
    assert (evidence.verdict, evidence.grade) == (verdict, grade)
    assert evidence.reason.startswith(reason)


def test_another_outcome_of_the_same_request_seen_settling_is_not_the_cases_own():
    settled = replace(observation(first_s=0.2, stable_s=0.7, flaps=1), expect=status(200))
    evidence = prove(make_rig(), DENIAL, settled=(settled,), changed_at=settled.at)
    assert (evidence.verdict, evidence.flaps) == (Verdict.PASS, 0)
    assert evidence.time_to_first_s != 0.2


def test_a_body_that_is_quoted_after_the_twin_holds_no_token():
    token = TokenIssuer().mint("valid")
    twins: list[str] = []

    def answer(rig: FakeRig, probe: Probe, name: str) -> Any:
        if probe.token:
            twins.append(name)
        elif twins:
            return answered(403, name, f"echo: {token}")
        return require_jwt(rig, probe, name)

    evidence = prove(make_rig(answer), DENIAL)
    assert evidence.verdict is Verdict.FAIL
    assert "body lacks" in evidence.reason
    quoted = evidence.reason + "".join(attempt.problem for attempt in evidence.attempts)
    assert token.split(".")[0] not in quoted


def test_a_case_may_have_less_time_than_the_run_allows() -> None:
    rig = FakeRig(lambda _, request_id: answered(200, request_id))
    running = SimpleNamespace(
        rig=rig,
        stage=Stage("s"),
        applied=(),
        changed_at=0.0,
        baselines={},
        settled=(),
        worker="",
        since=0.0,
        marked=lambda case: (),
    )
    began = time.monotonic()
    evidence = proof.prove_case(running, DENIAL, SUBJECT, budget_s=0.1)  # type: ignore[arg-type]
    assert evidence.verdict is Verdict.FAIL
    assert time.monotonic() - began < rig.certainty.policy.budget_s


def marked(state: MarkerState, **more: Any) -> Any:
    """A running stage's `marked`, with one marker in this state."""
    return lambda case: (MarkerRecord("mtls-service/httpbin", state, "how it was", **more),)


@pytest.mark.parametrize(
    ("state", "verdict", "grade"),
    [
        (MarkerState.SEEN, Verdict.PASS, Grade.FULL),
        (MarkerState.MISSING, Verdict.INCONCLUSIVE, None),
        (MarkerState.UNAVAILABLE, Verdict.PASS, Grade.REDUCED),
    ],
)
def test_an_unchanged_outcome_is_judged_by_its_marker(state, verdict, grade):
    evidence = prove(make_rig(), Case("X-1", ALLOWED, status(200)), marked=marked(state))
    assert (evidence.verdict, evidence.grade) == (verdict, grade)
    assert "mtls-service/httpbin: how it was" in texts(evidence)["marker"]
    assert evidence.markers[0].state is state


def test_a_contrary_outcome_without_its_marker_names_both():
    evidence = prove(make_rig(), Case("X-1", REFUSED, status(200)), marked=marked(MarkerState.MISSING))
    assert evidence.verdict is Verdict.FAIL
    assert "expected 200, saw 403" in evidence.reason
    assert "marker at mtls-service/httpbin: how it was" in evidence.reason


def test_the_times_are_those_of_the_whole_wait():
    """Budget 0.3 s: a case that is stable at once is slow all the same where its marker came late."""
    changed = (Applied("m", "k", "", "n", ""),)
    case = Case("X-1", ALLOWED, status(200))
    late = marked(MarkerState.SEEN, first_s=0.24, stable_s=0.25)
    evidence = prove(make_rig(), case, marked=late, applied=changed)
    assert evidence.slow
    assert evidence.duration_s >= 0.25
    assert evidence.time_to_stable_s is not None
    assert evidence.time_to_stable_s >= 0.25
    assert not prove(make_rig(), case, applied=changed).slow


def test_a_case_is_slow_whose_stage_was_slow_to_settle():
    changed_at = time.monotonic()
    settled = Observation(REFUSED, status(403), changed_at, first_s=0.2, stable_s=0.26)
    case = Case("X-1", ALLOWED, status(200))
    evidence = prove(make_rig(), case, settled=(settled,), changed_at=changed_at)
    assert evidence.slow
    # what had settled before a further change belongs to that earlier one
    assert not prove(make_rig(), case, settled=(settled,), changed_at=changed_at + 1).slow


def recognised(rig: FakeRig, name: str) -> Any:
    """The answer of a mesh that refuses nothing but what it can recognise as the harness's."""
    if name.startswith("mp-"):
        rig.refuse_in_log(name, "rbac_access_denied_matched_policy[none]")
        return answered(403, name, RBAC_DENIED)
    return answered(200, name)


def test_a_mesh_that_refuses_only_what_it_recognises_fails():
    evidence = prove(make_rig(lambda rig, _, name: recognised(rig, name)), replace(DENIAL, twin=None))
    assert evidence.verdict is Verdict.FAIL
    assert "the mesh treats requests that it can recognise as the harness's differently" in evidence.reason
    assert evidence.reason.endswith("they see 403, ordinary ones 200")


def test_a_mesh_that_lets_in_only_what_it_recognises_fails():
    def answer(_: FakeRig, __: Any, name: str) -> Any:
        return answered(200, name) if name.startswith("mp-") else answered(403, name, RBAC_DENIED)

    evidence = prove(make_rig(answer), Case("X-1", ALLOWED, status(200)))
    assert evidence.verdict is Verdict.FAIL
    assert "they see 200, ordinary ones 403" in evidence.reason


def test_a_twin_that_gets_in_only_where_it_is_recognised_fails():
    def answer(rig: FakeRig, probe: Any, name: str) -> Any:
        return require_jwt(rig, probe, name) if name.startswith("mp-") else answered(403, name, RBAC_DENIED)

    evidence = prove(make_rig(answer), DENIAL)
    assert evidence.verdict is Verdict.FAIL
    assert "they see 200, ordinary ones 403" in evidence.reason


def test_a_single_confirmation_is_followed_by_an_ordinary_request():
    rig = make_rig()
    rig.policy = replace(rig.policy, confirmations=1)
    rig.required_confirmations = lambda *_: 1  # type: ignore[method-assign]
    evidence = prove(rig, Case("X-1", ALLOWED, status(200)))
    assert evidence.verdict is Verdict.PASS, evidence.reason
    assert texts(evidence)["ordinary requests"].startswith("1 of 3 probes")
    rig.answer = lambda _, name: answered(200 if name.startswith("mp-") else 403, name)
    evidence = prove(rig, Case("X-1", ALLOWED, status(200)))
    assert (evidence.verdict, evidence.reason) == (Verdict.FAIL, "ordinary requests: expected 200, saw 403")


def test_an_ordinary_request_that_did_not_run_is_inconclusive():
    rig = make_rig(lambda _, __, name: answered(200, name) if name.startswith("mp-") else lost(name))
    rig.required_confirmations = lambda *_: 1  # type: ignore[method-assign]
    assert prove(rig, Case("X-1", ALLOWED, status(200))).verdict is Verdict.INCONCLUSIVE


def test_without_an_ordinary_request_nothing_is_said_of_the_mesh():
    rig = make_rig()
    rig.many = lambda probe, control, **_: lambda count: rig.probe(probe, control, count)  # type: ignore[method-assign]
    evidence = prove(rig, Case("X-1", ALLOWED, status(200)))
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "no probe was like a user's request" in evidence.reason
