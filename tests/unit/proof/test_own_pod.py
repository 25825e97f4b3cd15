"""A state that lets no request in is provable: the way was open before, and the server still answers its own pod."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cluster_fakes import CLIENT, SERVER_POD, FakeRig, answered, broken, lost
from proving_fakes import make_rig, observation, prove

from clients.kube.pods import Pod
from clients.model.case import Case
from clients.model.evidence import Evidence, Finding, FindingVerdict, Verdict
from clients.model.expect import RBAC_DENIED, rbac_denied, status
from clients.model.probe import Probe

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("quickly")]

REFUSED = CLIENT.get("http://httpbin.mtls-service:8000/ip")
DENIAL = Case("X-2", REFUSED, rbac_denied(), before=status(200))
OPEN_BEFORE = {"X-2": observation()}


def own(probe: Probe) -> bool:
    return probe.url.startswith("http://127.0.0.1:8080/")


def shut(rig: FakeRig, probe: Probe, name: str) -> Any:
    """A server that lets no client in, and answers its own pod, past its sidecar."""
    if own(probe):
        rig.cluster.logs_of.setdefault(("httpbin-1", "httpbin"), []).append(f'user_agent="meshproof/X {name}"')
        return answered(200, name)
    rig.refuse_in_log(name, "rbac_access_denied_matched_policy[none]")
    return answered(403, name, RBAC_DENIED)


def proven(answer: Any = shut, denial: Case = DENIAL, servers: list[Pod] | None = None, **stage: Any) -> Evidence:
    rig = make_rig(answer)
    rig.writes_logs = False  # `shut` writes what there is
    rig.servers = rig.servers if servers is None else servers
    return prove(rig, denial, **{"baselines": OPEN_BEFORE, **stage})


def named(evidence: Evidence, name: str) -> Finding:
    return next(one for one in evidence.findings if one.name == name)


def test_a_state_that_lets_no_request_in_passes():
    evidence = proven()
    assert evidence.verdict is Verdict.PASS, evidence.reason
    assert evidence.twin is not None
    assert evidence.twin.sent == "GET http://127.0.0.1:8080/ip from mtls-service/httpbin"
    assert named(evidence, "twin").text.startswith(
        "let in before the change; now expected an answer to the server's own"
    )
    assert "(httpbin, istio-proxy)" in named(evidence, "backend log").text
    assert evidence.leak is not None


def test_a_request_that_the_server_got_all_the_same_fails():
    def answer(rig: FakeRig, probe: Probe, name: str) -> Any:
        if not own(probe):
            rig.arrive(name)
        return shut(rig, probe, name)

    evidence = proven(answer)
    assert evidence.verdict is Verdict.FAIL
    assert "refused requests reached the backend" in evidence.reason


def test_a_server_that_is_down_proves_nothing():
    def answer(rig: FakeRig, probe: Probe, name: str) -> Any:
        return broken(7, name) if own(probe) else shut(rig, probe, name)

    evidence = proven(answer)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "expected an answer to the server's own pod, saw 000 refused (7)" in evidence.reason


def test_a_pod_that_sends_no_probe_proves_nothing():
    def answer(rig: FakeRig, probe: Probe, name: str) -> Any:
        return lost(name) if own(probe) else shut(rig, probe, name)

    assert proven(answer).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "stage",
    [
        {"baselines": {}},
        {"baselines": {"X-2": replace(observation(), expect=rbac_denied())}},
    ],
)
def test_without_a_request_that_was_let_in_before_nothing_shows_that_the_way_is_open(stage: dict[str, Any]):
    evidence = proven(**stage)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "names no twin for this refusal, and no `before` in which the request was let in" in evidence.reason


@pytest.mark.parametrize("servers", [[], [replace(SERVER_POD, labels={})]])
def test_without_a_pod_of_a_known_app_it_is_inconclusive(servers: list[Pod]):
    assert proven(servers=servers).verdict is Verdict.INCONCLUSIVE


def test_a_twin_that_goes_elsewhere_needs_the_servers_own_pod_for_its_log():
    elsewhere = replace(DENIAL, twin=CLIENT.get("http://elsewhere:80/ip"))

    def answer(rig: FakeRig, probe: Probe, name: str) -> Any:
        return answered(200, name) if "elsewhere" in probe.url else shut(rig, probe, name)

    assert named(proven(answer, elsewhere), "backend log").verdict is FindingVerdict.PASS
    evidence = proven(answer, elsewhere, baselines={})
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "the twin goes to another backend" in evidence.reason


def test_a_server_without_a_sidecar_sends_from_its_own_container():
    plain = replace(SERVER_POD, containers=("httpbin",))
    sent: list[Probe] = []

    def answer(rig: FakeRig, probe: Probe, name: str) -> Any:
        sent.append(probe)
        return shut(rig, probe, name)

    proven(answer, servers=[plain])
    assert {probe.source.container for probe in sent if own(probe)} == {"httpbin"}
