"""Who was let in is refused on the same connection, without what it was let in for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cluster_fakes import FakeRig, answered, lost
from proving_fakes import DENIAL, make_rig, prove, texts

from clients.model.errors import InfrastructureError
from clients.model.evidence import Evidence, Verdict
from clients.model.expect import RBAC_DENIED, no_reply
from clients.model.outcome import Outcome, OutcomeKind
from clients.probe.same_connection import Exchanges
from clients.proof.proving import SAME_CONNECTION
from clients.proof.steps import kept_connection

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("quickly")]


def proven(pair: Exchanges | None) -> Evidence:
    rig = make_rig()
    if pair and pair.second.status == 403:
        rig.refuse_in_log(pair.second.request_id, "rbac_access_denied_matched_policy[none]")
    rig.pairs = [pair] * kept_connection.TRIES if pair else []
    return prove(rig, DENIAL)


def sent(second: Outcome, *, reused: bool = True, first: int = 200) -> Exchanges:
    return Exchanges(answered(first, "first"), replace(second, reused=reused))


def test_a_refusal_on_the_connection_of_the_twin_is_found() -> None:
    evidence = proven(sent(answered(403, "second", RBAC_DENIED)))
    assert evidence.verdict is Verdict.PASS
    assert "still got 403" in texts(evidence)[SAME_CONNECTION]
    assert "second" in {attempt.request_id for attempt in evidence.attempts}, "the backend must not have it"


def test_a_door_that_remembers_the_twin_fails_the_denial() -> None:
    evidence = proven(sent(answered(200, "second")))
    assert evidence.verdict is Verdict.FAIL
    assert "after the twin's request" in evidence.reason


@pytest.mark.parametrize(
    "pair",
    [
        None,
        sent(answered(403, "second", RBAC_DENIED), reused=False),
        sent(answered(403, "second", RBAC_DENIED), first=503),
    ],
    ids=["no common connection", "closed by the server", "twin not let in"],
)
def test_what_shares_no_connection_has_no_finding(pair: Exchanges | None) -> None:
    evidence = proven(pair)
    assert evidence.verdict is Verdict.PASS
    assert SAME_CONNECTION not in texts(evidence)


@pytest.mark.parametrize(
    "pair", [sent(answered(200, "second"), reused=False), sent(answered(200, "second"), first=503)]
)
def test_an_answer_that_is_no_refusal_counts_on_any_connection(
    pair: Exchanges,
) -> None:
    assert proven(pair).verdict is Verdict.FAIL


@pytest.mark.parametrize("status", [503, 403], ids=["no server", "no authorization server"])
@pytest.mark.parametrize(("unanswered", "verdict"), [(1, Verdict.PASS), (9, Verdict.FAIL)])
def test_an_answer_that_no_server_gave_is_asked_for_again(unanswered: int, verdict: Verdict, status: int) -> None:
    rig = make_rig()
    refused = sent(answered(403, "second", RBAC_DENIED))
    rig.refuse_in_log("second", "rbac_access_denied_matched_policy[none]")
    rig.pairs = [sent(answered(status, "first try"))] * unanswered + [refused]
    assert prove(rig, DENIAL).verdict is verdict


def test_a_lost_answer_is_not_the_meshs_fault() -> None:
    assert proven(sent(lost("second"))).verdict is Verdict.INCONCLUSIVE


def test_a_lost_answer_is_asked_for_again() -> None:
    rig = make_rig()
    rig.refuse_in_log("second", "rbac_access_denied_matched_policy[none]")
    rig.pairs = [sent(lost("first try")), sent(answered(403, "second", RBAC_DENIED))]
    assert SAME_CONNECTION in texts(evidence := prove(rig, DENIAL))
    assert evidence.verdict is Verdict.PASS


def test_without_a_way_to_the_gateway_nothing_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_way(*_: Any) -> Exchanges:
        raise InfrastructureError("no way leads there")

    monkeypatch.setattr(FakeRig, "on_one_connection", no_way)
    assert prove(make_rig(), DENIAL).verdict is Verdict.INCONCLUSIVE


def test_a_denial_without_an_answer_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = FakeRig(lambda probe, name: answered(200, name) if probe.token else lost(name))
    asked = "there is no answer to compare"
    monkeypatch.setattr(FakeRig, "on_one_connection", lambda *_: pytest.fail(asked))
    prove(rig, replace(DENIAL, expect=no_reply(OutcomeKind.RESET)))
