"""An outcome that is observed apart from any case."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from cluster_fakes import QUICK, FakeRig

from clients.model.expect import no_reply, status
from clients.model.outcome import Outcome, OutcomeKind
from clients.model.probe import Workload
from clients.probe.converge import converge
from clients.proof.stage import observation
from clients.proof.stage.observation import baseline_budget_s, observe_probe

PROBE = Workload("mtls-client", "sleep", "sleep").get("http://httpbin.mtls-service:8000/ip")


def rig_without_names() -> FakeRig:
    rig = FakeRig(lambda _, request_id: Outcome(OutcomeKind.DNS, request_id, exit_code=28))
    rig.policy = replace(QUICK, budget_s=0.01)
    return rig


@pytest.mark.parametrize(("changed", "conclusive"), [(False, False), (True, True)])
def test_a_name_that_was_not_resolved_before_any_change_says_nothing_of_the_mesh(changed: bool, conclusive: bool):
    since = time.monotonic() if changed else None
    seen = observe_probe(rig_without_names(), PROBE, status(200), "X-1", 1, since=since)
    assert (bool(seen.problem), seen.conclusive) == (True, conclusive)


def test_a_name_that_must_not_be_resolved_is_as_expected():
    expected = no_reply(OutcomeKind.DNS)
    assert observe_probe(rig_without_names(), PROBE, expected, "X-1", 1).problem == ""


@pytest.mark.parametrize(("budget_s", "waited_s"), [(30.0, 15.0), (10.0, 10.0), (120.0, 60.0)])
def test_a_longer_budget_is_one_for_the_state_before_too(
    budget_s: float, waited_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a cluster whose changes take minutes to arrive, the stage before may have ended a moment ago."""
    given = []

    def asked(send: Any, expect: Any, policy: Any, **more: Any) -> Any:
        given.append(policy.budget_s)
        return converge(send, expect, replace(policy, budget_s=0.01), **more)

    monkeypatch.setattr(observation, "converge", asked)
    rig = rig_without_names()
    rig.policy = replace(QUICK, budget_s=budget_s)
    observe_probe(rig, PROBE, status(200), "X-1", 1)
    assert given == [waited_s]


@pytest.mark.parametrize(("ago_s", "left_s"), [(0.0, 30.0), (10.0, 20.0), (20.0, 15.0)])
def test_a_state_that_was_made_a_moment_ago_has_the_rest_of_a_change_s_budget(ago_s: float, left_s: float) -> None:
    policy = replace(QUICK, budget_s=30.0)
    assert baseline_budget_s(policy, time.monotonic() - ago_s) == pytest.approx(left_s, abs=0.5)
