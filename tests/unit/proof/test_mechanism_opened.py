"""By which policies a request may be refused, also where the run itself has allowed everything else."""

from __future__ import annotations

import pytest

from clients.mesh.policies import EnforcedPolicy
from clients.model.decision import Decision, Mechanism
from clients.proof.logs.mechanism import expected_policies

pytestmark = pytest.mark.unit

DENY, ALLOW = EnforcedPolicy("shop/deny", "DENY"), EnforcedPolicy("shop/allow", "ALLOW")
ROOT = EnforcedPolicy("istio-system/allow-nothing", "ALLOW")
OPEN = EnforcedPolicy("shop/meshproof-open-mesh-0", "ALLOW")


@pytest.mark.parametrize(
    ("policies", "names"),
    [
        ({DENY}, {"shop/deny"}),
        ({DENY, ALLOW}, {"shop/deny", "none"}),
        ({ALLOW, ROOT}, {"none"}),
        ({DENY, ROOT, OPEN}, {"shop/deny"}),
        ({ROOT, OPEN}, set()),
        (set(), set()),
    ],
)
def test_where_everything_is_allowed_only_a_denial_may_refuse(policies: set[EnforcedPolicy], names: set[str]) -> None:
    """Otherwise a refusal before the allowing policy has come would be taken for that of the policy under test."""
    assert expected_policies(Decision(Mechanism.AUTHORIZATION), policies) == names


def test_a_policy_that_the_case_states_is_the_only_one() -> None:
    decision = Decision(Mechanism.AUTHORIZATION, policy="shop/deny")
    assert expected_policies(decision, {ALLOW, ROOT}) == {"shop/deny"}
