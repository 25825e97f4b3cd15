"""Whatever a policy judges by mutual TLS needs a mesh whose sidecars use it by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plan_fakes import planned_test

from clients.model.case import Case
from clients.model.errors import ManifestError
from clients.model.expect import status
from clients.model.probe import Probe, Workload
from clients.model.stage import Settle, Stage, Step
from clients.probe.outside import through
from runner.config.catalogue import Control
from runner.session.needs.mutual_tls_needs import mutual_tls_needs
from runner.session.needs.sidecars import bodies_of
from runner.session.planned import Proves

pytestmark = pytest.mark.unit
INJECTED, PLAIN = Workload("mtls-client", "sleep", "sleep"), Workload("legacy-client", "sleep", "sleep")
RAW, GATEWAY = Workload("team-x", "raw", "curl"), Workload("istio-egress", "gateway-node", "curl")
MESH, NONE = "http://httpbin.mtls-service:8000/ip", "http://httpbin.legacy-service:8000/ip"
STRICT = {"apply": ("lab/mesh-wide-strict",)}
NEEDED = {"auto-mtls"}


def proves(one: Case, **stage: Any) -> Proves:
    return Proves(planned_test("n"), Control("X-1", "t", "allow"), case=one, stage=Stage("s", **stage))


def case(probe: Probe, **more: Any) -> Case:
    return Case("X-1", probe, status(200), **more)


@pytest.mark.parametrize(
    ("one", "stage", "needed"),
    [
        (case(INJECTED.get(MESH)), STRICT, NEEDED),
        (case(INJECTED.get(MESH)), {}, set()),
        (case(INJECTED.get(NONE)), STRICT, set()),
        (case(INJECTED.get("http://example.com/")), STRICT, set()),
        (case(PLAIN.get(MESH)), STRICT, set()),
        (case(RAW.get("http://echo.team-x/ip")), STRICT, set()),
        (case(PLAIN.get(MESH), twin=INJECTED.get(MESH)), STRICT, NEEDED),
        (case(PLAIN.get(MESH)), {**STRICT, "settle": (Settle(INJECTED.get(MESH), status(200)),)}, NEEDED),
        (case(INJECTED.get(MESH)), {"apply": ("lab/jwt/require-jwt.yaml",)}, set()),
        (case(INJECTED.get(MESH)), {"replaced": ("lab/mesh-wide-strict",)}, NEEDED),
        (case(INJECTED.get(MESH), step="next"), {"steps": (Step("next", apply=("lab/mesh-wide-strict",)),)}, NEEDED),
        (case(INJECTED.get(MESH)), {"steps": (Step("next", apply=("lab/mesh-wide-strict",)),)}, set()),
        (case(Probe(through(INJECTED), "http://a.example/", behind="httpbin.mtls-service")), STRICT, NEEDED),
    ],
)
def test_requests_by_mutual_tls_count_where_a_policy_asks_for_it(
    one: Case, stage: dict[str, Any], needed: set[str]
) -> None:
    assert mutual_tls_needs(proves(one, **stage)) == needed


def test_a_manifest_that_is_no_utf_8_is_named(tmp_path: Path) -> None:
    """It ended a plan with "nothing was selected"."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_bytes(b"\xff\xfe\n")
    with pytest.raises(ManifestError, match=r"the manifest .*wrong\.yaml is not text in UTF-8"):
        list(bodies_of([wrong]))
