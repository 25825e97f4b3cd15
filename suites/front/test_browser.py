"""A person at a browser: the page with its sign-in form, the message once they have signed in, and the refusals."""

from __future__ import annotations

import secrets
from contextlib import contextmanager

import pytest

from clients import browser
from clients.claims import USER
from clients.signin import HOST, SignIn, page
from clients.stage import Settle, Stage
from suites.front.person import Person
from suites.front.places import GROUND, HTTP, NO_TOKEN, OUTSIDE, POLICY, call

STAGE = Stage(
    "front-browser",
    ground=GROUND,
    apply=POLICY,
    needs=frozenset({"chromium"}),
    settle=(Settle(call(), NO_TOKEN),),
)

SIGN_IN = frozenset({"front-key"})
"""The sign-in service signs by itself."""
MESSAGE = "The secret message is: Hello World"


@pytest.fixture(scope="module")
def signin(stage):
    tokens = stage.world.tokens
    client = {tokens.audience_of("front"): page(f"{HTTP}/")}
    with SignIn(tokens, {USER: secrets.token_urlsafe(16)}, client) as provider:
        yield provider


@pytest.fixture(scope="module")
def chromium(stage, signin, handover):
    to = ":".join(map(str, stage.world.address(OUTSIDE, 80)))
    hosts = {f"{HTTP.partition('://')[2]}:80": to, f"{HOST}:80": f"127.0.0.1:{signin.port}"}
    with browser.Browser(handover.browser, hosts) as running:
        yield running


@pytest.fixture
def person(chromium, signin, picture):
    """Opens a window whose requests are found in logs by its user agent; what it shows at the end is kept."""

    @contextmanager
    def opens(control):
        with chromium.window(f"meshproof/{control} {secrets.token_hex(6)}") as window:

            def keep(title):
                picture(browser.shot(window), title)

            try:
                yield Person(window, HTTP, signin, keep)
            finally:
                keep("at the end")

    return opens


@pytest.mark.control("CRA-UI-01")
def test_the_front_page_shows_a_sign_in_form(observe, person):
    def problem():
        with person("CRA-UI-01") as someone:
            someone.comes()
            return someone.is_signed_out()

    observe("CRA-UI-01", "a sign-in form; no e-mail, no message", problem)


@pytest.mark.control("CRA-UI-02", needs=SIGN_IN)
def test_after_sign_in_the_page_shows_email_and_message(observe, person):
    def problem():
        with person("CRA-UI-02") as someone:
            someone.comes()
            someone.signs_in()
            return someone.sees(USER, MESSAGE)

    observe("CRA-UI-02", f"the user's e-mail, and: {MESSAGE}", problem)


@pytest.mark.control("CRA-UI-03", needs=SIGN_IN)
@pytest.mark.parametrize("how", ["wrong password", "signed out", "tampered token"])
def test_no_message_without_a_good_sign_in(observe, person, how):
    def problem():
        with person("CRA-UI-03") as someone:
            someone.comes()
            if how == "wrong password":
                return someone.is_turned_away_with("not the password")
            someone.signs_in()
            if wrong := someone.sees(USER, MESSAGE):
                return f"the twin, a good sign-in: {wrong}"
            before = someone.successes
            if how == "signed out":
                someone.signs_out()
                return someone.is_signed_out(successes=before)
            someone.tampers()
            return someone.is_refused("401", "Jwt verification fails", successes=before)

    observe("CRA-UI-03", f"{how}: no e-mail, no message, no successful request to /api/secure.json", problem)


@pytest.mark.control("CRA-AUTH-04")
def test_a_browser_without_a_token_sees_the_refusal(observe, person):
    def problem():
        with person("CRA-AUTH-04") as someone:
            someone.opens("/api/secure.json")
            if someone.window.statuses("/api/secure.json") != [403]:
                return f"answers: {someone.window.answers}"
            text = someone.window.page.inner_text("body")
            return None if text == "RBAC: access denied" else f"the window shows {text!r}"

    observe("CRA-AUTH-04", "403, and the window shows: RBAC: access denied", problem)
