"""Observations, pictures and tokens of tests that look at a state, through the plugin."""

from __future__ import annotations

from pathlib import Path

import pytest
from inner_pytest import HEAD, TEST, Inner, suite

pytestmark = pytest.mark.unit


OBSERVING = """
import pytest
@pytest.mark.control("LAB-SETUP-01")
def test_good(observe):
    observe("LAB-SETUP-01", "istiod runs", lambda: None)

@pytest.mark.control("LAB-SETUP-02")
def test_bad(observe):
    observe("LAB-SETUP-02", "no sidecar", lambda: "there is one", budget_s=0.1)

@pytest.mark.control("LAB-SETUP-03")
def test_other(observe):
    observe("LAB-SETUP-01", "istiod runs", lambda: None)
"""


def test_observations_are_evidence_and_only_of_the_marked_control(inner: Inner) -> None:
    inner.write(state=OBSERVING)
    ran = inner.run()
    assert ran.verdicts == {"LAB-SETUP-01": "pass", "LAB-SETUP-02": "fail", "LAB-SETUP-03": "inconclusive"}, ran.output
    assert ran.cases["LAB-SETUP-02"].reason == "state: there is one"
    assert ran.cases["LAB-SETUP-02"].expected == "no sidecar"


def test_a_state_that_never_came_about_is_not_observed(inner: Inner) -> None:
    text = suite("unsettled", "case('LAB-PERM-01', 'pass')") + OBSERVING.replace("(observe)", "(observe, stage)")
    inner.write(state=text)
    ran = inner.run()
    assert ran.verdicts["LAB-SETUP-01"] == "fail", ran.output
    assert ran.cases["LAB-SETUP-01"].reason == "settled 1: expected 403, saw 200"


PICTURED = """
import pytest
from clients.probe.browser import Shot
PNG = b"picture"

@pytest.mark.control("X-JWKS-01")
@pytest.mark.parametrize("ends", ["well", "badly", "by a fault"])
def test_what_is_seen(observe, picture, ends):
    picture(Shot(PNG, f"it ends {ends}", 1, 1), "at the end")
    if ends == "by a fault":
        raise RuntimeError("a fault of ours")
    observe("X-JWKS-01", "well", lambda: None if ends == "well" else "wrong", budget_s=0.01)
"""


def test_pictures_are_evidence_however_a_test_ends(inner: Inner) -> None:
    inner.write(pictured=PICTURED)
    ran = inner.run()
    assert ran.verdicts == {
        "X-JWKS-01[well]": "pass",
        "X-JWKS-01[badly]": "fail",
        "X-JWKS-01[by a fault]": "inconclusive",
    }
    for evidence in ran.cases.values():
        [seen] = evidence.pictures
        assert f"[{seen.text.removeprefix('it ends ')}]" in evidence.id
        assert (ran.folder / seen.file).read_bytes() == b"picture"


REAL = """
from dataclasses import replace
from clients.model.stage import Settle, Stage
from clients.model.expect import status
from runner_fakes import case
STAGE = Stage("real", apply=("x.yaml",))
def sent(variant, token, token_as="Authorization: Bearer {}", twin=""):
    plain = case("LAB-PERM-01", "pass", variant)
    probe = replace(plain.probe, token=token, token_as=token_as)
    return replace(plain, probe=probe, twin=replace(plain.probe, token=twin) if twin else None)
CASES = (
    sent("none", ""), sent("good", "valid@front"), sent("old", "expired@front"), sent("ours", "expired@iap"),
    sent("logged", "valid@front", "?token={}"), sent("by its twin", "", twin="not-yet-valid@front"),
)
"""
SIGNED = """
import pytest
@pytest.mark.control("X-JWKS-01", needs={"front-key"})
def test_signed(observe):
    observe("X-JWKS-01", "well", lambda: None)
"""


def test_a_case_is_skipped_whose_token_only_a_real_issuer_could_make(inner: Inner, tmp_path: Path) -> None:
    """No source is read for that: nothing is fetched here."""
    inner.write(real=REAL + TEST, signed=SIGNED)
    real = {"ISSUER": "https://a.example", "AUDIENCE": "door", "TOKEN": f"file:{tmp_path}/absent"}
    ran = inner.run(env={f"MESHPROOF_IDENTITY__{name}": value for name, value in real.items()})
    skipped = {name: case.reason for name, case in ran.cases.items() if case.verdict == "skip"}
    assert ran.verdicts == {
        "LAB-PERM-01[none]": "pass",
        "LAB-PERM-01[good]": "pass",
        "LAB-PERM-01[old]": "skip",
        "LAB-PERM-01[ours]": "pass",
        "LAB-PERM-01[logged]": "skip",
        "LAB-PERM-01[by its twin]": "skip",
        "X-JWKS-01": "skip",
    }
    assert "identity.expired_token can name a source" in skipped["LAB-PERM-01[old]"]
    assert "access logs" in skipped["LAB-PERM-01[logged]"]
    assert "not-yet-valid takes the private key of https://a.example" in skipped["LAB-PERM-01[by its twin]"]
    assert "lacks front-key" in skipped["X-JWKS-01"]


def test_without_a_real_issuer_every_token_is_our_own(inner: Inner) -> None:
    inner.write(real=REAL + TEST)
    assert set(inner.run().verdicts.values()) == {"pass"}


BETWEEN = """
import pytest
STAGE = Stage("s", apply=("x.yaml",))
CASES = [case("LAB-PERM-01", "pass"), case("LAB-PERM-02", "slow")]

@pytest.mark.parametrize("case", CASES[:1], ids=lambda case: case.id)
def test_first(case, prove):
    prove(case)

@pytest.mark.control("LAB-SETUP-01"{independent})
def test_state(observe, stage, pytestconfig):
    from runner.session.fixtures import RUN_CONTEXT
    cases = pytestconfig.stash[RUN_CONTEXT].case_runner._work.values()
    under_way = not all(one.done() for one in cases)
    observe("LAB-SETUP-01", "cases are done", lambda: "they are under way" if under_way else None, budget_s=0.1)

@pytest.mark.parametrize("case", CASES[1:], ids=lambda case: case.id)
def test_last(case, prove):
    prove(case)
"""


@pytest.mark.parametrize(("independent", "verdict"), [("", "pass"), (", independent=True", "fail")])
def test_a_test_of_state_waits_for_the_cases_unless_it_is_independent(
    inner: Inner, independent: str, verdict: str
) -> None:
    inner.write(state=HEAD + BETWEEN.replace("{independent}", independent))
    ran = inner.run()
    assert ran.verdicts == {"LAB-PERM-01": "pass", "LAB-PERM-02": "pass", "LAB-SETUP-01": verdict}, ran.output
