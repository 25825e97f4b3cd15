"""Through IAP, by the project's stand-in: sign-in, its list of users, and the token that it adds."""

from __future__ import annotations

import time

import pytest

from clients.identity.claims import USER
from clients.identity.iap import CLIENT_ID, REFUSAL
from clients.identity.signin import HOST
from clients.mesh.access_logs.logs import SILENT_S
from clients.model.polling import poll
from clients.model.stage import Settle, Stage
from suites.iap.visits import OTHER, page_problem
from suites.iap.workloads import ENVIRONMENT, NO_TOKEN, PAGE, RCTOKEN, SITES, page

STAGE = Stage(
    "iap-users",
    title="Sign-in through IAP: listed users reach the page, others do not",
    needs=frozenset({"iap-key"}),
    environment=ENVIRONMENT,
    apply=RCTOKEN,
    settle=(Settle(page(), NO_TOKEN, before=PAGE),),
)

URL = f"{SITES['https']}/productpage"
OTHER_AUDIENCE = "some-other-arbitrary-string"


def known_to_the_gateway(stand_in, control):
    """The twin, through the same load balancer: a listed user, whose request the gateway logs."""
    twin = stand_in.visit(control)
    if wrong := page_problem(twin.signs_in(URL, USER)):
        return f"the twin: {wrong}"
    shown = poll(lambda: bool(twin.at_the_gateway()), time.monotonic() + SILENT_S)
    return None if shown else "the twin's request is not in the gateway's log yet"


@pytest.mark.control("IAP-USER-01")
def test_a_listed_user_reaches_the_page(observe, stand_in):
    def problem():
        return page_problem(stand_in.visit("IAP-USER-01").signs_in(URL, USER))

    observe("IAP-USER-01", "200 and the product page", problem)


@pytest.mark.control("IAP-USER-02")
def test_another_user_is_refused(observe, stand_in):
    def problem():
        visit = stand_in.visit("IAP-USER-02")
        reply = visit.signs_in(URL, OTHER)
        if (reply.status_code, reply.text) != (403, REFUSAL):
            return f"expected 403 by IAP, saw {reply.status_code}: {reply.text[:80]!r}"
        if wrong := known_to_the_gateway(stand_in, "IAP-USER-02"):
            return wrong
        return "the request reached the gateway" if visit.at_the_gateway() else None

    observe("IAP-USER-02", "403 and IAP's own words; nothing of it in the gateway's log, which shows the twin", problem)


@pytest.mark.control("IAP-USER-03")
def test_a_client_without_a_session_is_sent_to_sign_in(observe, stand_in):
    def problem():
        visit = stand_in.visit("IAP-USER-03")
        reply = visit.visitor.get(URL, follow=False)
        where = reply.headers.get("Location", "")
        if reply.status_code != 302 or not where.startswith(f"http://{HOST}/authorize?"):
            return f"expected 302 to the sign-in service, saw {reply.status_code} to {where[:60] or 'nowhere'}"
        if wrong := known_to_the_gateway(stand_in, "IAP-USER-03"):
            return wrong
        return "the request reached the gateway" if visit.at_the_gateway() else None

    observe(
        "IAP-USER-03", "302 to the sign-in service; nothing of it in the gateway's log, which shows the twin", problem
    )


@pytest.mark.control("IAP-USER-04")
def test_a_client_exists_and_iap_is_on(observe, stand_in):
    settings = stand_in.balancer.settings

    def problem():
        if not settings.enabled or settings.users != {USER}:
            return f"enabled: {settings.enabled}, users: {sorted(settings.users)}"
        return None if settings.client_id == CLIENT_ID and settings.client_secret else "the client lacks id or secret"

    observe("IAP-USER-04", "one client with id and secret; IAP is on; the user is on the list", problem)


@pytest.mark.control("IAP-RCT-01")
@pytest.mark.parametrize("by", ["through the stand-in"])
def test_with_matching_audience_the_page_works(observe, stand_in, by):
    def problem():
        return page_problem(stand_in.visit("IAP-RCT-01").signs_in(URL, USER))

    observe("IAP-RCT-01", f"200 and the product page, {by}", problem)


@pytest.mark.control("IAP-RCT-02")
@pytest.mark.parametrize("by", ["through the stand-in"])
def test_when_only_the_audience_is_changed_the_page_fails(observe, stand_in, by):
    settings = stand_in.balancer.settings
    audience = settings.audience

    def problem():
        visit = stand_in.visit("IAP-RCT-02")
        if wrong := page_problem(visit.signs_in(URL, USER)):
            return f"the twin: {wrong}"
        settings.audience = OTHER_AUDIENCE
        try:
            reply = visit.visitor.get(URL)
        finally:
            settings.audience = audience
        if (reply.status_code, reply.text) != (403, "Audiences in Jwt are not allowed"):
            return f"expected 403 for the audience, saw {reply.status_code}: {reply.text[:80]!r}"
        return page_problem(visit.visitor.get(URL))

    observe("IAP-RCT-02", f"the page, then 403 for the audience, then the page again, {by}", problem)
