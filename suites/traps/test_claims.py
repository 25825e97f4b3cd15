"""Claims in rules: what is no string (or list of them) never matches; without `sub` there is no principal."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import rbac_denied, status
from clients.model.stage import Settle, Stage, Step
from clients.model.token import Token
from suites.traps.workloads import ENVIRONMENT, HTTPBIN, MESH


def asks(path: str, **claims: object):
    return MESH.get(f"{HTTPBIN}{path}", tokens=(Token("people", {"sub": "alice", **claims}),))


VERIFIED = asks("/get", email_verified="true")
BY_STRING = asks("/user-agent", roles="editor admin")
WITH_SUBJECT = asks("/ip")

STAGE = Stage(
    "traps-claims",
    title="Rules that ask for claims of several types",
    environment=ENVIRONMENT,
    apply=("traps/claims/people.yaml", "traps/claims/by-claim.yaml"),
    settle=(Settle(MESH.get(f"{HTTPBIN}/get"), rbac_denied(), before=status(200)), Settle(VERIFIED, status(200))),
    steps=(
        Step(
            "split",
            title="Rules that ask for claims, of which one is split at its spaces",
            apply=("traps/claims/split-roles.yaml",),
            settle=(Settle(BY_STRING, status(200)),),
        ),
    ),
)

CASES = [
    Case("X-TRAP-CLAIMS-01", asks("/get", email_verified=True), rbac_denied(), before=status(200), twin=VERIFIED),
    Case("X-TRAP-CLAIMS-02", VERIFIED, status(200)),
    Case("X-TRAP-CLAIMS-03", asks("/ip", sub=None), rbac_denied(), twin=WITH_SUBJECT),
    Case("X-TRAP-CLAIMS-04", WITH_SUBJECT, status(200)),
    Case("X-TRAP-CLAIMS-05", asks("/headers", sub=None), status(200)),
    Case("X-TRAP-CLAIMS-06", asks("/user-agent", roles=["editor", "admin"]), status(200)),
    Case("X-TRAP-CLAIMS-07", BY_STRING, rbac_denied(), twin=asks("/user-agent", roles=["admin"])),
    Case("X-TRAP-CLAIMS-08", BY_STRING, status(200), step="split"),
    Case("X-TRAP-CLAIMS-09", asks("/uuid", realm_access={"roles": ["admin"]}), status(200)),
]


def test_case(case, prove):
    prove(case)
