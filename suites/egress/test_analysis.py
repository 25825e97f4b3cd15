"""The analysis that reports nothing in other stages does report a mistake."""

from __future__ import annotations

import pytest

from clients.model.stage import Stage
from suites.egress.state import findings
from suites.egress.workloads import ENVIRONMENT, S3

STAGE = Stage(
    "egress-s3-missing-subset",
    title="istioctl analyze reports a route to a missing subset",
    environment=ENVIRONMENT,
    apply=(*S3, "egress/routes/missing-subset.yaml"),
)


@pytest.mark.control("EGR-ANALYZE-04")
def test_analysis_reports_a_missing_subset(observe, stage):
    def problem():
        found = findings(stage)
        right = [m for m in found if m.code == "IST0101" and "no-such-subset" in m.text]
        return None if right else f"found only {', '.join(f'{m.code} {m.text}' for m in found) or 'nothing'}"

    observe("EGR-ANALYZE-04", "IST0101 for the host and the subset that does not exist", problem)
