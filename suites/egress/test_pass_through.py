"""TLS of the applications passes through the gateway by its server name, undecrypted; plain HTTP works as before.

There are no network policies yet: the ways around the sidecar that only they can shut are shown to be open.
"""

from __future__ import annotations

import hashlib
import re
import ssl

import pytest

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import rbac_denied, status
from clients.model.log_expectations import AccessLogExpectation, ServerLogExpectation
from clients.model.stage import Settle, Stage
from suites.egress.state import analysis_problem
from suites.egress.workloads import (
    BLACK_HOLE,
    BY_PASS_THROUGH,
    CLUSTER_DNS,
    ENVIRONMENT,
    EXAMPLE,
    EXAMPLE_TLS,
    EXCLUDED_X,
    GATEWAY,
    GATEWAY_NODE,
    HOSTS,
    HTTPBIN,
    HTTPBIN_TLS,
    NO_ROUTE,
    OPEN,
    OPEN_ADDRESS,
    PROXY_USER_X,
    RAW_X,
    S8,
    SHELL,
    TEAPOT,
    TEST_X,
    TEST_Y,
    almost,
    cut,
)

PASSED = TEST_X.get(EXAMPLE_TLS)
PLAIN = TEST_X.head(EXAMPLE)
STAGE = Stage(
    "egress-s8",
    title="TLS passes through the egress gateway untouched",
    environment=ENVIRONMENT,
    apply=S8,
    needs=HOSTS,
    settle=(
        Settle(PASSED, status(200), before=cut()),
        Settle(TEST_Y.get(EXAMPLE), status(502)),
        Settle(PLAIN, status(200)),
    ),
)

BY_SNI = AccessLogExpectation(
    Proxy.GATEWAY,
    tcp=True,
    status=0,
    authority="-",
    upstream="<example.com>:443",
    cluster=r"outbound\|443\|\|example\.com",
    local="<gateway>:<tls-port>",
    sni=r"example\.com",
)
BY_SIDECAR = AccessLogExpectation(
    Proxy.CLIENT, tcp=True, upstream="<gateway>:<tls-port>", cluster=BY_PASS_THROUGH, sni=r"example\.com"
)
NO_CHAIN = AccessLogExpectation(Proxy.GATEWAY, tcp=True, flags=frozenset({"NR"}), details="filter_chain_not_found")
TO_HTTPBIN = ServerLogExpectation(Proxy.GATEWAY, tls=True, sni="httpbin.org")
RAW_BY_GATEWAY = RAW_X.get(EXAMPLE_TLS, resolve=f"{GATEWAY}:443")
OTHER_HOST = (("Host", "httpbin.org"),)

CASES = [
    Case("EGR-PASS-01", PLAIN, status(200)),
    Case("EGR-PASS-02", PASSED, status(200), repeat=4),
    Case("EGR-PASS-03", PASSED, status(200), logged=(BY_SNI, BY_SIDECAR), repeat=4),
    Case("EGR-PASS-05", TEST_Y.get(f"{HTTPBIN_TLS}/get"), status(200), arrival=TO_HTTPBIN, variant="team-y"),
    Case("EGR-PASS-05", TEST_X.get(f"{HTTPBIN_TLS}/get"), status(200), arrival=TO_HTTPBIN, variant="team-x"),
    Case("EGR-PASS-06", TEST_Y.get(EXAMPLE_TLS), cut(), twin=TEST_Y.get(f"{HTTPBIN_TLS}/get"), logged=(BLACK_HOLE,)),
    Case(
        "EGR-PASS-07",
        TEST_Y.get(f"{HTTPBIN}/get"),
        rbac_denied(),
        twin=TEST_Y.get(TEAPOT),
        twin_expect=status(418),
        variant="team-y",
    ),
    Case("EGR-PASS-07", TEST_X.get(f"{HTTPBIN}/get"), rbac_denied(), twin=PLAIN, variant="team-x"),
    Case(
        "EGR-PASS-08",
        RAW_X.get("https://unknown.example", resolve=f"{GATEWAY}:443"),
        cut(),
        twin=RAW_BY_GATEWAY,
        logged=(NO_CHAIN,),
    ),
    # Unverified, for the server has no certificate for these names: it would answer them.
    *(
        Case(
            "EGR-PASS-08",
            RAW_X.get(f"https://{name}", resolve=f"{GATEWAY}:443", insecure=True),
            cut(),
            twin=RAW_BY_GATEWAY,
            logged=(NO_CHAIN,),
            variant=variant,
        )
        for variant, name in almost("example.com").items()
    ),
    Case(
        "EGR-PASS-09",
        PASSED,
        status(200),
        arrival=ServerLogExpectation(Proxy.GATEWAY, tls=True, sni="example.com"),
        variant="seen by the server",
    ),
    Case("EGR-PASS-10", RAW_BY_GATEWAY, status(200)),
]

# Ways around the sidecar. Those that only a network policy can shut are open, at an address without a firewall.
WAYS_OPEN = {"no sidecar": RAW_X, "user of the proxy": PROXY_USER_X}
CASES += [
    *(
        Case(
            "EGR-NETPOL-04",
            source.get(EXAMPLE, resolve=f"{OPEN_ADDRESS}:80"),
            status(200),
            arrival=ServerLogExpectation(source, tls=False),
            needs=OPEN | (SHELL if source is PROXY_USER_X else frozenset()),
            variant=way,
        )
        for way, source in WAYS_OPEN.items()
    ),
    Case(
        "X-EGR-RANGES-OPEN",
        EXCLUDED_X.get(EXAMPLE, resolve=f"{OPEN_ADDRESS}:80"),
        status(200),
        arrival=ServerLogExpectation(EXCLUDED_X, tls=False),
        needs=OPEN,
    ),
    Case(
        "X-EGR-ADDRESS",
        TEST_X.get(f"http://{OPEN_ADDRESS}", resolve=f"{OPEN_ADDRESS}:80"),
        status(502),
        twin=PLAIN,
        logged=(NO_ROUTE,),
        variant="another Host",
    ),
    Case(
        "X-EGR-ADDRESS",
        TEST_X.get(f"https://{OPEN_ADDRESS}", resolve=f"{OPEN_ADDRESS}:443"),
        cut(),
        twin=PASSED,
        logged=(BLACK_HOLE,),
        variant="another server name",
    ),
    # the server name decides, not the address: the request goes to the gateway, and on to the right address
    Case(
        "X-EGR-DIALLED",
        TEST_X.get(EXAMPLE_TLS, resolve=f"{OPEN_ADDRESS}:443"),
        status(200),
        arrival=ServerLogExpectation(Proxy.GATEWAY, tls=True, sni="example.com"),
        needs=CLUSTER_DNS,
    ),
    Case(
        "X-EGR-FRONTING",
        TEST_X.get(f"{EXAMPLE_TLS}/get", headers=OTHER_HOST),
        status(200),
        arrival=ServerLogExpectation(Proxy.GATEWAY, tls=True, sni="example.com"),
    ),
]


def test_case(case, prove):
    prove(case)


@pytest.mark.control("EGR-ANALYZE-03")
def test_analysis_is_clean(observe, stage):
    observe("EGR-ANALYZE-03", "no validation issues for istio-egress", lambda: analysis_problem(stage))


@pytest.mark.control("EGR-PASS-09")
def test_certificate_is_the_servers_own(observe, stage):
    def problem():
        through, direct = PASSED, GATEWAY_NODE.get(EXAMPLE_TLS)
        seen, own = (fingerprints(stage.rig.prober.probe(probe, "EGR-PASS-09")[0]) for probe in (through, direct))
        if not seen or not own:
            return "curl does not print the certificates"
        return None if seen == own else f"the application sees {seen}, the external server shows {own}"

    observe("EGR-PASS-09", "the application sees the certificates that the external server shows", problem)


def fingerprints(outcome):
    """SHA-256 of the certificates that curl was shown, the server's own first."""
    pems = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", outcome.certificates, re.DOTALL)
    return [hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() for pem in pems]
