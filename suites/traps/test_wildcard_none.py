"""A wildcard entry that goes where the client dials: the name is believed, whatever server is dialled."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.decision import Decision, Mechanism, Proxy
from clients.model.expect import no_reply, status
from clients.model.log_expectations import ServerLogExpectation
from clients.model.outcome import OutcomeKind
from clients.model.stage import Settle, Stage, Step
from suites.traps.workloads import ENVIRONMENT, TRADER

FOREIGN = TRADER.get("https://any.example.com/", resolve="httpbin.org:443", insecure=True)
UNLISTED = TRADER.get("https://any.example.org/", resolve="httpbin.org:443", insecure=True)
ENDS_SO = TRADER.get("https://anyexample.com/", resolve="httpbin.org:443", insecure=True)
EXISTING = TRADER.get("https://untrusted.example.com/", insecure=True)
"""A name of that domain that resolves."""
NOT_RESOLVED = Decision(Mechanism.NO_UPSTREAM, Proxy.CLIENT)
"""The proxy finds no address for the name."""
CUT = no_reply(OutcomeKind.TLS_ERROR, OutcomeKind.RESET)

STAGE = Stage(
    "traps-wildcard-none",
    title="An allowlist with a wildcard that goes where the client dials",
    environment=ENVIRONMENT,
    apply=("traps/tcp-service-entry/registry-only.yaml", "traps/wildcard-none/wildcard-none.yaml"),
    settle=(Settle(UNLISTED, CUT, before=status(200)), Settle(FOREIGN, status(200))),
    steps=(
        Step(
            "dynamic",
            title="An allowlist with a wildcard whose names the proxy resolves",
            apply=("traps/wildcard-none/wildcard-dynamic-dns.yaml",),
            settle=(Settle(FOREIGN, CUT),),
        ),
    ),
)

CASES = [
    Case(
        "X-TRAP-WILDCARD-01",
        FOREIGN,
        status(200),
        arrival=ServerLogExpectation(TRADER, tls=True, sni="any.example.com", server="httpbin.org"),
    ),
    Case("X-TRAP-WILDCARD-02", UNLISTED, CUT, before=status(200), twin=FOREIGN),
    Case(
        "X-TRAP-WILDCARD-02", ENDS_SO, CUT, before=status(200), twin=FOREIGN, variant="name that ends so without a dot"
    ),
    Case("X-TRAP-WILDCARD-03", FOREIGN, CUT, twin=EXISTING, step="dynamic", decided=NOT_RESOLVED),
]


def test_case(case, prove):
    prove(case)
