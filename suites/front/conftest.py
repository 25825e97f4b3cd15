"""A user at a browser in front of the gateway, with a sign-in service."""

from __future__ import annotations

import secrets
from contextlib import contextmanager

import pytest

from clients.identity.claims import USER
from clients.identity.signin import HOST, SignIn, page
from clients.model.addresses import joined
from clients.probe import browser
from suites.front.person import Person
from suites.front.workloads import HTTP, OUTSIDE


@pytest.fixture(scope="module")
def signin(stage):
    tokens = stage.rig.tokens
    client = {tokens.audience_of("front"): page(f"{HTTP}/")}
    with SignIn(tokens, {USER: secrets.token_urlsafe(16)}, client) as provider:
        yield provider


@pytest.fixture(scope="module")
def chromium(stage, signin, descriptor):
    to = joined(*stage.rig.prober.address(OUTSIDE, 80))
    hosts = {f"{HTTP.partition('://')[2]}:80": to, f"{HOST}:80": f"127.0.0.1:{signin.port}"}
    with browser.Browser(descriptor.browser, hosts) as running:
        yield running


@pytest.fixture
def person(chromium, signin, picture):
    """Opens a window whose user agent identifies its requests in logs; a screenshot of its end is kept."""

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
