"""Verdicts: what passes, what fails, what proves nothing; above all that no denial passes for a wrong reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cluster_fakes import CLIENT, CLIENT_POD, FakeRig, answered, broken, entry, lost
from proving_fakes import ALLOWED, DENIAL, REFUSED, make_rig, prove, require_jwt, texts

from clients.identity.tokens import TokenIssuer
from clients.kube.pods import SIDECAR
from clients.mesh import sidecar
from clients.mesh.discovery import MeshInfo
from clients.mesh.external_hosts import ExternalHosts
from clients.mesh.host_log import HostLog
from clients.model.attempt import Phase
from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.errors import InfrastructureError
from clients.model.evidence import Evidence, FindingVerdict, Grade, Verdict
from clients.model.expect import RBAC_DENIED, no_reply, rbac_denied, status
from clients.model.log_expectations import AccessLogExpectation
from clients.model.outcome import Outcome, OutcomeKind
from clients.model.probe import Probe, Workload
from clients.probe.outside import through
from clients.proof.steps import denial

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("quickly")]


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
    assert "(httpbin, istio-proxy)" in texts(evidence)["backend log"]
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


def after_the_twin(*outcomes: Outcome) -> Any:
    """A mesh whose answers to refused requests are these, once the twin has come; then it refuses as before."""
    left = list(outcomes)

    def answer(rig: FakeRig, probe: Any, name: str) -> Any:
        if left and not probe.token and any(sent.token for sent in rig.sent):
            return replace(left.pop(0), request_id=name)
        return require_jwt(rig, probe, name)

    return answer


def test_a_connection_that_a_proxy_closed_after_the_twin_is_followed_by_a_whole_row():
    """A proxy that takes new configuration, or a busy node: it was not let in, and is refused as before."""
    evidence = prove(make_rig(after_the_twin(answered(503, ""))), DENIAL)
    assert evidence.verdict is Verdict.PASS, evidence.reason
    assert "saw 503; then refused 3 times in a row" in texts(evidence)["after the twin"]
    assert [one.status for one in evidence.attempts if not one.matched] == [503]


def test_a_refusal_without_a_word_after_the_twin_is_followed_by_a_whole_row():
    """An authorization server that does not answer in time on a busy machine: Envoy refuses by the same status."""
    evidence = prove(make_rig(after_the_twin(answered(403, ""))), DENIAL)
    assert evidence.verdict is Verdict.PASS, evidence.reason
    assert "then refused 3 times in a row" in texts(evidence)["after the twin"]


@pytest.mark.parametrize(
    "outcomes",
    [
        (answered(200, ""),),
        (answered(403, "", "another word"),),
        (answered(403, ""),) * 9999,
        (answered(503, ""), answered(403, "", RBAC_DENIED), answered(200, "")),
        (answered(503, ""),) * 9999,
    ],
    ids=["let in", "refused otherwise", "refused without a word from now on", "let in later", "no answer any more"],
)
def test_what_is_let_in_after_the_twin_or_answered_no_more_fails(outcomes: tuple[Outcome, ...]):
    evidence = prove(make_rig(after_the_twin(*outcomes)), DENIAL)
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


def test_a_request_without_an_answer_that_reached_the_application_was_let_in():
    """The server had it, and the connection was cut: its id was looked for only where it had been refused."""
    cut = answered(503, "")

    def once(rig: FakeRig, probe: Any, name: str) -> Any:
        if not probe.token and ALLOWED in rig.sent and cut.status not in rig.seen:
            rig.seen.append(cut.status)
            rig.arrive(name)
            return replace(cut, request_id=name)
        return require_jwt(rig, probe, name)

    rig = make_rig(once)
    rig.seen = []  # type: ignore[attr-defined]
    evidence = prove(rig, DENIAL)
    assert evidence.verdict is Verdict.FAIL
    assert "refused requests reached the backend" in evidence.reason


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
    assert "(istio-proxy)" in texts(evidence)["backend log"]


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
    rig.external = ExternalHosts({"example.com": "198.51.100.10"}, log=HostLog(log) if log else None)
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
    rig.external = ExternalHosts({"example.com": "198.51.100.10"}, log=HostLog(log) if log else None)
    refused = CLIENT.get("http://example.com/")
    evidence = prove(rig, Case("X-2", refused, status(502), twin=replace(refused, token="valid")))
    assert (evidence.verdict, evidence.grade) == (verdict, grade)
    assert evidence.reason.startswith(reason)


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
