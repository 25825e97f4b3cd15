"""An outcome that does not come is no failure of a mesh whose API server was away meanwhile."""

from __future__ import annotations

import time

import pytest
from cluster_fakes import CLIENT, answered
from proving_fakes import IP, make_rig, observation, prove

from clients.model.case import Case
from clients.model.evidence import Verdict
from clients.model.expect import rbac_denied, status

pytestmark = pytest.mark.unit

DENIED = Case("X-1", CLIENT.get(IP), rbac_denied())
OK = Case("X-1", CLIENT.get(IP), status(200))


@pytest.mark.parametrize(
    ("ago_s", "verdict"),
    [(0.0, Verdict.INCONCLUSIVE), (50.0, Verdict.INCONCLUSIVE), (3600.0, Verdict.FAIL), (None, Verdict.FAIL)],
    ids=["now", "a moment before", "long ago", "never"],
)
def test_a_refusal_that_did_not_come_while_the_api_server_was_away(ago_s: float | None, verdict: Verdict) -> None:
    """A run whose API server was killed failed its first case: istiod had not read the policy yet."""
    rig = make_rig(lambda rig, probe, request_id: answered(200, request_id))
    rig.cluster.api_lost_at = 0.0 if ago_s is None else time.monotonic() - ago_s
    found = prove(rig, DENIED)
    assert found.verdict is verdict
    assert ("the API server did not answer" in found.reason) is (verdict is Verdict.INCONCLUSIVE)
    assert "expected 403" in found.reason


def test_a_state_that_a_stage_did_not_settle_on_meanwhile() -> None:
    rig = make_rig(lambda rig, probe, request_id: answered(200, request_id))
    rig.cluster.api_lost_at = time.monotonic()
    found = prove(rig, OK, settled=(observation(problem="expected 000, saw 200", conclusive=True),))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "expected 000, saw 200" in found.reason


def test_a_pass_stays_one() -> None:
    rig = make_rig(lambda rig, probe, request_id: answered(200, request_id))
    rig.cluster.api_lost_at = time.monotonic()
    assert prove(rig, OK).verdict is Verdict.PASS
