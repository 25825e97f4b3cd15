"""Two services without a server: the outcome differs from that of a refused client."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import no_reply, status
from clients.model.log_expectations import AccessLogExpectation
from clients.model.outcome import OutcomeKind
from clients.model.stage import Scale, Stage
from suites.lab.workloads import ENVIRONMENT, LEGACY_CLIENT, LEGACY_SERVICE, MTLS_CLIENT, MTLS_SERVICE, STRICT_SERVICE

STAGE = Stage(
    "no-server",
    title="Security lab: no server behind two services, so no pair gets 200",
    environment=ENVIRONMENT,
    scaled=(Scale("mtls-service", "httpbin", 0), Scale("legacy-service", "httpbin", 0)),
)

BY_SIDECAR = status(503)
NO_CONNECTION = no_reply(OutcomeKind.REFUSED, OutcomeKind.CONNECT_TIMEOUT)
NO_UPSTREAM = AccessLogExpectation(Proxy.CLIENT, flags=frozenset({"UH", "UF"}))

CASES = [
    Case(
        "LAB-PERM-05",
        MTLS_CLIENT.get(f"{server}/ip"),
        BY_SIDECAR,
        before=status(200),
        twin=MTLS_CLIENT.get(f"{STRICT_SERVICE}/ip"),
        logged=(NO_UPSTREAM,),
        variant=f"mtls-client to {name}",
    )
    for name, server in (("mtls-service", MTLS_SERVICE), ("legacy-service", LEGACY_SERVICE))
] + [
    Case(
        "LAB-PERM-05",
        LEGACY_CLIENT.get(f"{server}/ip"),
        NO_CONNECTION,
        before=status(200),
        twin=LEGACY_CLIENT.get(f"{STRICT_SERVICE}/ip"),
        variant=f"legacy-client to {name}",
    )
    for name, server in (("mtls-service", MTLS_SERVICE), ("legacy-service", LEGACY_SERVICE))
]


def test_case(case, prove):
    prove(case)
