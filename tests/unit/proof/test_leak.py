"""How small a leak a denial's probes would have shown, and that a run that wants a smaller one finds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from cluster_fakes import QUICK, FakeRig, answered, broken, lost
from proving_fakes import DENIAL, make_rig, prove, require_jwt

from clients.model.case import Case
from clients.model.evidence import Evidence, Finding, Verdict
from clients.model.expect import status
from clients.model.outcome import Outcome
from clients.model.probe import Probe
from clients.probe.confirm import probes_for_leak

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("quickly")]

POLICY = replace(QUICK, budget_s=5.0)


def rig_for(leak: float | None, answer: Any = require_jwt) -> FakeRig:
    rig = make_rig(answer)
    rig.policy = replace(POLICY, leak=leak)
    return rig


def found(evidence: Evidence) -> Finding:
    [finding] = [one for one in evidence.findings if one.name == "leak"]
    return finding


def let_in(name: str) -> Outcome:
    return answered(200, name)


class LetsOneThrough:
    """A mesh that lets one request of so many without a token through, and no longer logs what it does."""

    def __init__(self, at: int, outcome: Callable[[str], Outcome] = let_in) -> None:
        self.at, self.seen, self.outcome = at, 0, outcome

    def __call__(self, rig: FakeRig, probe: Probe, name: str) -> Any:
        if not probe.token:
            self.seen += 1
            if self.seen == self.at:
                return self.outcome(name)
        return require_jwt(rig, probe, name)


def test_a_denial_states_the_share_that_its_probes_would_have_shown():
    evidence = prove(rig_for(None), DENIAL)
    assert evidence.verdict is Verdict.PASS, evidence.reason
    assert evidence.leak is not None
    assert (evidence.leak.probes, round(evidence.leak.share, 2)) == (5, 0.6)  # three confirmations, two after the twin
    assert "5 probes refused in a row: if 60 % of the requests were let through" in found(evidence).text


def test_what_is_allowed_states_no_share():
    evidence = prove(rig_for(0.01), Case("X-1", replace(DENIAL.probe, token="valid"), status(200)))
    assert evidence.leak is None
    assert not [one for one in evidence.findings if one.name == "leak"]


def test_without_an_open_path_no_share_is_stated():
    evidence = prove(rig_for(0.01, lambda _, __, name: answered(403, name, "RBAC: access denied")), DENIAL)
    assert (evidence.verdict, evidence.leak) == (Verdict.FAIL, None)


def test_probes_go_on_until_the_wanted_share_would_have_shown():
    rig = rig_for(0.05)
    evidence = prove(rig, DENIAL)
    assert evidence.verdict is Verdict.PASS, evidence.reason
    assert evidence.leak is not None
    assert evidence.leak.probes == probes_for_leak(0.05) == sum(not probe.token for probe in rig.sent)
    assert evidence.leak.share <= 0.05
    assert len(evidence.attempts) < 20  # the further ones are only counted


def test_the_further_refused_requests_are_looked_for_in_the_backends_log():
    evidence = prove(rig_for(0.05), DENIAL)
    [text] = [one.text for one in evidence.findings if one.name == "backend log"]
    assert text.startswith("90 refused request ids absent")


def test_a_leak_that_the_confirmations_missed_fails():
    assert prove(rig_for(None, LetsOneThrough(70)), DENIAL).verdict is Verdict.PASS
    evidence = prove(rig_for(0.05, LetsOneThrough(70)), DENIAL)
    assert evidence.verdict is Verdict.FAIL
    assert "leak: expected 403" in evidence.reason
    assert "saw 200" in evidence.reason
    assert [attempt.summary for attempt in evidence.attempts][-1] == "200"
    assert evidence.leak is None


def test_a_share_that_the_budget_does_not_reach_is_inconclusive():
    rig = rig_for(0.05)
    rig.policy = replace(rig.policy, budget_s=0.3, leak=1e-7)
    evidence = prove(rig, DENIAL)
    assert evidence.verdict is Verdict.INCONCLUSIVE
    assert "too few to show a leak of 1e-07; raise the budget" in evidence.reason


def test_probes_that_did_not_run_do_not_count():
    def answer(rig: FakeRig, probe: Probe, name: str) -> Any:
        return lost(name) if len(rig.sent) > 20 and not probe.token else require_jwt(rig, probe, name)

    rig = rig_for(0.05, answer)
    rig.policy = replace(rig.policy, budget_s=0.3)
    assert prove(rig, DENIAL).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("outcome", "summary"),
    [(partial(broken, 56), "000 reset (56)"), (partial(answered, 403), "403")],
    ids=["no answer", "an authorization server that does not answer"],
)
def test_an_outcome_without_an_answer_is_no_leak_and_begins_the_row_again(
    outcome: Callable[[str], Outcome], summary: str
):
    """One of many probes is not answered in time on a busy machine: it was not let in."""
    slow = LetsOneThrough(50, outcome)
    rig = rig_for(0.05, slow)
    evidence = prove(rig, DENIAL)
    assert evidence.verdict is Verdict.PASS, evidence.reason
    assert evidence.leak is not None
    assert evidence.leak.probes == probes_for_leak(0.05)
    assert sum(not probe.token for probe in rig.sent) == 50 + probes_for_leak(0.05)
    assert [one.summary for one in evidence.attempts if not one.matched] == [summary]


def test_a_mesh_that_answers_no_more_fails():
    def answer(rig: FakeRig, probe: Probe, name: str) -> Any:
        return answered(503, name) if len(rig.sent) > 20 and not probe.token else require_jwt(rig, probe, name)

    rig = rig_for(0.05, answer)
    rig.policy = replace(rig.policy, budget_s=0.3)
    evidence = prove(rig, DENIAL)
    assert evidence.verdict is Verdict.FAIL
    assert "leak: expected 403" in evidence.reason
    assert "saw 503" in evidence.reason
