"""Published advisories about authorization: policies in the form that let others in, and requests that would get in."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import has_header, rbac_denied, status
from clients.model.probe import Workload
from clients.model.stage import Settle, Stage
from suites.lab.workloads import ENVIRONMENT, MTLS_CLIENT, MTLS_SERVICE

REPORT = Workload("mtls-client", "report", "sleep")
LOOKALIKE = Workload("mtls-client", "lookalike", "sleep")
"""Its account is called as that of `REPORT`, with an x for the dot."""

ORDERS = "http://orders.mtls-service:8000"
IP = f"{MTLS_SERVICE}/ip"

BY_ACCOUNT = REPORT.get(IP)
BY_IDENTITY = REPORT.get(f"{ORDERS}/orders", http2=True)
LISTED = REPORT.get(f"{ORDERS}/list", http2=True)
POST = replace(BY_IDENTITY, method="POST")
USER = REPORT.get(IP, headers=(("x-role", "user"),))
ADMIN = REPORT.get(IP, headers=(("x-role", "admin"),))
USER_AND_ADMIN = REPORT.get(IP, headers=(("x-role", "user"), ("x-role", "admin")))

REFUSED = rbac_denied()
ANSWERED = status(200, has_header("x-served-by", "orders"))

STAGE = Stage(
    "advisories",
    title="Policies in the form that published advisories are about",
    environment=(*ENVIRONMENT, "lab/advisories/environment"),
    apply=("lab/advisories/policies.yaml",),
    settle=(
        Settle(MTLS_CLIENT.get(IP), REFUSED),
        Settle(ADMIN, REFUSED),
        Settle(MTLS_CLIENT.get(f"{ORDERS}/list", http2=True), REFUSED),
        Settle(POST, REFUSED),
    ),
)


def spelt(method):
    probe = replace(POST, method=method)
    return Case("X-CVE-GHSA-W44G-01", probe, REFUSED, before=ANSWERED, twin=BY_IDENTITY, twin_expect=ANSWERED,
                variant=method)  # fmt: skip


CASES = [
    *map(spelt, ("POST", "post", "Post")),
    Case("X-CVE-GHSA-W44G-02", BY_IDENTITY, ANSWERED, before=ANSWERED),
    Case("X-CVE-GHSA-W44G-03", replace(LISTED, method="get"), REFUSED, before=ANSWERED, twin=LISTED,
         twin_expect=ANSWERED),
    Case("X-CVE-GHSA-W44G-04", LISTED, ANSWERED, before=ANSWERED),
    Case("X-CVE-2026-39350-01", LOOKALIKE.get(IP), REFUSED, before=status(200), twin=BY_ACCOUNT),
    Case("X-CVE-2026-39350-02", BY_ACCOUNT, status(200), before=status(200)),
    Case("X-CVE-ISTIO-59992-01", replace(BY_IDENTITY, source=LOOKALIKE), REFUSED, before=ANSWERED, twin=BY_IDENTITY,
         twin_expect=ANSWERED),
    Case("X-CVE-ISTIO-59992-02", BY_IDENTITY, ANSWERED, before=ANSWERED),
    Case("X-CVE-2026-26308-01", USER_AND_ADMIN, REFUSED, before=status(200), twin=USER),
    Case("X-CVE-2026-26308-02", USER, status(200), before=status(200)),
]  # fmt: skip


def test_case(case, prove):
    prove(case)
