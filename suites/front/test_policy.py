"""A token is required below /api/, except for the health path, on both ports of the gateway, and nowhere else.

While the policy spreads, the two answers may alternate; then only the refusal is seen. A user at a browser sees the
sign-in form, the message once signed in, and the refusals.
"""

from __future__ import annotations

import pytest

from clients.identity.claims import USER
from clients.model.case import Case
from clients.model.stage import Settle, Stage
from suites.front.door import ISTIO
from suites.front.matrix import path_cases, token_cases
from suites.front.workloads import BACKEND, ENVIRONMENT, INSIDE, NO_TOKEN, POLICY, SHOWS_SECRET, call

STAGE = Stage(
    "front-policy",
    title="Front door requires a token below /api/",
    environment=ENVIRONMENT,
    prefetch=("front/channels", "front/gateway-api", "front/ext-authz"),
    apply=POLICY,
    settle=(Settle(call(), NO_TOKEN),),
)

QUIET_S = 30.0
"""Seconds without any answer from before the policy (catalogue)."""

PRESENT = [
    *token_cases(ISTIO),
    *path_cases(ISTIO),
    Case("CRA-AUTH-11", INSIDE.get(f"http://{BACKEND}/api/secure.json"), SHOWS_SECRET, before=SHOWS_SECRET),
]

SETTLES = Case(
    "CRA-AUTH-02",
    call(),
    NO_TOKEN,
    before=SHOWS_SECRET,
    twin=call(token="valid"),
    twin_expect=SHOWS_SECRET,
    holds_s=QUIET_S,
)

CASES = [*PRESENT, SETTLES]

BROWSER = frozenset({"chromium"})
SIGN_IN = BROWSER | {"front-key"}
"""The stand-in sign-in service signs with the issuer's key."""
MESSAGE = "The secret message is: Hello World"


@pytest.mark.parametrize("case", PRESENT, ids=lambda case: case.id)
def test_case(case, prove):
    prove(case)


@pytest.mark.control("CRA-UI-01", needs=BROWSER, independent=True)
def test_the_front_page_shows_a_sign_in_form(observe, person):
    def problem():
        with person("CRA-UI-01") as user:
            user.comes()
            return user.is_signed_out()

    observe("CRA-UI-01", "a sign-in form; no e-mail, no message", problem)


@pytest.mark.control("CRA-UI-02", needs=SIGN_IN, independent=True)
def test_after_sign_in_the_page_shows_email_and_message(observe, person):
    def problem():
        with person("CRA-UI-02") as user:
            user.comes()
            user.signs_in()
            return user.sees(USER, MESSAGE)

    observe("CRA-UI-02", f"the user's e-mail, and: {MESSAGE}", problem)


@pytest.mark.control("CRA-UI-03", needs=SIGN_IN, independent=True)
@pytest.mark.parametrize("how", ["wrong password", "signed out", "tampered token"])
def test_no_message_without_a_good_sign_in(observe, person, how):
    def problem():
        with person("CRA-UI-03") as user:
            user.comes()
            if how == "wrong password":
                return user.is_turned_away_with("not the password")
            user.signs_in()
            if wrong := user.sees(USER, MESSAGE):
                return f"the twin, a good sign-in: {wrong}"
            before = user.successes
            if how == "signed out":
                user.signs_out()
                return user.is_signed_out(successes=before)
            user.tampers()
            return user.is_refused("401", "Jwt verification fails", successes=before)

    observe("CRA-UI-03", f"{how}: no e-mail, no message, no successful request to /api/secure.json", problem)


@pytest.mark.control("CRA-AUTH-04", needs=BROWSER, independent=True)
def test_a_browser_without_a_token_sees_the_refusal(observe, person):
    def problem():
        with person("CRA-AUTH-04") as user:
            user.opens("/api/secure.json")
            if user.window.statuses("/api/secure.json") != [403]:
                return f"answers: {user.window.answers}"
            text = user.window.page.inner_text("body")
            return None if text == "RBAC: access denied" else f"the window shows {text!r}"

    observe("CRA-AUTH-04", "403, and the window shows: RBAC: access denied", problem)


@pytest.mark.parametrize("case", [SETTLES], ids=lambda case: case.id)
def test_only_the_refusal_is_seen_from_then_on(case, prove):
    """Last, because it takes half a minute: it runs from the first case on, while the browser tests run."""
    prove(case)
