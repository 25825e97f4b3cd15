"""Telemetry identifies the injected caller by name and mutual TLS, the plain one as unknown and plaintext.

The lab reads this on a console. Here it comes from the statistics of the server's sidecar: Istio's standard metrics
where the sidecar keeps them with the tags that name a caller, otherwise the counters of a policy in dry run that does.
"""

from __future__ import annotations

import pytest

from clients.model.stage import Stage
from suites.counters import Growth
from suites.lab.telemetry import named_caller, unknown_caller
from suites.lab.workloads import ENVIRONMENT, LEGACY_CLIENT, MTLS_CLIENT, MTLS_SERVICE

STAGE = Stage(
    "telemetry",
    title="Server's telemetry names the caller and whether it used mutual TLS",
    environment=ENVIRONMENT,
    apply=("lab/telemetry/caller-is-sleep.yaml",),
    needs=frozenset({"auto-mtls"}),
)


@pytest.mark.control("LAB-DASH-01")
def test_injected_caller_is_named_and_mutual_tls(observe, stage):
    growth = Growth(stage.rig, MTLS_CLIENT.get(f"{MTLS_SERVICE}/ip"), counted=named_caller, not_counted=unknown_caller)
    expected = "requests of mtls-client count as those of sleep in mtls-client by mutual TLS, and not as unknown"
    observe("LAB-DASH-01", expected, lambda: growth.problem("LAB-DASH-01"))


@pytest.mark.control("LAB-DASH-02")
def test_plain_caller_is_unknown_and_plaintext(observe, stage):
    growth = Growth(
        stage.rig, LEGACY_CLIENT.get(f"{MTLS_SERVICE}/ip"), counted=unknown_caller, not_counted=named_caller
    )
    expected = "requests of legacy-client count as those of an unknown caller by plaintext, and not as sleep's"
    observe("LAB-DASH-02", expected, lambda: growth.problem("LAB-DASH-02"))
