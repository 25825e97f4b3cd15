"""The gateway's keys are fetched from the issuer's URL."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import rbac_denied, status
from clients.model.stage import Stage
from suites.front.keys import (
    FOREIGN,
    KEYS_ENVIRONMENT,
    NEXT,
    OLD,
    OTHERS,
    REQUIRE,
    TOKEN_NEEDED,
    UNKNOWN_KEY,
    WRONG_SIGNATURE,
    by_url,
    known,
)
from suites.front.workloads import FROM_BACKEND, HTTPS, NO_SUCH_PAGE, SHOWS_SECRET, WRONG_AUDIENCE, bad_token, call

STAGE = Stage(
    "front-keys-from-issuer",
    title="Issuer's keys fetched from a URL: other keys are refused",
    needs=frozenset({"front-key", "key-fetch"}),
    environment=KEYS_ENVIRONMENT,
    apply=(by_url("old"), REQUIRE),
    settle=(TOKEN_NEEDED, known(OLD)),
)

UNKNOWN_ISSUER = bad_token("Jwt issuer is not configured")

WITHOUT_TOKEN = {
    **{f"by {method}": (replace(call(), method=method), SHOWS_SECRET) for method in ("POST", "PUT", "DELETE")},
    "by HEAD": (replace(call(), method="HEAD"), status(200, FROM_BACKEND)),
    "another path": (call("/api/v1/other"), NO_SUCH_PAGE),
    "after the health path": (call("/api/healthz."), NO_SUCH_PAGE),
    "over TLS": (call(base=HTTPS), SHOWS_SECRET),
}
"""Requests that differ from a user's in what the policy does not ask for, and what the back end answers."""

CASES = [
    Case("X-KEYS-01", OLD, SHOWS_SECRET, before=SHOWS_SECRET),
    Case("X-KEYS-02", FOREIGN, WRONG_SIGNATURE, before=SHOWS_SECRET, twin=OLD, variant="foreign"),
    Case("X-KEYS-02", NEXT, UNKNOWN_KEY, before=SHOWS_SECRET, twin=OLD, variant="not yet published"),
    Case("X-KEYS-02", OTHERS, WRONG_AUDIENCE, before=SHOWS_SECRET, twin=OLD, variant="another audience"),
    Case(
        "X-KEYS-02",
        call(token="longer-issuer"),
        UNKNOWN_ISSUER,
        before=SHOWS_SECRET,
        twin=OLD,
        variant="another issuer",
    ),
    *(
        Case(
            "X-KEYS-14",
            way,
            rbac_denied(way.method),
            before=answered,
            twin=replace(way, token=OLD.token),
            twin_expect=answered,
            variant=variant,
        )
        for variant, (way, answered) in WITHOUT_TOKEN.items()
    ),
]


def test_case(case, prove):
    prove(case)
