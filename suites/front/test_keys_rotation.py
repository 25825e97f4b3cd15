"""A rotation as it happens: policy and URL stay, and the issuer publishes other keys there; then it goes down.

istiod asks again by itself, on the testbed every second. It is started anew first: one issuer that has gone since, of
whatever run, would make it wait for minutes.
"""

from __future__ import annotations

import pytest

from clients.mesh import istiod
from clients.model.case import Case
from clients.model.stage import Stage, Step
from suites.front.keys import (
    KEYS_ENVIRONMENT,
    NEXT,
    OLD,
    REQUIRE,
    TOKEN_NEEDED,
    UNKNOWN_KEY,
    WRONG_SIGNATURE,
    by_url,
    known,
    publishes,
)
from suites.front.workloads import HEALTHY, SHOWS_SECRET, call

STAGE = Stage(
    "front-keys-rotation",
    title="Live key rotation at one URL",
    environment=KEYS_ENVIRONMENT,
    needs=frozenset({"mesh-wide", "istiod-restart", "key-refresh"}),
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
        Step("next", title="Live key rotation: the issuer publishes the next key only", apply=(publishes("next"),)),
        Step(
            "down",
            title="Live key rotation: the issuer is down, fetched keys still count",
            apply=(publishes("nothing"),),
        ),
        Step("forgotten", title="Live key rotation: istiod restarted while the issuer is down", restarts=True),
    ),
    safe_in_parallel=True,  # the next istiod stands before the last one goes
)

HEALTH = call("/api/healthz")
FAILED = ("Failed to GET from", "rotating.", "/keys")
"""istiod's own words when an issuer does not answer; the URL is in quotes."""

BEFORE_DOWN = [
    Case("X-KEYS-09", OLD, SHOWS_SECRET, before=SHOWS_SECRET, step="old", variant="old key, before"),
    Case("X-KEYS-10", NEXT, UNKNOWN_KEY, before=SHOWS_SECRET, twin=OLD, step="old", variant="next key, too early"),
    Case("X-KEYS-09", NEXT, SHOWS_SECRET, before=SHOWS_SECRET, step="both", variant="next key, with the old one"),
    Case("X-KEYS-09", OLD, SHOWS_SECRET, before=SHOWS_SECRET, step="both", variant="old key, with the next one"),
    Case("X-KEYS-10", OLD, UNKNOWN_KEY, before=SHOWS_SECRET, twin=NEXT, step="next", variant="old key, too late"),
    Case("X-KEYS-09", NEXT, SHOWS_SECRET, before=SHOWS_SECRET, step="next", variant="next key, alone"),
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


@pytest.mark.control("X-KEYS-11")
def test_istiod_asks_in_vain(observe, stage):
    stage.reach("down")

    def problem():
        lines = istiod.log_lines(stage.world.cluster)
        found = any(all(word in line for word in FAILED) for line in lines)
        return None if found else "istiod has not logged that the issuer does not answer"

    observe("X-KEYS-11", "istiod has asked the issuer that is down, and says so", problem)


@pytest.mark.parametrize("case", WHILE_DOWN, ids=lambda case: case.id)
def test_issuer_down(case, prove):
    prove(case)
