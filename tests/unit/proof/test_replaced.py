"""A failure as of a missing server is inconclusive where pods went away from outside; nothing else is excused by it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cluster_fakes import CLIENT, HTTPBIN, SERVER_POD, FakeRig, answered, broken
from proving_fakes import DENIAL, IP, REFUSED, make_rig, observation, prove, require_jwt, texts

from clients.kube.pods import Pod
from clients.model.attempt import Attempt, Phase
from clients.model.case import Case
from clients.model.errors import AccessError
from clients.model.evidence import Evidence, Verdict
from clients.model.expect import status
from clients.model.outcome import OutcomeKind
from clients.model.stage import Observation
from clients.probe.same_connection import Exchanges
from clients.proof.steps import kept_connection

pytestmark = pytest.mark.unit

OK = Case("X-1", CLIENT.get(IP), status(200))
SINCE = 1000.0
"""When the run itself had last changed anything, by the API server's clock."""
OLD, NEW = SINCE - 60.0, SINCE + 60.0


def pod(name: str, made_at: float = OLD, *, ready: bool = True, template: str = "", **more: Any) -> dict[str, Any]:
    labels = HTTPBIN | ({"pod-template-hash": template} if template else {})
    meta = {"name": name, "namespace": "mtls-service", "labels": labels, "uid": name, **more.pop("metadata", {})}
    meta["creationTimestamp"] = stamp(made_at)
    states = [{"type": "Ready", "status": str(ready)}, *more.pop("conditions", ())]
    return {"kind": "Pod", "metadata": meta, "spec": {"nodeName": "n"}, "status": {"conditions": states, **more}}


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def asked_to_go(at: float) -> dict[str, Any]:
    """As the API has it for a pod with 30 s of grace."""
    return {"deletionTimestamp": stamp(at + 30.0), "deletionGracePeriodSeconds": 30}


def node(ready: str) -> dict[str, Any]:
    return {"kind": "Node", "metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


def proven(
    *there: dict[str, Any],
    code: int = 503,
    once: tuple[str, ...] = ("a",),
    case: Case = OK,
    **stage: Any,
) -> Evidence:
    """The case on a mesh that always answers so; the pods `once` were ready before, and `there` are now."""
    rig = make_rig(lambda rig, probe, request_id: answered(code, request_id))
    return on(rig, there, once, case, **stage)


def on(
    rig: FakeRig,
    there: tuple[dict[str, Any], ...],
    once: tuple[str, ...],
    case: Case,
    once_ready: Sequence[Pod] = (),
    **stage: Any,
) -> Evidence:
    rig.cluster.put(*there)
    rig.once_ready = [*once_ready, *(replace(SERVER_POD, name=name, uid=name) for name in once)]
    rig.settled, rig.cluster.now = time.monotonic(), SINCE
    return prove(rig, case, **stage)


def test_a_server_that_was_evicted_and_came_back_elsewhere_is_not_the_meshs_failure() -> None:
    seen = proven(pod("b", NEW))
    assert seen.verdict is Verdict.INCONCLUSIVE
    assert "pod mtls-service/a was deleted, not by this run: set annotations" in seen.reason
    assert "503" in seen.reason, "what was seen stays in the reason"
    assert texts(seen)["pods"] in seen.reason


@pytest.mark.parametrize(
    ("there", "once", "words"),
    [
        ((), ("a",), "a was deleted"),
        ((pod("b", NEW),), (), "b took the place of one that was deleted"),
        ((pod("b", NEW, ready=False),), (), "b took the place"),
        ((pod("a"), pod("c", NEW)), ("a", "b"), "b was deleted"),
        ((pod("a", metadata=asked_to_go(NEW)),), ("a",), "a is being deleted"),
        (
            (pod("a", conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]),),
            ("a",),
            "a was evicted (EvictionByEvictionAPI)",
        ),
        ((pod("a", ready=False, phase="Failed", reason="NodeShutdown"),), ("a",), "ended by its node (NodeShutdown)"),
        ((pod("a", ready=False),), ("a",), "was on node n, which is gone"),
        ((pod("a", ready=False), node("Unknown")), ("a",), "is on node n, which is not ready"),
    ],
)
def test_whatever_took_a_pod_away_is_named(
    there: tuple[dict[str, Any], ...], once: tuple[str, ...], words: str
) -> None:
    seen = proven(*there, once=once)
    assert (seen.verdict, words in seen.reason) == (Verdict.INCONCLUSIVE, True), seen.reason


@pytest.mark.parametrize(
    "there",
    [
        (pod("a"),),
        (pod("a", ready=False, containerStatuses=[{"restartCount": 7}]), node("True")),
        (pod("a", ready=False, phase="Failed", reason="Error"), node("True")),
        (pod("a", SINCE + 1.0),),
        (pod("a"), pod("b", NEW)),
        (pod("a"), pod("b", metadata=asked_to_go(SINCE))),
        (pod("web-1-a", template="1", metadata=asked_to_go(NEW)), pod("web-2-b", NEW, template="2")),
    ],
    ids=[
        "it is there",
        "a container restarts",
        "a container failed",
        "made as the run settled",
        "one more",
        "the run scaled down",
        "another template is rolled out",
    ],
)
def test_a_server_that_nobody_took_away_is_no_excuse(there: tuple[dict[str, Any], ...]) -> None:
    seen = proven(*there, once=("a",) if there[0]["metadata"]["name"] == "a" else ())
    assert seen.verdict is Verdict.FAIL, seen.reason
    assert "pods" not in texts(seen)


def test_a_pod_that_gave_way_to_another_template_is_no_excuse() -> None:
    def rig() -> FakeRig:
        return make_rig(lambda rig, probe, request_id: answered(503, request_id))

    gone = [replace(SERVER_POD, name="web-1-a", uid="web-1-a", labels=HTTPBIN | {"pod-template-hash": "1"})]
    new = pod("web-2-b", template="2"), pod("other-3-c", template="3")
    assert on(rig(), new, (), OK, gone).verdict is Verdict.FAIL
    same = pod("web-1-b", template="1"), pod("other-3-c", template="3")
    seen = on(rig(), same, (), OK, gone)
    assert "pod mtls-service/web-1-a was deleted" in seen.reason


@pytest.mark.parametrize("code", [200, 401, 403, 404, 500])
def test_an_answer_of_a_server_or_a_policy_is_never_excused(code: int) -> None:
    """A mesh that lets in what it must refuse, or refuses what it must let in, fails whatever happened to pods."""
    case = OK if code != 200 else Case("X-2", REFUSED, status(403), twin=OK.probe)
    assert proven(pod("b", NEW), code=code, case=case).verdict is Verdict.FAIL


@pytest.mark.parametrize("exit_code", [7, 52, 56])
def test_a_connection_that_nobody_answers_is_as_of_a_missing_server(exit_code: int) -> None:
    rig = make_rig(lambda rig, probe, request_id: broken(exit_code, request_id))
    assert on(rig, (pod("b", NEW),), ("a",), OK).verdict is Verdict.INCONCLUSIVE


def test_one_failure_of_another_kind_after_the_last_match_is_enough_to_fail() -> None:
    codes = iter([503, 404])
    rig = make_rig(lambda rig, probe, request_id: answered(next(codes, 503), request_id))
    assert on(rig, (pod("b", NEW),), ("a",), OK).verdict is Verdict.FAIL


def test_a_pass_stays_one_and_costs_no_request() -> None:
    rig = make_rig(require_jwt)
    rig.cluster.forbidden.add(("list", "Pod", "mtls-service"))
    assert on(rig, (pod("b", NEW),), ("a",), replace(OK, probe=CLIENT.get(IP, token="valid"))).verdict is Verdict.PASS


def test_where_pods_may_not_be_listed_nothing_is_excused() -> None:
    rig = make_rig(lambda rig, probe, request_id: answered(503, request_id))
    rig.cluster.forbidden.add(("list", "Pod", "mtls-service"))
    with pytest.raises(AccessError):
        rig.cluster.objects("v1", "Pod", "mtls-service")
    assert on(rig, (pod("b", NEW),), ("a",), OK).verdict is Verdict.FAIL


def test_the_twin_of_a_denial_may_have_lost_its_server() -> None:
    def answer(rig: FakeRig, probe: Any, request_id: str) -> Any:
        return answered(503, request_id) if probe.token else require_jwt(rig, probe, request_id)

    assert on(make_rig(answer), (pod("b", NEW),), ("a",), DENIAL).verdict is Verdict.INCONCLUSIVE
    assert on(make_rig(answer), (pod("a"),), ("a",), DENIAL).verdict is Verdict.FAIL


def test_the_second_request_of_a_connection_may_have_lost_its_server() -> None:
    """Three cases failed in a run whose pods were replaced meanwhile: the pair of requests found no server."""

    def with_pairs(code: int) -> FakeRig:
        rig = make_rig()
        second = replace(answered(code, "second"), reused=True)
        rig.pairs = [Exchanges(answered(200, "first"), second)] * kept_connection.TRIES
        return rig

    assert on(with_pairs(503), (pod("b", NEW),), ("a",), DENIAL).verdict is Verdict.INCONCLUSIVE
    assert on(with_pairs(503), (pod("a"),), ("a",), DENIAL).verdict is Verdict.FAIL, "no pod went away"
    assert on(with_pairs(200), (pod("b", NEW),), ("a",), DENIAL).verdict is Verdict.FAIL, "it was let in"


def seen_before(code: int) -> Observation:
    attempt = Attempt(-1.0, Phase.BASELINE, False, f"{code}", "r", f"got {code}", kind=OutcomeKind.STATUS, status=code)
    return observation(problem=f"got {code}", attempts=(attempt,), conclusive=True)


def test_a_server_that_was_away_before_the_change_is_no_failure_either() -> None:
    seen = proven(pod("b", NEW), baselines={OK.id: seen_before(503)})
    assert seen.verdict is Verdict.INCONCLUSIVE
    assert seen.reason.endswith("before the change: got 503")
    assert proven(pod("a"), baselines={OK.id: seen_before(503)}).verdict is Verdict.FAIL


def test_what_is_excused_hides_no_other_failure() -> None:
    seen = proven(pod("b", NEW), baselines={OK.id: seen_before(503)}, settled=(seen_before(404),))
    assert (seen.verdict, seen.reason) == (Verdict.FAIL, "settled 1: got 404")


def test_a_denial_whose_server_went_away_meanwhile_is_no_pass() -> None:
    """It may have had the refused requests, and its log is not looked at any more."""
    rig = make_rig()
    assert prove(rig, DENIAL).verdict is Verdict.PASS
    rig.left = {replace(SERVER_POD, name="httpbin-0"): 1.0}
    seen = prove(rig, DENIAL)
    assert seen.verdict is Verdict.INCONCLUSIVE
    assert "mtls-service/httpbin-0 was ready while requests were sent, and is not any more" in seen.reason
