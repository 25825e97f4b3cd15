"""`selfcheck`: its words for the program of the parts, what a part keeps, and the page."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from clients.model.errors import SettingsError
from runner.commands import child, selfcheck
from tests.mutants.registry import MESH
from tests.selfcheck import __main__ as program
from tests.selfcheck import mutants, page, store

pytestmark = pytest.mark.unit


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Words of the program that was started."""
    words: list[tuple[str, ...]] = []

    def python(*given: str) -> SimpleNamespace:
        words.append(given)
        return SimpleNamespace(code=1, interrupted="")

    monkeypatch.setattr(child, "python", python)
    return words


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> store.Store:
    """The store of the part `mutants`, in a cache of its own."""
    monkeypatch.setenv("MESHPROOF_CACHE_DIR", str(tmp_path))
    return store.Store.of("mutants", "abc")


def record(name: str, *, killed: bool = True, **cases: str) -> store.Record:
    verdicts = {control.replace("_", "-"): verdict for control, verdict in cases.items()}
    missed = {} if killed else {"LAB-AUTHZ-02": "pass instead of fail"}
    made: store.Record = {"id": name, "kind": "mesh", "area": "JWT", "says": "It lies.", "killed": killed}
    return made | {"missed": missed, "harmed": {}, "cases": verdicts, "took_s": 1.0, "left": []}


def test_all_parts_without_a_choice_and_the_exit_code_is_handed_on(asked: list[tuple[str, ...]]) -> None:
    assert selfcheck.selfcheck() == 1
    assert asked == [("-m", "tests.selfcheck", "--parts", "mutants")]


def test_parts_and_their_options(asked: list[tuple[str, ...]], tmp_path: Path) -> None:
    selfcheck.selfcheck(mutants=True, resume=True, only=["calm"], json=tmp_path / "x.json")
    expected = ("--parts", "mutants", "--only", "calm", "--resume", "--json", str(tmp_path / "x.json"))
    assert asked == [("-m", "tests.selfcheck", *expected)]


def test_the_page_alone_runs_nothing(asked: list[tuple[str, ...]]) -> None:
    selfcheck.selfcheck(write_page=True)
    assert asked == [("-m", "tests.selfcheck", "--page")]


def test_a_selection_needs_one_part(asked: list[tuple[str, ...]]) -> None:
    with pytest.raises(SettingsError, match="within one part"):
        selfcheck.selfcheck(only=["x"])
    assert asked == []


def test_a_misspelt_mutant_is_bad_input(kept: store.Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--parts", "mutants", "--only", "no-such"]) == program.BAD_INPUT
    assert "no mutant is named no-such" in capsys.readouterr().err
    assert not kept.path.exists()


def test_mutants_are_selected_by_name_pattern_area_and_suite() -> None:
    assert mutants.selected(["matches-nothing"]) == (["matches-nothing"], [])
    assert set(mutants.selected(["JWT"])[0]) == {name for name, entry in MESH.items() if entry.area == "JWT"}
    assert set(mutants.selected(["suites/lab"])[0]) >= {"matches-nothing", "backend-down"}
    assert mutants.selected(["harness"])[0] == []
    assert len(mutants.selected([])[0]) == len(MESH)


def test_a_part_goes_on_with_what_it_has_and_the_newest_record_counts(kept: store.Store) -> None:
    kept.start(resume=False)
    kept.add(record("a", killed=False))
    kept.add(record("b"))
    kept.add(record("a"))
    with kept.path.open("a") as file:
        file.write('{"id": "c", "kil')  # of a process that was killed
    kept.start(resume=True)
    assert [(one["id"], one["killed"]) for one in kept.records()] == [("a", True), ("b", True)]
    assert kept.about()["commit"] == "abc"
    kept.start(resume=False)
    assert kept.records() == []


def test_figures_name_the_survivors_and_the_controls_that_notice_nothing(kept: store.Store) -> None:
    kept.start(resume=False)
    kept.add(record("a", LAB_AUTHZ_02="fail", LAB_AUTHZ_01="pass"))
    kept.add(record("b", killed=False, LAB_AUTHZ_02="pass"))
    known = mutants.figures(kept)
    assert (known["mutants"], known["killed"]) == (2, 1)
    assert known["survivors"] == {"b": {"LAB-AUTHZ-02": "pass instead of fail"}}
    assert "LAB-AUTHZ-01" in known["unproven_without_reason"]
    assert "LAB-AUTHZ-02" not in known["unproven_without_reason"]
    assert "IAP-PRE-01" not in known["unproven_without_reason"]
    assert mutants.problems(kept) == ["the mutant b survived"]


def test_the_page_has_short_lines_and_says_what_survived(
    kept: store.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.start(resume=False)
    kept.add(record("a", LAB_AUTHZ_02="fail"))
    kept.add(record("b", killed=False))
    monkeypatch.setattr(page, "PAGE", tmp_path / "trust.md")
    text = page.write().read_text()
    assert "**1 of 2 mutants are killed.**" in text
    assert "- `b`: It lies. LAB-AUTHZ-02: pass instead of fail" in text
    assert "- LAB-AUTHZ-02: a" in text
    assert max(map(len, text.splitlines())) <= 120
