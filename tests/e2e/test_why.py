"""A case that a mutant of the mesh costs its pass says why, and blames the right object."""

from __future__ import annotations

from pathlib import Path

import pytest
from kills import spoilt

from tests.mutants.registry import MESH

pytestmark = pytest.mark.e2e

WHYS = [
    (
        "policy-of-another-revision",
        "LAB-AUTHZ-02",
        "AuthorizationPolicy mtls-service/require-jwt carries istio.io/rev=",
    ),
    (
        "matches-nothing",
        "LAB-AUTHZ-02",
        "AuthorizationPolicy mtls-service/require-jwt selects no workload: app=httpbim matches none in mtls-service "
        "(httpbin has app=httpbin)",
    ),
    (
        "any-token",
        "LAB-AUTHZ-04",
        "AuthorizationPolicy mtls-service/require-jwt allows it: rule 0 matches",
    ),
    (
        "deny-all",
        "LAB-AUTHZ-01",
        "AuthorizationPolicy mtls-service/deny-all refused it at mtls-service/httpbin by its rule 0 (the proxy's log)",
    ),
    (
        "another-principal",
        "LAB-AUTHZ-01",
        "AuthorizationPolicy mtls-service/require-jwt does not allow it: requestPrincipals ",
    ),
    (
        "wrong-key",
        "LAB-JWT-03[RS256]",
        "RequestAuthentication mtls-service/jwt-example refused the token at mtls-service/httpbin: Jw",
    ),
    (
        "dry-run",
        "LAB-AUTHZ-02",
        "AuthorizationPolicy mtls-service/require-jwt is a dry run, and so refuses nothing",
    ),
    (
        "audited-only",
        "LAB-AUTHZ-02",
        "AuthorizationPolicy mtls-service/require-jwt has action AUDIT, and so refuses nothing",
    ),
    (
        "an-older-one-wins",
        "LAB-NSMTLS-03",
        "PeerAuthentication strict-mtls-service/restricted-mtls is not in force at strict-mtls-service/httpbin: "
        "PeerAuthentication strict-mtls-service/a-mtls of the same level is older",
    ),
    (
        "workload-permissive",
        "LAB-NSMTLS-03",
        "PeerAuthentication strict-mtls-service/restricted-mtls (STRICT) is overridden at strict-mtls-service/httpbin "
        "by PeerAuthentication strict-mtls-service/restricted-mtls-too (PERMISSIVE)",
    ),
    (
        "port-level-of-the-service",
        "LAB-NSMTLS-03",
        "PeerAuthentication strict-mtls-service/restricted-mtls sets STRICT for port 8000, which is the port of "
        "Service strict-mtls-service/httpbin; the container's is 8080",
    ),
    (
        "wrong-namespace",
        "LAB-NSMTLS-03",
        "mutual TLS at strict-mtls-service/httpbin port 8080 is PERMISSIVE by default: no PeerAuthentication applies; "
        "PeerAuthentication mtls-service/restricted-mtls of this stage is not for it",
    ),
    (
        "root-namespace",
        "LAB-NSMTLS-02",
        "mutual TLS at mtls-service/httpbin is STRICT by PeerAuthentication istio-system/restricted-mtls, and "
        "legacy-client/sleep has no sidecar",
    ),
]
"""Mutant, case, beginning of its `why`."""


@pytest.mark.parametrize(("mutant", "name", "why"), WHYS, ids=[row[0] for row in WHYS])
def test_a_failed_case_says_why(mutant: str, name: str, why: str, tmp_path: Path) -> None:
    ran = spoilt(tmp_path, MESH[mutant])
    assert ran.cases[name]["why"].startswith(why), (ran.cases[name]["reason"], ran.cases[name]["why"])
    assert f"why: {why}" in ran.output
    assert all(not case["why"] for case in ran.cases.values() if case["verdict"] == "pass")


def test_a_backend_that_is_down_is_no_policy_of_anyone(tmp_path: Path) -> None:
    """Nothing is known of policies there, and so nothing is said of them."""
    ran = spoilt(tmp_path, MESH["backend-down"])
    assert ran.code == (1 if "fail" in ran.verdicts.values() else 3)
    assert {case["why"] for case in ran.cases.values()} == {""}
