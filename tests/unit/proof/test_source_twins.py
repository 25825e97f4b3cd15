"""A refused client that reaches nothing was not refused by the mesh, as far as anything shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, FakeRig, answered, broken
from proving_fakes import make_rig, observation, prove

from clients.kube.pods import Pod
from clients.mesh.discovery import MeshInfo
from clients.model.case import Case
from clients.model.evidence import Evidence, Finding, FindingVerdict, Verdict
from clients.model.expect import RBAC_DENIED, no_reply, rbac_denied, reset, status
from clients.model.outcome import OutcomeKind
from clients.model.probe import Probe, Workload
from clients.proof.stage import client_reach
from clients.proof.stage.client_reach import MOST, ClientReach
from clients.proof.steps.source_twins import SOURCE_TWIN

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("quickly")]

LEGACY = Workload("legacy-client", "sleep", "sleep")
IP = "http://httpbin.mtls-service:8000/ip"
DENIAL = Case("X-2", LEGACY.get(IP), reset(), twin=CLIENT.get(IP))
ELSEWHERE = Case("X-3", LEGACY.get("http://other.legacy-service:8000/ip"), status(200))


def mesh(reaches: bool, exit_code: int = 56) -> Callable[..., Any]:
    """Its server takes no plaintext; the client without a sidecar reaches other servers, or nothing."""

    def answer(_: FakeRig, probe: Probe, name: str) -> Any:
        if probe.source == CLIENT or (reaches and "other" in probe.url):
            return answered(200, name)
        return broken(exit_code, name)

    return answer


def proven(rig: FakeRig, case: Case, *cases: Case, others: tuple[Case, ...] = (), **stage: Any) -> Evidence:
    rig.mesh = MeshInfo("istio")  # its proxies write no log: who decided is another step's matter
    return prove(rig, case, client_reach=ClientReach(rig, cases, others), **stage)  # type: ignore[arg-type]


def found(evidence: Evidence) -> Finding:
    [finding] = [one for one in evidence.findings if one.name == SOURCE_TWIN]
    return finding


def test_a_client_that_reaches_something_else_was_refused():
    evidence = proven(make_rig(mesh(True)), DENIAL, ELSEWHERE)
    assert evidence.verdict is Verdict.PASS, evidence.reason
    assert found(evidence).verdict is FindingVerdict.PASS
    assert evidence.source_twin is not None
    assert (evidence.source_twin.control, evidence.source_twin.observed) == ("X-3", "200")
    assert evidence.source_twin.sent == "GET http://other.legacy-service:8000/ip from legacy-client/sleep"


def test_a_client_that_reaches_nothing_was_not():
    evidence = proven(make_rig(mesh(False)), DENIAL, ELSEWHERE)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "saw 000 reset (56): the client reaches nothing, so nothing says that the mesh refused it" in evidence.reason


def test_several_requests_of_the_client_are_tried():
    shut = replace(ELSEWHERE, probe=LEGACY.get("http://shut.legacy-service/"), variant="shut")
    assert proven(make_rig(mesh(True)), DENIAL, shut, ELSEWHERE).verdict is Verdict.PASS
    assert proven(make_rig(mesh(True)), DENIAL, *[shut] * MOST, ELSEWHERE).verdict is Verdict.INCONCLUSIVE


def test_a_client_is_tried_once_for_all_its_denials():
    rig = make_rig(mesh(True))
    rig.mesh = MeshInfo("istio")
    reach = ClientReach(rig, [ELSEWHERE])  # type: ignore[arg-type]
    for variant in ("a", "b"):
        assert prove(rig, replace(DENIAL, variant=variant), client_reach=reach).verdict is Verdict.PASS
    assert sum(probe == ELSEWHERE.probe for probe in rig.sent) == 3
    assert reach.of(replace(DENIAL, step="another state"), by_sidecar=True) is None


@pytest.mark.parametrize(
    "other",
    [
        replace(ELSEWHERE, expect=reset()),
        replace(ELSEWHERE, step="later"),
        replace(ELSEWHERE, probe=replace(ELSEWHERE.probe, source=Workload("another", "sleep", "sleep"))),
    ],
)
def test_only_what_the_same_client_may_do_in_the_same_state_counts(other: Case):
    assert proven(make_rig(mesh(True)), DENIAL, other).source_twin is None


def test_another_container_of_the_pod_has_the_same_network_and_passes_the_sidecar_by():
    past_sidecar = replace(ELSEWHERE, probe=replace(ELSEWHERE.probe, source=replace(LEGACY, container="istio-proxy")))
    by_network = replace(DENIAL, expect=CUT)
    assert proven(make_rig(mesh(True, 7)), by_network, past_sidecar).source_twin is not None
    assert proven(make_rig(mesh(True)), DENIAL, past_sidecar).source_twin is None


def test_a_datagram_passes_the_sidecar_by():
    """A sidecar that refuses everything lets it out, so it does not show that the sidecar lets anything pass."""
    datagram = replace(ELSEWHERE, probe=LEGACY.udp("other.legacy-service:53"))
    assert proven(make_rig(mesh(True, 7)), replace(DENIAL, expect=CUT), datagram).source_twin is not None
    assert proven(make_rig(mesh(True)), DENIAL, datagram).source_twin is None


def test_what_the_stage_says_that_its_clients_may_send_counts_in_every_state():
    for reaches, due in ((True, Verdict.PASS), (False, Verdict.INCONCLUSIVE)):
        for denial in (DENIAL, replace(DENIAL, step="later")):
            rig = make_rig(mesh(reaches))
            rig.mesh = MeshInfo("istio")
            reach = ClientReach(rig, [], [], [ELSEWHERE.probe])  # type: ignore[arg-type]
            evidence = prove(rig, denial, client_reach=reach)
            assert evidence.verdict is due, evidence.reason
            assert evidence.source_twin is not None
            assert evidence.source_twin.control == ""


def test_a_slow_way_is_tried_again_until_the_budget_of_a_case_is_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client_reach, "TURN_S", 0.01)
    tried: list[Probe] = []

    def answer(_: FakeRig, probe: Probe, name: str) -> Any:
        tried.append(probe)
        return answered(200, name) if probe.source == CLIENT or len(tried) > 60 else broken(56, name)

    evidence = proven(make_rig(answer), DENIAL, ELSEWHERE)
    assert evidence.source_twin is not None
    assert evidence.source_twin.verdict is Verdict.PASS


def test_a_case_that_is_not_selected_counts_where_it_passes():
    assert proven(make_rig(mesh(True)), DENIAL, others=(ELSEWHERE,)).source_twin is not None
    evidence = proven(make_rig(mesh(False)), DENIAL, others=(ELSEWHERE,))
    assert (evidence.source_twin, found(evidence).verdict) == (None, FindingVerdict.NOT_CHECKED)


def test_a_twin_of_the_same_client_is_enough():
    case = replace(DENIAL, twin=replace(ELSEWHERE.probe, url=f"{IP}?other"))
    evidence = proven(make_rig(mesh(True)), case, ELSEWHERE)
    assert evidence.verdict is Verdict.PASS, evidence.reason
    assert SOURCE_TWIN not in [one.name for one in evidence.findings]


def test_an_answer_whose_sender_no_log_names_may_be_of_the_clients_own_sidecar():
    rig = make_rig(lambda _, probe, name: answered(200 if probe.source == CLIENT else 403, name, "RBAC: access denied"))
    evidence = proven(rig, replace(DENIAL, expect=rbac_denied()), ELSEWHERE)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "the client reaches nothing" in evidence.reason


def test_requests_that_another_proxy_logs_came_so_far():
    def answer(rig: FakeRig, probe: Probe, name: str) -> Any:
        if probe.source == CLIENT:
            return answered(200, name)
        rig.refuse_in_log(name, "rbac_access_denied_matched_policy[none]")
        return answered(403, name, RBAC_DENIED)

    rig = make_rig(answer)
    evidence = prove(rig, replace(DENIAL, expect=rbac_denied()), client_reach=ClientReach(rig, [ELSEWHERE]))  # type: ignore[arg-type]
    assert evidence.verdict is Verdict.PASS, evidence.reason
    assert SOURCE_TWIN not in [one.name for one in evidence.findings]
    assert ELSEWHERE.probe not in rig.sent


CUT = no_reply(OutcomeKind.REFUSED, OutcomeKind.CONNECT_TIMEOUT)
PLAIN = Pod("legacy-client", "sleep-1", containers=("sleep",), ready=True)


@pytest.mark.parametrize(
    ("denial", "stage", "plain", "text"),
    [
        (replace(DENIAL, before=status(200)), {"baselines": {"X-2": observation()}}, False, "was answered before the"),
        (DENIAL, {}, True, "the other end took the client's connection"),
        (replace(DENIAL, expect=CUT), {}, True, "a name server answered the client"),
        (
            DENIAL,
            {"settled": (replace(observation(), probe=ELSEWHERE.probe),), "changed_at": 0.0},
            False,
            "GET http://other.legacy-service:8000/ip from legacy-client/sleep was answered while the stage settled",
        ),
    ],
)
def test_other_signs_that_the_client_has_a_network(
    denial: Case, stage: dict[str, Any], plain: bool, text: str, monkeypatch: pytest.MonkeyPatch
):
    rig = make_rig(mesh(True, 7 if denial.expect == CUT else 56))
    if plain:
        monkeypatch.setattr(rig, "pods", lambda _: [PLAIN])
    evidence = proven(rig, denial, **stage)
    assert found(evidence).verdict is FindingVerdict.PASS
    assert text in found(evidence).text


@pytest.mark.parametrize(
    "denial",
    [
        DENIAL,  # its own sidecar takes the connection of an injected client
        replace(DENIAL, probe=replace(DENIAL.probe, resolve="httpbin.mtls-service:8000"), expect=CUT),
        replace(DENIAL, probe=LEGACY.get("http://198.51.100.10/"), expect=CUT),
        replace(DENIAL, probe=LEGACY.get("http://[2001:db8::10]:8000/"), expect=CUT),
        replace(DENIAL, probe=LEGACY.get("http://198.51.100.10/", behind="httpbin.mtls-service"), expect=CUT),
    ],
)
def test_without_any_sign_it_is_not_checked(denial: Case):
    evidence = proven(make_rig(mesh(True, 7 if denial.expect == CUT else 56)), denial)
    text = "not checked: the stage states no request that this client may send; see `reachable`"
    assert found(evidence) == Finding(SOURCE_TWIN, text, FindingVerdict.NOT_CHECKED)


def test_a_baseline_that_was_no_answer_is_no_sign():
    refused_before = SimpleNamespace(problem="", expect=reset(), attempts=(), before=lambda _: ())
    evidence = proven(make_rig(mesh(True)), DENIAL, baselines={"X-2": refused_before})
    assert found(evidence).verdict is FindingVerdict.NOT_CHECKED
