"""No policy anywhere: every client reaches every server, and a header shows which pair used mutual TLS."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import status
from clients.model.log_expectations import AccessLogExpectation
from clients.model.stage import Stage
from suites.lab.workloads import (
    ENVIRONMENT,
    LEGACY_CLIENT,
    LEGACY_SERVICE,
    MTLS_CLIENT,
    MTLS_SERVICE,
    STRICT_SERVICE,
    XFCC,
    client_cert_of_sleep,
    no_client_cert,
)

STAGE = Stage(
    "permissive", title="Security lab: no policy, so plaintext and mutual TLS both work", environment=ENVIRONMENT
)

WITH_CERTIFICATE = MTLS_CLIENT.get(f"{MTLS_SERVICE}/headers")
SHOWS_CERTIFICATE = status(200, client_cert_of_sleep())
SHOWS_NONE = status(200, no_client_cert())
BY_MUTUAL_TLS = AccessLogExpectation(Proxy.SERVER, sni=r"outbound_\.8000_\._\.httpbin\..+")
"""Of the name that a sidecar asks for in its TLS hello; a header alone could be a filter's."""
CERTIFICATES = frozenset({"auto-mtls"})
FORGED = ((XFCC, "By=spiffe://forged;URI=spiffe://forged"),)

CASES = [
    Case("LAB-PERM-01", MTLS_CLIENT.get(f"{MTLS_SERVICE}/ip"), status(200)),
    Case("LAB-PERM-02", MTLS_CLIENT.get(f"{LEGACY_SERVICE}/ip"), status(200)),
    Case("LAB-PERM-03", LEGACY_CLIENT.get(f"{MTLS_SERVICE}/ip"), status(200)),
    Case("LAB-PERM-04", LEGACY_CLIENT.get(f"{LEGACY_SERVICE}/ip"), status(200)),
    Case("LAB-XFCC-01", WITH_CERTIFICATE, SHOWS_CERTIFICATE, logged=(BY_MUTUAL_TLS,), needs=CERTIFICATES),
    Case(
        "LAB-XFCC-02",
        MTLS_CLIENT.get(f"{LEGACY_SERVICE}/headers"),
        SHOWS_NONE,
        twin=WITH_CERTIFICATE,
        twin_expect=SHOWS_CERTIFICATE,
        needs=CERTIFICATES,
    ),
    Case(
        "LAB-XFCC-03",
        LEGACY_CLIENT.get(f"{MTLS_SERVICE}/headers"),
        SHOWS_NONE,
        twin=WITH_CERTIFICATE,
        twin_expect=SHOWS_CERTIFICATE,
        needs=CERTIFICATES,
    ),
    Case(
        "LAB-XFCC-04",
        LEGACY_CLIENT.get(f"{MTLS_SERVICE}/headers", headers=FORGED),
        SHOWS_NONE,
        twin=WITH_CERTIFICATE,
        twin_expect=SHOWS_CERTIFICATE,
        needs=CERTIFICATES,
    ),
    Case(
        "X-LAB-XFCC-FORGED",
        MTLS_CLIENT.get(f"{MTLS_SERVICE}/headers", headers=FORGED),
        SHOWS_CERTIFICATE,
        twin=WITH_CERTIFICATE,
        twin_expect=SHOWS_CERTIFICATE,
        needs=CERTIFICATES,
    ),
    Case("LAB-NSMTLS-01", LEGACY_CLIENT.get(f"{STRICT_SERVICE}/ip"), status(200)),
]


def test_case(case, prove):
    prove(case)
