"""A live rotation: policy and URL stay the same, the issuer publishes other keys there, and then goes down.

istiod fetches keys periodically, on the testbed every second. It is restarted first: an issuer of any earlier run that
no longer exists would make it wait for minutes.
"""

from __future__ import annotations

import pytest

from clients.mesh import istiod
from clients.model.case import Case
from clients.model.expect import status
from clients.model.stage import Settle, Stage, Step
from suites.front.keys import (
    KEYS_ENVIRONMENT,
    NEXT,
    NEXT_OTHERS,
    OLD,
    REQUIRE,
    TOKEN_NEEDED,
    UNKNOWN_KEY,
    WRONG_SIGNATURE,
    by_url,
    known,
    publishes,
)
from suites.front.workloads import HEALTHY, INSIDE, SHOWS_SECRET, WRONG_AUDIENCE, call

KEYS = "http://rotating.issuer.svc.cluster.local/keys"
AT_ISSUER = INSIDE.get(KEYS)
"""The issuer itself, asked by a pod of the mesh."""

STAGE = Stage(
    "front-keys-rotation",
    title="Live key rotation at one URL",
    environment=KEYS_ENVIRONMENT,
    needs=frozenset({"mesh-wide", "istiod-restart", "key-fetch", "key-refresh"}),
    steps=(
        Step(
            "old",
            title="Live key rotation: the issuer publishes the old key",
            apply=(publishes("old"), by_url("rotating"), REQUIRE),
            restarts=True,
            settle=(TOKEN_NEEDED, known(OLD)),
        ),
        Step(
            "both",
            title="Live key rotation: the issuer publishes both keys",
            apply=(publishes("both"),),
            settle=(known(NEXT),),
        ),
        Step(
            "next",
            title="Live key rotation: the issuer publishes the next key only",
            apply=(publishes("next"),),
            settle=(Settle(OLD, UNKNOWN_KEY),),
        ),
        Step(
            "down",
            title="Live key rotation: the issuer is down, fetched keys still count",
            apply=(publishes("nothing"),),
            settle=(Settle(AT_ISSUER, status(503), before=status(200)),),
        ),
        Step(
            "forgotten",
            title="Live key rotation: istiod restarted while the issuer is down",
            restarts=True,
            settle=(Settle(NEXT, WRONG_SIGNATURE),),
        ),
    ),
    safe_in_parallel=True,  # the new istiod is ready before the old one ends
)

HEALTH = call("/api/healthz")
FAILED = "Failed to GET from"
"""istiod's own words when an issuer does not answer, and its URL in quotes."""

BEFORE_DOWN = [
    Case("X-KEYS-09", OLD, SHOWS_SECRET, before=SHOWS_SECRET, step="old", variant="old key, before"),
    Case("X-KEYS-10", NEXT, UNKNOWN_KEY, before=SHOWS_SECRET, twin=OLD, step="old", variant="next key, too early"),
    Case("X-KEYS-09", NEXT, SHOWS_SECRET, before=SHOWS_SECRET, step="both", variant="next key, with the old one"),
    Case("X-KEYS-09", OLD, SHOWS_SECRET, before=SHOWS_SECRET, step="both", variant="old key, with the next one"),
    Case("X-KEYS-10", OLD, UNKNOWN_KEY, before=SHOWS_SECRET, twin=NEXT, step="next", variant="old key, too late"),
    Case("X-KEYS-09", NEXT, SHOWS_SECRET, before=SHOWS_SECRET, step="next", variant="next key, alone"),
    Case(
        "X-KEYS-10",
        NEXT_OTHERS,
        WRONG_AUDIENCE,
        before=SHOWS_SECRET,
        twin=NEXT,
        step="next",
        variant="another audience",
    ),
]
WHILE_DOWN = [
    Case("X-KEYS-12", NEXT, SHOWS_SECRET, before=SHOWS_SECRET, step="down"),
    Case("X-KEYS-10", OLD, UNKNOWN_KEY, before=SHOWS_SECRET, twin=NEXT, step="down", variant="old key, issuer down"),
    Case(
        "X-KEYS-13",
        NEXT,
        WRONG_SIGNATURE,
        before=SHOWS_SECRET,
        twin=HEALTH,
        twin_expect=HEALTHY,
        step="forgotten",
    ),
]
CASES = BEFORE_DOWN + WHILE_DOWN


@pytest.mark.parametrize("case", BEFORE_DOWN, ids=lambda case: case.id)
def test_rotation(case, prove):
    prove(case)


def asked_without_answer(lines, url):
    """Whether istiod has logged that this very issuer does not answer; it asks those of all processes, and users'."""
    return any(FAILED in line and f'{url}"' in line.replace("\\", "") for line in lines)


@pytest.mark.control("X-KEYS-11")
def test_istiod_logs_that_the_issuer_does_not_answer(observe, stage):
    stage.reach("down")
    url = stage.rig.overlay.url(KEYS)

    def problem():
        found = asked_without_answer(istiod.log_lines(stage.rig.cluster), url)
        return None if found else "istiod has not logged that the issuer does not answer"

    observe("X-KEYS-11", "istiod has logged that the issuer does not answer", problem)


@pytest.mark.parametrize("case", WHILE_DOWN, ids=lambda case: case.id)
def test_issuer_down(case, prove):
    prove(case)
