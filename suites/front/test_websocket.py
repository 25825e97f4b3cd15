"""WebSockets through the gateway: with a valid token it opens and carries messages, without one it does not open."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from clients.model.case import Case
from clients.model.decision import Proxy
from clients.model.expect import RBAC_DENIED
from clients.model.log_expectations import AccessLogExpectation
from clients.model.stage import Settle
from suites.front.channels import ECHO, ECHOED, echo, stage, upgrade_refused

NO_TOKEN = upgrade_refused(403, RBAC_DENIED)
VALID = echo(token="valid")
WITH_PORT = echo(host=f"{ECHO}:80")
BY_POLICY = (AccessLogExpectation(Proxy.CLIENT, details="rbac_access_denied_matched_policy"),)
BY_JWT_FILTER = (AccessLogExpectation(Proxy.CLIENT, details="jwt_authn_access_denied"),)

STAGE = stage("front-websocket", (Settle(echo(), NO_TOKEN),), title="WebSockets through the front door require a token")

denied = partial(Case, before=ECHOED, twin=VALID, twin_expect=ECHOED)
ELSEWHERE = {"a cookie": "Cookie: token={}", "another parameter": "?token={}", "another header": "X-Token: {}"}
"""Where a page's script can put a token, as it cannot set the header of a WebSocket."""
BAD_TOKENS = {"expired": "Jwt is expired", "foreign-key": "Jwt verification fails"}

CASES = [
    Case("X-WS-01", VALID, ECHOED, before=ECHOED),
    Case("X-WS-01", echo(token="valid", scheme="wss"), ECHOED, before=ECHOED, variant="over TLS"),
    Case("X-WS-01", replace(VALID, token_as="?access_token={}"), ECHOED, before=ECHOED, variant="in the query"),
    denied("X-WS-02", echo(), NO_TOKEN, logged=BY_POLICY),
    denied("X-WS-02", echo(scheme="wss"), NO_TOKEN, variant="over TLS"),
    denied("X-WS-02", WITH_PORT, NO_TOKEN, twin=replace(WITH_PORT, token=VALID.token), variant="host with its port"),
    *(
        denied("X-WS-02", replace(VALID, token_as=how), NO_TOKEN, variant=f"token in {place}")
        for place, how in ELSEWHERE.items()
    ),
    *(
        denied("X-WS-03", echo(token=kind), upgrade_refused(401, text), variant=kind, logged=BY_JWT_FILTER)
        for kind, text in BAD_TOKENS.items()
    ),
]


def test_case(case, prove):
    prove(case)
