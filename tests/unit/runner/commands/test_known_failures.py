"""Known failures from the settings to the end of a run: which mistakes end it, and what is excused."""

from __future__ import annotations

from pathlib import Path

import pytest
from inner_pytest import Inner, suite

from clients.model.errors import SettingsError
from clients.model.evidence import Verdict
from clients.model.known import EMBEDDED, KnownFailure
from reports import known as lines
from reports.record import conformance
from reports.record.journal import read
from runner.commands import cli
from runner.config import known_failures, settings
from runner.config.settings import ROOT, Settings
from runner.target import known, targets

pytestmark = pytest.mark.unit

GOOD = """[[known_failures]]
control = "LAB-JWT-04[expired]"
owner = "mesh team"
link = "https://tracker.example.com/17"
until = 2999-12-31
"""


def written(folder: Path, text: str) -> Path:
    (folder / "meshproof.toml").write_text(text)
    return folder


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    return tmp_path


def test_an_entry_of_the_file_is_kept_whole(alone: Path) -> None:
    written(alone, f'{GOOD}mesh = "1.29"\nobserved = "200"\nreason = "old nodes"\n')
    [entry, *_] = known.entries(targets.of(settings.load()))
    assert entry == KnownFailure(
        "LAB-JWT-04[expired]", "mesh team", "https://tracker.example.com/17", "2999-12-31", "old nodes", "1.29", "200",
        "meshproof.toml",
    )  # fmt: skip
    assert Settings.model_validate_json(settings.load().model_dump_json()) == settings.load()


def test_one_case_may_fail_in_two_known_ways(alone: Path) -> None:
    written(alone, f'{GOOD}observed = "200"\n{GOOD}observed = "503"\n')
    entries = known.entries(targets.of(settings.load()))
    assert [one.observed for one in entries if one.origin == "meshproof.toml"] == ["200", "503"]


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ("LAB-JWT-04[expired]", "LAB-JWT-99", "known failure LAB-JWT-99 (meshproof.toml) names no control"),
        ("LAB-JWT-04[expired]", "LAB-JTW-*", "known failure LAB-JTW-* (meshproof.toml) names no control"),
        ("LAB-JWT-04[expired]", "LAB-*", "known_failures.0.control ('LAB-*') cannot be used"),
        ("LAB-JWT-04[expired]", "*", "known_failures.0.control ('*') cannot be used"),
        ("LAB-JWT-04[expired]", "LAB-JWT-04[*]", "known_failures.0.control ('LAB-JWT-04[*]') cannot be used"),
        ("LAB-JWT-04[expired]", "LAB-JWT*", "known_failures.0.control ('LAB-JWT*') cannot be used"),
        ('owner = "mesh team"\n', "", "the setting known_failures.0 lacks owner"),
        ("until = 2999-12-31\n", "", "the setting known_failures.0 lacks until"),
        ("2999-12-31", '"2999-02-31"', "known_failures.0.until ('2999-02-31') cannot be used"),
        ("2999-12-31", "2999-12-31T10:00:00Z", "known_failures.0.until"),
        ("2999-12-31", '"soon"', "known_failures.0.until ('soon') cannot be used"),
        ("mesh team", "", "known_failures.0.owner ('') cannot be used"),
        ("https://tracker.example.com/17", "MESH-17", "known_failures.0.link ('MESH-17') cannot be used"),
        ("owner =", "ower =", "known_failures.0"),
        ("until =", "reasn = 'x'\nuntil =", "there is no setting known_failures.0.reasn; did you mean reason?"),
        ("until =", "mesh = 'old'\nuntil =", "known_failures.0.mesh ('old') cannot be used"),
        ("[[known_failures]]", "[[known_failure]]", "no setting known_failure; did you mean known_failures?"),
        (GOOD, GOOD + GOOD, "known failure LAB-JWT-04[expired] (meshproof.toml) is there twice"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "plan", "doctor"])
def test_a_mistake_is_one_line_and_exit_2(
    alone: Path, verb: str, was: str, becomes: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    written(alone, GOOD.replace(was, becomes, 1))
    assert cli.main([verb]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1


def test_the_projects_own_list_counts_on_the_embedded_target_only(tmp_path: Path) -> None:
    own = known_failures.of_embedded(ROOT / EMBEDDED)
    assert known.entries(targets.of(Settings())) == own
    assert known.entries(targets.of(Settings(target="live", context="prod"))) == ()
    assert known.entries(targets.of(Settings(target="kind", context="kind-one"))) == ()
    assert {entry.origin for entry in own} <= {EMBEDDED}


@pytest.mark.parametrize("text", ["budget_s = 3\n", GOOD.replace("owner", "ower"), "a = = b"])
def test_a_mistake_in_the_own_list_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError):
        known_failures.of_embedded(written(tmp_path, text) / "meshproof.toml")


# -- a whole run

ONE_FAILS = suite("one", "case('LAB-PERM-01', 'pass')", "case('LAB-JWT-04', 'fail', 'expired')")


def entry_for(control: str, until: str = "2999-12-31", more: str = "") -> str:
    return GOOD.replace("LAB-JWT-04[expired]", control).replace("2999-12-31", until) + more


@pytest.mark.parametrize("words", [(), ("-n", "1")])
def test_a_known_failure_ends_with_0(inner: Inner, words: tuple[str, ...]) -> None:
    inner.write(one=ONE_FAILS)
    written(inner.root, GOOD)
    ran = inner.run(*words)
    assert ran.code == 0, ran.output
    found = ran.cases["LAB-JWT-04[expired]"]
    assert found.verdict is Verdict.FAIL
    assert found.known
    assert (found.known.owner, found.known.origin) == ("mesh team", "meshproof.toml")
    assert ran.contents.run
    assert ran.contents.run.known_failures[0].control == "LAB-JWT-04[expired]"


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (entry_for("LAB-JWT-04"), 0),
        (entry_for("LAB-JWT-04[ex*]"), 0),
        (entry_for("LAB-JWT-*", more='mesh = "1.31"\n'), 0),
        (entry_for("LAB-JWT-04", more='observed = "fail"\n'), 0),
        (entry_for("LAB-JWT-04", more='observed = "200"\n'), 1),
        (entry_for("LAB-JWT-04", more='mesh = "1.29"\n'), 1),
        (entry_for("LAB-JWT-05"), 1),
        (entry_for("LAB-JWT-04", "2020-01-01"), 1),
    ],
)
def test_an_entry_excuses_no_more_than_it_says(inner: Inner, entry: str, code: int) -> None:
    inner.write(one=ONE_FAILS)
    written(inner.root, entry)
    assert inner.run().code == code


def test_what_is_inconclusive_is_not_excused(inner: Inner) -> None:
    inner.write(one=ONE_FAILS.replace("'fail'", "'inconclusive'"))
    written(inner.root, GOOD)
    assert inner.run().code == 3


def test_a_pass_asks_to_remove_the_entry_and_is_none_the_worse(inner: Inner) -> None:
    inner.write(one=ONE_FAILS.replace("'fail'", "'pass'"))
    written(inner.root, GOOD)
    ran = inner.run(own_reports=True)
    assert ran.code == 0
    assert "LAB-JWT-04[expired] passed: remove the known failure" in ran.output


def test_an_entry_that_expired_is_an_error_of_its_own(inner: Inner) -> None:
    inner.write(one=ONE_FAILS.replace("'fail'", "'pass'"))
    written(inner.root, entry_for("LAB-JWT-04", "2020-01-01"))
    ran = inner.run()
    assert ran.code == 2
    assert set(ran.verdicts.values()) == {"pass"}
    assert len(lines.expired(conformance.build(read(ran.folder / "journal.ndjson")))) == 1


def test_a_test_that_fails_after_its_case_is_excused_too(inner: Inner) -> None:
    inner.write(one=ONE_FAILS.replace("'fail'", "'pass'") + "    assert 'expired' not in case.id\n")
    written(inner.root, GOOD)
    ran = inner.run()
    assert ran.code == 0
    assert ran.verdicts["LAB-JWT-04[expired]"] == "fail"


def test_enforce_alone_is_not_excused(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-JWT-04', 'pass', 'expired')", needs="jwt"))
    written(inner.root, GOOD)
    ran = inner.run("--enforce", env={"FAKE_LACKS": '["jwt"]'})
    assert ran.code == 1
    assert ran.cases["LAB-JWT-04[expired]"].known is None


def test_keep_does_not_stop_at_a_known_failure(inner: Inner) -> None:
    inner.write(one=suite("one", "case('LAB-JWT-04', 'fail', 'expired')", "case('LAB-PERM-01', 'pass')"))
    written(inner.root, GOOD)
    ran = inner.run("--keep")
    assert (ran.code, ran.verdicts["LAB-PERM-01"]) == (0, "pass")
    assert any("exit one" in line for line in ran.trace), "nothing failed, so the stage is undone"


def test_an_entry_for_a_case_that_does_not_exist_is_exit_2(inner: Inner) -> None:
    inner.write(one=ONE_FAILS)
    written(inner.root, GOOD.replace("expired", "expird"))
    ran = inner.run()
    assert ran.code == 2
    assert "the known failure LAB-JWT-04[expird] (meshproof.toml) names no case" in ran.output
    assert inner.run("-k", "PERM").code == 0, "a part of the cases of a control does not show that"


def test_plan_and_doctor_list_what_has_expired(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(alone, entry_for("LAB-PERM-01", "2020-01-01"))
    assert cli.main(["plan", "--control", "LAB-PERM-01"]) == 0
    assert "known failure LAB-PERM-01 in meshproof.toml expired on 2020-01-01" in capsys.readouterr().out
    from runner.commands import doctor

    rows = doctor.known_failures(targets.of(settings.load()))
    assert [(row.ok, row.optional) for row in rows if row.name == "known failure"] == [(False, False)]
