"""A value of a wrong type in the settings file is one line and exit code 2, for every setting and every command.

Which settings there are, and of which type, is read from the settings' own description (their JSON Schema).
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.commands import cli
from runner.config import settings
from runner.config.settings import Settings
from runner.target import targets
from testbed import api
from testbed.profiles import manager

pytestmark = pytest.mark.unit

SCHEMA = Settings.model_json_schema()
OF_EACH_TYPE = {
    "string": '"x"',
    "number": "1.5",
    "integer": "3",
    "boolean": "true",
    "array": '["x"]',
    "object": "{x = 1}",
    "date": "2030-01-01",
    "time": "07:32:00",
}
"""Type → a value of it, in TOML."""
LIKE = {"number": {"integer"}, "date": {"string"}}
"""Type → types of which a value may be one of it too; a date may be written as text."""
ENTRY = {"control": '"LAB-PERM-01"', "owner": '"a"', "link": '"https://example.com/1"', "until": "2030-01-01"}
"""What an entry of a list needs, next to the value that is wrong."""


def whole(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of the schema, without the reference to it."""
    name = part.get("$ref", "").rpartition("/")[2]
    return SCHEMA["$defs"][name] if name else part


def types_of(part: Mapping[str, Any]) -> set[str]:
    if "anyOf" in part:
        return {one for choice in part["anyOf"] for one in types_of(whole(choice))}
    if part.get("format") == "date":
        return {"date"}
    return {part["type"]}


def settings_of(part: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Each setting below: its path, where `[]` is an entry of a list, and its types."""
    inner = [*part.get("properties", {}).items(), *(("[]", part["items"]) for _ in range("items" in part))]
    values = [part.get("additionalProperties"), *part.get("patternProperties", {}).values()]
    name = part.get("propertyNames", {}).get("enum", ["x"])[0]
    inner += [(name, one) for one in values if isinstance(one, Mapping)]
    for key, described in inner:
        choices = [whole(one) for one in described.get("anyOf", [described])]
        below = (*path, key)
        yield below, {one for choice in choices for one in types_of(choice)}
        for choice in choices:
            yield from settings_of(choice, below)


ALL = dict(settings_of(SCHEMA))


def written(path: tuple[str, ...], value: str) -> str:
    """The line of the file that gives a setting this value."""
    text = value
    for place, name in reversed(list(enumerate(path))):
        if name == "[]":
            text = f"[{text}]"
            continue
        others = ENTRY if path[:place] == ("known_failures", "[]") else {}
        text = "{" + ", ".join(f"{key} = {one}" for key, one in {**others, name: text}.items()) + "}"
    return text[1:-1] + "\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def reached(*_: object) -> None:
        raise AssertionError("the file was taken")

    for place, name in ((targets, "of"), (api, "up"), (api, "build"), (manager, "up")):
        monkeypatch.setattr(place, name, reached)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    return tmp_path / settings.FILE_NAME


def line_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The only line that the command prints."""
    code = cli.main(words)
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, ""), f"it was taken: {printed}"
    [line] = printed.err.splitlines()
    return line


def test_the_description_has_all_settings() -> None:
    assert {path[0] for path in ALL} == set(Settings.model_fields)
    assert {("egress", "tls_port"), ("pods", "tolerations", "[]", "key"), ("external", "hosts", "x")} <= set(ALL)
    needed = {name for one in SCHEMA["$defs"].values() for name in one.get("required", ())}
    assert needed == set(ENTRY)


@pytest.mark.parametrize("path", ALL, ids=".".join)
def test_a_value_of_a_wrong_type_is_one_line(
    path: tuple[str, ...], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = ALL[path] | {one for kind in ALL[path] for one in LIKE.get(kind, ())} - {"null"}
    wrong = {kind: value for kind, value in OF_EACH_TYPE.items() if kind not in taken}
    for kind, value in wrong.items():
        file.write_text(written(path, value))
        line = line_of(["images"], capsys)
        name = ".".join("0" if one == "[]" else one for one in path)
        assert line.startswith(f"meshproof: the setting {name}"), f"{kind}: {line}"
        assert "it must be" in line
        assert not any(word in line for word in ("True", "datetime", "Input", "String")), f"{kind}: {line}"


ARGUMENTS = {
    "precheck": ["--to", "1.31"],
    "hold mark": ["drain"],
    "upgrade": ["--from-revision", "a", "--to-revision", "b"],
}


def commands() -> Iterator[str]:
    """Those that take settings from the command line, and so from the file."""
    groups = {f"{group} {name}": place for group, (_, verbs) in cli.GROUPS.items() for name, place in verbs.items()}
    for name, place in {**cli.VERBS, **groups}.items():
        module, function = place.split(".")
        verb = inspect.unwrap(getattr(importlib.import_module(f"runner.commands.{module}"), function))
        if "given" in inspect.signature(verb).parameters:
            yield name


@pytest.mark.parametrize("command", [*commands(), "report", "verify"])
@pytest.mark.parametrize("value", ["3", "{a = 1}"])
def test_every_command_refuses_it(command: str, value: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`images` took any target, since it had one of its own."""
    file.write_text(f"target = {value}\n")
    line = line_of([*command.split(), *ARGUMENTS.get(command, [])], capsys)
    assert line.startswith("meshproof: the setting target")
