"""A mesh that knows the harness's requests from a user's is found out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cluster_fakes import FakeRig, answered, lost
from proving_fakes import ALLOWED, DENIAL, make_rig, prove, require_jwt, texts

from clients.model.case import Case
from clients.model.evidence import Verdict
from clients.model.expect import RBAC_DENIED, status

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("quickly")]


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
