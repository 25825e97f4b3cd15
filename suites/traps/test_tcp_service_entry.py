"""An entry of TCP without an address takes the whole port: every connection is handed to its host."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import no_reply, status
from clients.model.log_expectations import ServerLogExpectation
from clients.model.outcome import OutcomeKind
from clients.model.stage import Settle, Stage, Step
from suites.traps.workloads import ENVIRONMENT, TRADER

FOREIGN, LISTED = TRADER.get("https://httpbin.org/get"), TRADER.get("https://example.com/")
CUT = no_reply(OutcomeKind.TLS_ERROR, OutcomeKind.RESET)

STAGE = Stage(
    "traps-tcp-service-entry",
    title="An allowlist with one entry of TLS",
    environment=ENVIRONMENT,
    apply=("traps/tcp-service-entry/registry-only.yaml", "traps/tcp-service-entry/tls-by-dns.yaml"),
    needs=frozenset({"external-hosts"}),
    settle=(Settle(FOREIGN, CUT, before=status(200)), Settle(LISTED, status(200))),
    steps=(
        Step(
            "dns",
            title="An allowlist with one entry of TCP by DNS",
            apply=("traps/tcp-service-entry/tcp-by-dns.yaml",),
            settle=(Settle(FOREIGN, status(200)),),
        ),
    ),
)

CASES = [
    Case("X-TRAP-ENTRY-01", FOREIGN, CUT, before=status(200), twin=LISTED),
    Case(
        "X-TRAP-ENTRY-03",
        FOREIGN,
        status(200),
        arrival=ServerLogExpectation(TRADER, tls=True, sni="httpbin.org", server="example.com"),
        step="dns",
        needs=frozenset({"dns-not-proxied"}),  # else the entry has an address of its own, and takes only that
    ),
]


def test_case(case, prove):
    prove(case)
