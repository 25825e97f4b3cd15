"""STRICT for one namespace: it refuses plaintext and accepts mutual TLS; another namespace stays open."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import no_reply, reset, status
from clients.model.log_expectations import AccessLogExpectation
from clients.model.outcome import OutcomeKind
from clients.model.stage import Settle, Stage
from suites.lab.workloads import ENVIRONMENT, LEGACY_CLIENT, MTLS_CLIENT, MTLS_SERVICE, STRICT_SERVICE

PLAIN_TO_STRICT = LEGACY_CLIENT.get(f"{STRICT_SERVICE}/ip")
MUTUAL_TO_STRICT = MTLS_CLIENT.get(f"{STRICT_SERVICE}/ip")
TLS_TO_STRICT = LEGACY_CLIENT.get(f"{STRICT_SERVICE.replace('http:', 'https:')}/ip", insecure=True)
# In TLS 1.3 the client's handshake ends before the server has judged its certificate: sending or reading fails later.
NO_HANDSHAKE = no_reply(OutcomeKind.TLS_ERROR, OutcomeKind.SEND_ERROR, OutcomeKind.RESET)
# A filter chain took the connection, so that the listener does not log it as one that no chain takes.
NOT_AT_SERVER = AccessLogExpectation(Proxy.SERVER, absent=True)

STAGE = Stage(
    "namespace-strict",
    title="Security lab: STRICT for one namespace refuses plaintext there only",
    environment=ENVIRONMENT,
    apply=("lab/namespace-strict/restricted-mtls.yaml",),
    settle=(Settle(PLAIN_TO_STRICT, reset()),),
)

CASES = [
    Case("LAB-NSMTLS-02", LEGACY_CLIENT.get(f"{MTLS_SERVICE}/ip"), status(200), before=status(200)),
    Case("LAB-NSMTLS-03", PLAIN_TO_STRICT, reset(), before=status(200), twin=MUTUAL_TO_STRICT),
    Case(
        "LAB-NSMTLS-03",
        TLS_TO_STRICT,
        NO_HANDSHAKE,
        twin=MUTUAL_TO_STRICT,
        logged=(NOT_AT_SERVER,),
        variant="TLS without a certificate",
    ),
    Case(
        "LAB-NSMTLS-03",
        replace(TLS_TO_STRICT, impostor_of=MTLS_CLIENT),
        NO_HANDSHAKE,
        twin=MUTUAL_TO_STRICT,
        logged=(NOT_AT_SERVER,),
        variant="TLS with a certificate of a foreign authority",
    ),
    Case(
        "LAB-NSMTLS-03",
        replace(TLS_TO_STRICT, impostor_of=MTLS_CLIENT, impostor_domain="foreign.example"),
        NO_HANDSHAKE,
        twin=MUTUAL_TO_STRICT,
        logged=(NOT_AT_SERVER,),
        variant="TLS with a certificate of a foreign trust domain",
    ),
    Case("LAB-NSMTLS-04", MUTUAL_TO_STRICT, status(200), before=status(200)),
]


def test_case(case, prove):
    prove(case)
