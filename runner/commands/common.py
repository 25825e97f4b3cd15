"""Options that several verbs share, exit codes, and words for pytest."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import inspect
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from clients.model.errors import SettingsError
from reports import files
from runner.config.option import Option, options
from runner.config.settings import CLUSTER as CLUSTER
from runner.config.settings import ROOT, Settings

Controls = Annotated[list[str] | None, typer.Option("--control", metavar="ID", help="Only this control; repeatable.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="Only controls with this tag; repeatable.")
]
SkippedTags = Annotated[
    list[str] | None, typer.Option("--skip-tag", metavar="TAG", help="No control with this tag; repeatable.")
]
Keyword = Annotated[str | None, typer.Option("-k", metavar="EXPR", help="Only tests whose names match.")]
Marks = Annotated[str | None, typer.Option("-m", metavar="EXPR", help="Only tests with these marks.")]
Paths = Annotated[
    list[str] | None, typer.Argument(metavar="[SUITE]...", help="Folders or files of suites; default: all.")
]
Given = dict[str, Any]
"""Settings that the command line gives, by name; None where it gives none."""
Verb = Callable[..., int]


def takes(*names: str) -> Callable[[Verb], Verb]:
    """Give a verb the options of these settings; their values are in its argument `given`.

    The options are described with the settings (`runner.config.settings`); no value is validated here.
    """

    def decorate(verb: Verb) -> Verb:
        @functools.wraps(verb)
        def called(**values: Any) -> int:
            given = {name: values.pop(name, None) for name in names}
            return verb(**values, given=given)

        own = inspect.signature(verb, eval_str=True)
        described = options(Settings)
        parameters = [one for one in own.parameters.values() if one.name != "given"]
        parameters += [_parameter(name, described[name]) for name in names]
        called.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {one.name: one.annotation for one in parameters}
        return called

    return decorate


def _parameter(name: str, option: Option) -> inspect.Parameter:
    text = option.text
    if name in CLUSTER:  # verbs that use no cluster need not import what connects to one
        from runner.target.targets import help_of

        text = help_of(name, option)
    made = typer.Option(
        *option.flags.split("/"), metavar=option.metavar or None, help=text, rich_help_panel=option.panel or None
    )
    annotation = Annotated[bool | None if option.switch else str | None, made]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation)


def words(given: dict[str, Any]) -> list[str]:
    """Command-line words for pytest from named values: None is left out, lists repeat."""
    made: list[str] = []
    for name, value in given.items():
        flag = f"-{name}" if len(name) == 1 else f"--{name}"
        values = value if isinstance(value, list | tuple) else () if value is None else (value,)
        made += [word for item in values for word in (flag, str(item))]
    return made


def check_suites(paths: Sequence[str] | None) -> None:
    """Refuse what holds no suites, before anything is started; pytest's own words are not looked at.

    Raises:
        SettingsError: a path is not there, is no folder and no file of Python, or leads elsewhere than to suites.
    """
    hint = "name a folder or a file of suites, for instance suites/lab"
    for word in itertools.takewhile(lambda one: not one.startswith("-"), paths or ()):
        name = word.split("::", 1)[0]
        place = next((one for one in (Path(name).expanduser(), ROOT / name) if one.exists()), None)
        if place is None:
            raise SettingsError(f"there is no file or folder {name}", hint)
        path = files.real(place)
        if not path.is_dir() and path.suffix != ".py":
            raise SettingsError(f"{name} is no file of suites", hint)
        own = path.is_relative_to(ROOT / "suites") or path == ROOT
        above = any((one / "conftest.py").is_file() for one in (path, *path.parents))
        if not own and (path.is_relative_to(ROOT) or not above):
            raise SettingsError(f"{name} holds no suites of meshproof", hint)


def check_plugins(names: Sequence[str]) -> None:
    """Refuse a plugin of pytest that cannot be imported.

    Raises:
        SettingsError: there is no module and no installed plugin of this name.
    """
    for name in names:
        known = {one.name for one in importlib.metadata.entry_points(group="pytest11")}
        if name.startswith("no:") or name in known or _is_module(name) or _is_module(f"_pytest.{name}"):
            continue
        raise SettingsError(f"-p names {name}, which is no module", "see that PYTHONPATH has its folder")


def check_expressions(keyword: str | None, marks: str | None = None) -> None:
    """Refuse what pytest cannot read as a selection; pytest would print its own heading first.

    Raises:
        SettingsError: the value of -k or -m is no expression.
    """
    from _pytest.mark.expression import Expression  # its only reader, without a public name

    for option, value in (("-k", keyword), ("-m", marks)):
        try:
            Expression.compile(value or "")
        except SyntaxError as error:
            where = f"column {error.offset}: {error.msg}"
            hint = "join names by `and`, `or`, `not` and parentheses"
            raise SettingsError(f"{option} {value!r} is no expression: {where}", hint) from None


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def suites(paths: Sequence[str] | None) -> list[str]:
    """The paths for pytest, which runs from the root of the checkout; the suites where none is named.

    Paths count from the user's working folder. From the first option on (`run -- -p my_plugin`) the words are
    pytest's own, and stay as they are.
    """
    named = []
    rest = list(paths or ())
    while rest and not rest[0].startswith("-"):
        file, *node = rest.pop(0).split("::", 1)
        here = Path(file).expanduser()
        named.append("::".join([str(files.real(here)) if here.exists() else file, *node]))
    # Only pytest knows which of its words are paths: it uses these where none is.
    return ["-o", "testpaths=suites", *named, *rest]
