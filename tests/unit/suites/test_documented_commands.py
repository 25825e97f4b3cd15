"""Every command of the documents, with its options, and every file of `deploy/` is run by a test, or why not."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import click
import pytest
import typer
import yaml
from documented import Command, commands

from runner.commands import cli
from runner.config.settings import ROOT

pytestmark = pytest.mark.unit

TABLE: dict[str, Any] = yaml.safe_load((ROOT / "tests/documented.yaml").read_text(encoding="utf-8"))
FOUND = [
    one
    for one in commands([ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
    if one.words and one.words[0].strip("./")
]


@dataclass(frozen=True)
class Documented:
    """One of the table's rows; see its head."""

    command: str
    options: list[str] = field(default_factory=list)
    by: list[str] = field(default_factory=list)
    through: str = ""
    why: str = ""

    def is_for(self, command: Command) -> bool:
        """Whether the command begins with this row's words."""
        words = self.command.split()
        return [word.removeprefix("./") for word in command.words[: len(words)]] == words

    @property
    def proof(self) -> list[str]:
        """What the files of its tests must say."""
        word = self.command.split()[-1]
        return [self.through] if self.through else [word, *self.options]


ROWS = [Documented(**row) for row in TABLE["commands"]]


def test_the_commands_are_found() -> None:
    verbs = {one.words[1] for one in FOUND if one.words[0] == "./meshproof" and len(one.words) > 1}
    assert verbs >= {"run", "doctor", "upgrade", "hold", "image", "verify"}
    assert len(FOUND) > 100


@pytest.mark.parametrize("command", FOUND, ids=str)
def test_each_has_a_row_with_each_of_its_options(command: Command) -> None:
    if command.words[0] in TABLE["elsewhere"]:
        return
    rows = [row for row in ROWS if row.is_for(command)]
    assert rows, "no row of tests/documented.yaml is for it"
    assert set(command.options) <= {option for row in rows for option in row.options}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join((row.command, *row.options)))
def test_each_row_is_of_a_command_and_names_tests_that_run_it(row: Documented) -> None:
    of = [one for one in FOUND if row.is_for(one)]
    assert of, "no document states it"
    assert set(row.options) <= {option for one in of for option in one.options}
    assert bool(row.by) != bool(row.why)
    text = "".join((ROOT / file).read_text(encoding="utf-8") for file in row.by)
    for part in row.proof if row.by else ():
        assert re.search(rf"(?<![\w-]){re.escape(part)}(?![\w-])", text), part


def test_programs_that_no_test_starts_are_named_once() -> None:
    programs = {one.words[0] for one in FOUND}
    assert set(TABLE["elsewhere"]) <= programs
    assert not {row.command.split()[0] for row in ROWS} & set(TABLE["elsewhere"])


def test_every_file_to_deploy_is_applied_or_read_by_a_test() -> None:
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "deploy").rglob("*") if path.is_file()}
    assert set(TABLE["deploy"]) == files
    for file, by in TABLE["deploy"].items():
        assert by, file
        for test in by:
            assert "def test_" in (ROOT / test).read_text(encoding="utf-8"), (file, test)


def parameters(verbs: list[str]) -> set[str]:
    command: click.Command = typer.main.get_command(cli.application(verbs[0]))  # type: ignore[assignment]
    for verb in verbs:
        command = command.commands[verb]  # type: ignore[attr-defined]
    return {option for one in command.params for option in (*one.opts, *one.secondary_opts)}


@pytest.mark.parametrize("command", [one for one in FOUND if one.words[0] == "./meshproof"], ids=str)
def test_every_option_exists(command: Command) -> None:
    """Options of `bench` are the benchmark's own; `-k` and `-n` of a run are pytest's."""
    verbs = list(command.words[1 : 3 if command.words[1] in cli.GROUPS else 2])
    passed_on = {"run": {"-k", "-n"}, "bench": {"--json"}}.get(verbs[0], set())
    assert set(command.options) <= parameters(verbs) | passed_on
