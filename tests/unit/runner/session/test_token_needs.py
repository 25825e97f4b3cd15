"""Whatever sends a token needs a mesh in which only a run's own policies judge it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from plan_fakes import planned_test

from clients.mesh.survey import foreign_tokens
from clients.model.case import Case
from clients.model.expect import status
from clients.model.probe import Workload
from clients.model.stage import Settle, Stage, Step
from clients.model.token import Token
from runner.config.catalogue import Control
from runner.session.needs.token_needs import token_needs
from runner.session.planned import Proves
from runner.session.planning.plan import tokens_of

pytestmark = pytest.mark.unit
MANIFESTS = Path(__file__).parents[4] / "manifests"
CLIENT = Workload("lab", "sleep", "sleep")
PLAIN, VALID = CLIENT.get("http://a.lab/ip"), CLIENT.get("http://a.lab/ip", token="valid")
IAPS = CLIENT.get("http://a.lab/ip", token="valid", token_as="Ingress-Authorization: Istio {}")
USUAL, IAP = {"own-tokens"}, {"own-iap-tokens"}


def proves(one: Case, **stage: Any) -> Proves:
    return Proves(planned_test("n"), Control("X-1", "t", "allow"), case=one, stage=Stage("s", **stage))


def case(probe: Any, **more: Any) -> Case:
    return Case("X-1", probe, status(200), **more)


@pytest.mark.parametrize(
    ("one", "stage", "needed"),
    [
        (case(PLAIN), {}, set()),
        (case(VALID), {}, USUAL),
        (case(PLAIN, twin=VALID), {}, USUAL),
        (case(CLIENT.get("http://a.lab/ip", tokens=(Token("people", place="?token={}"),))), {}, USUAL),
        (case(IAPS), {}, IAP),
        (case(PLAIN), {"settle": (Settle(VALID, status(200)),)}, USUAL),
        (case(PLAIN, step="next"), {"steps": (Step("next", settle=(Settle(IAPS, status(200)),)),)}, IAP),
        (case(PLAIN), {"steps": (Step("next", settle=(Settle(IAPS, status(200)),)),)}, set()),
        (case(PLAIN), {"reachable": (VALID,)}, USUAL),
    ],
)
def test_the_token_that_is_sent_anywhere_counts(one: Case, stage: dict[str, Any], needed: set[str]) -> None:
    assert token_needs(proves(one, **stage), ()) == needed


def test_a_real_issuer_is_asked_beforehand_for_what_the_stage_sends_too() -> None:
    settle = (Settle(VALID, status(200)),)
    next_one = (Step("next", settle=settle),)
    for stage in ({"settle": settle}, {"reachable": (VALID,)}):
        assert tokens_of(proves(case(PLAIN), **stage)) == (("valid", False),)
    assert tokens_of(proves(case(PLAIN, step="next"), steps=next_one)) == (("valid", False),)
    assert tokens_of(proves(case(PLAIN), steps=next_one)) == (), "this step is not taken for it"


@pytest.mark.parametrize("name", ["iap", "iap-key"])
def test_the_stand_in_for_iap_sends_tokens_of_its_own(name: str) -> None:
    assert token_needs(proves(case(PLAIN)), {name}) == IAP


def test_every_place_of_a_run_s_tokens_and_every_workload_that_takes_them_is_known() -> None:
    """The lists of `foreign_tokens` are those of the manifests."""
    bodies = [body for path in MANIFESTS.rglob("*.yaml") if "hold" not in path.parts for body in _bodies(path)]
    own = [one for one in bodies if one.get("kind") == "RequestAuthentication"]
    assert len(own) > 10
    apps = {one["spec"]["selector"]["matchLabels"]["app"] for one in own if "selector" in one["spec"]}
    assert apps == foreign_tokens.APPS
    places = {place for one in own for place in foreign_tokens.places_of(one)}
    assert places == foreign_tokens.USUAL | foreign_tokens.IAPS


def _bodies(path: Path) -> list[dict[str, Any]]:
    text = path.read_text()
    try:
        return [body for body in yaml.safe_load_all(text) if isinstance(body, dict)]
    except yaml.YAMLError:
        return []
