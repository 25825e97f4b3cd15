"""The load balancer is up, IAP is off: every visitor sees the page, over http and https."""

from __future__ import annotations

import pytest

from clients.model.stage import Stage
from suites.iap.visits import page_problem
from suites.iap.workloads import ENVIRONMENT, SITES

STAGE = Stage(
    "iap-load-balancer", title="Load balancer without IAP: the page opens over http and https", environment=ENVIRONMENT
)


@pytest.mark.control("IAP-LB-03")
@pytest.mark.parametrize("scheme", list(SITES))
def test_the_page_opens(observe, stand_in, scheme):
    stand_in.balancer.settings.enabled = False

    def problem():
        return page_problem(stand_in.visit("IAP-LB-03").visitor.get(f"{SITES[scheme]}/productpage"))

    observe("IAP-LB-03", f"200 and the product page over {scheme}", problem)
