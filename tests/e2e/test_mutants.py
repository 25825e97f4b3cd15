"""Each mutant of the mesh costs the right controls their pass: none that it concerns stays pass, the others do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kills import FAIL, LOST, PASS, Kill, cases, is_killed, spoilt

from clients.kube.cluster import Cluster
from testbed import api
from tests.mutants import identity, workloads

pytestmark = pytest.mark.e2e

# Where a stage's change does not come (`settled`), nothing is proven in it, and its allowed cases fail with the others.
KILLS = [
    Kill(
        "not-injected",
        cases("LAB-SETUP-02", PASS)
        | cases("LAB-SETUP-03", FAIL)
        | cases("LAB-PERM-01 03", PASS)
        | cases("LAB-XFCC-01 03", FAIL)
        | cases("LAB-MTLS-01 02 03 04", FAIL),
        {"LAB-SETUP-03": "has containers httpbin", "LAB-XFCC-03": "twin:", "LAB-MTLS-03": "settled 1"},
    ),
    Kill(
        "port-exempt",
        cases("LAB-NSMTLS-01", PASS) | cases("LAB-NSMTLS-02 03 04", FAIL),
        {"LAB-NSMTLS-03": "expected 000 reset (56), saw 200"},
    ),
    Kill("matches-nothing", cases("LAB-AUTHZ-01 02 03 04", FAIL), {"LAB-AUTHZ-02": "saw 200"}),
    Kill("istiod-stopped", cases("LAB-NSMTLS-02 03 04", FAIL), {"LAB-NSMTLS-03": "settled 1"}),
    Kill(
        "backend-down",
        cases("LAB-MTLS-01", FAIL)
        | cases("LAB-MTLS-02", PASS)
        | cases("LAB-MTLS-03", FAIL)
        | cases("LAB-MTLS-04", PASS),
        {"LAB-MTLS-01": "saw 503", "LAB-MTLS-03": "refused"},
    ),
    Kill(
        "deny-all",
        cases("LAB-AUTHZ-01 02", FAIL),
        {"LAB-AUTHZ-01": "saw 403", "LAB-AUTHZ-02": "twin: LAB-AUTHZ-01 expected 200, saw 403"},
    ),
    Kill("replica-cut-off", cases("LAB-NSMTLS-02 03 04", FAIL), {"LAB-NSMTLS-03": "saw 200"}),
    Kill(
        "exec-forbidden",
        cases("LAB-NSMTLS-02 03 04", LOST),
        {"LAB-NSMTLS-02": "orbidden", "LAB-NSMTLS-03": "orbidden"},
    ),
    Kill(
        "wrong-key",
        cases("LAB-JWT-01", FAIL) | cases("LAB-JWT-02", PASS) | {"LAB-JWT-03[RS256]": FAIL},
        {"LAB-JWT-01": "twin: LAB-JWT-03 expected 200, saw 401", "LAB-JWT-03[RS256]": "saw 401"},
        ("-k", "not ES256"),
    ),
    Kill(
        "any-token",
        cases("LAB-AUTHZ-01 02 03", PASS) | cases("LAB-AUTHZ-04", FAIL),
        {"LAB-AUTHZ-04": "saw 200"},
    ),
    Kill("two-rules", cases("LAB-PATH-01 02 03 04", FAIL), {"LAB-PATH-02": "saw 200"}),
    Kill("wrong-namespace", cases("LAB-NSMTLS-02 03 04", FAIL), {"LAB-NSMTLS-03": "saw 200"}),
    Kill(
        "root-namespace",
        cases("LAB-NSMTLS-02", FAIL) | cases("LAB-NSMTLS-03 04", PASS),
        {"LAB-NSMTLS-02": "saw 000 reset (56)"},
    ),
    Kill(
        "copy-stays",
        cases("LAB-CLEAN-01 02", FAIL),
        {"LAB-CLEAN-01": "saw 403", "LAB-CLEAN-02": "twin: LAB-CLEAN-01 expected 200, saw 403"},
    ),
    Kill(
        "faked-denial",
        cases("LAB-AUTHZ-01", PASS) | cases("LAB-AUTHZ-02", FAIL),
        {"LAB-AUTHZ-02": "refused requests reached the backend"},
    ),
    Kill(
        "leaks-a-little",
        cases("LAB-AUTHZ-02", FAIL),
        {"LAB-AUTHZ-02": "leak: expected 403, body contains 'RBAC: access denied', saw 200"},
        ("--leak", "1%", "--budget", "20"),
    ),
    Kill(
        "caller-not-counted",
        cases("LAB-DASH-01", FAIL) | cases("LAB-DASH-02", PASS),
        {"LAB-DASH-01": "counted as the other caller's"},
    ),
]


@pytest.mark.parametrize("kill", KILLS, ids=[kill.mutant for kill in KILLS])
def test_mutant_is_killed(kill: Kill, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    how = request.getfixturevalue("restricted_identity") if kill.mutant == "exec-forbidden" else ((), {})
    ran = spoilt(tmp_path, kill, *how)
    is_killed(ran, kill)
    assert any(path.is_relative_to(ran.folder / "diagnostics") for path in ran.files)  # type: ignore[operator]


@pytest.fixture
def restricted_identity(
    cluster: Cluster, testbed: api.Up, tmp_path: Path
) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Options and environment of a run by an identity that may do what it needs, and no more."""
    images = {f"MESHPROOF_IMAGES__{name.upper()}": image for name, image in testbed.images.items()}
    with identity.restricted(cluster, tmp_path) as kubeconfig:
        yield ("--kubeconfig", str(kubeconfig)), images


@pytest.fixture(scope="module", autouse=True)
def istiod_runs(cluster: Cluster) -> Iterator[None]:
    """A killed mutant could leave it stopped."""
    yield
    workloads.repair_istiod()
