"""Whether a result still is of what would be tried today: a digest of the mutant, and of what has to notice it."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from clients.model.case import Case
from clients.model.stage import Stage
from testbed.store import digest
from tests.harness_mutants.mutant import HarnessMutant
from tests.harness_mutants.run import nearest
from tests.mutants.entry import EVERY, Entry
from tests.mutants.registry import HARNESS, MESH

ROOT = Path(__file__).parents[2]
_OWN = ("tests.mutants", "clients.identity.certificates")


@cache
def of(name: str) -> str:
    """The digest of a mutant of today; empty where there is none of that name.

    Of the mesh: what it changes, the verdicts that are due, the cases that it names, and the state in which they are
    proven. Of the harness: the wrong line, its file, and the tests that are nearest to it.
    """
    if entry := MESH.get(name):
        return digest([*_changes(entry), *_due(entry), *_proven(entry)])
    if mutant := HARNESS.get(name):
        return digest(_wrong_line(mutant))
    return ""


def _changes(entry: Entry) -> list[str]:
    made: Any = entry.make
    made = made.args[0] if isinstance(made, partial) else made
    return sorted(_sources(made, set()))


def _sources(made: Any, seen: set[int]) -> Iterator[str]:
    """The source of a function or class, of what it holds on to, and of the functions of ours that it names."""
    if id(made) in seen:
        return
    seen.add(id(made))
    if isinstance(made, type):
        yield inspect.getsource(made)
        for base in made.__mro__[1:]:
            if base.__module__.startswith(_OWN):
                yield from _sources(base, seen)
        for method in vars(made).values():
            if inspect.isfunction(method):
                yield from _named(method, seen)
    elif inspect.isfunction(made):
        yield inspect.getsource(made)
        for cell in made.__closure__ or ():
            held = cell.cell_contents
            yield from _sources(held, seen) if callable(held) else [_text(held)]
        yield from _named(made, seen)


def _named(function: Callable[..., Any], seen: set[int]) -> Iterator[str]:
    for name in sorted(_names(function.__code__)):
        found = function.__globals__.get(name)
        if inspect.isfunction(found) or isinstance(found, type):
            if found.__module__.startswith(_OWN):
                yield from _sources(found, seen)
        elif name in (constants := _constants(function.__module__)):
            yield constants[name]


@cache
def _constants(module: str) -> dict[str, str]:
    """Statements that give a name its value in a module of mutants, by name; as written, for some make new keys.

    Those of a module of mutants that it imports from are among them.
    """
    if not module.startswith(_OWN):
        return {}
    text = inspect.getsource(import_module(module))
    found: dict[str, str] = {}
    for one in ast.parse(text).body:
        if isinstance(one, ast.ImportFrom):
            theirs = _constants(one.module or "")
            found |= {name.asname or name.name: theirs[name.name] for name in one.names if name.name in theirs}
        elif isinstance(one, ast.Assign | ast.AnnAssign):
            stored = (target for target in ast.walk(one) if isinstance(target, ast.Name))
            source = ast.get_source_segment(text, one) or ""
            found |= {target.id: source for target in stored if isinstance(target.ctx, ast.Store)}
    return found


def _names(code: CodeType) -> set[str]:
    inner = (_names(one) for one in code.co_consts if isinstance(one, CodeType))
    return {*code.co_names}.union(*inner)


def _due(entry: Entry) -> list[str]:
    return [_text(entry.verdicts), _text(entry.because), _text(entry.words), _text(entry.place), str(entry.restricted)]


def _proven(entry: Entry) -> Iterator[str]:
    """The cases of its verdicts, each with its stage's objects; the whole module of a control that is no case."""
    topic = entry.place.suite
    for key in sorted(entry.verdicts):
        control = re.sub(r"\[.*", "", key)
        found = [
            [_text(case), *_applied(module)]
            for module, cases in _cases(topic)
            for case in cases
            if (case.control == control if key.endswith(EVERY) else case.id == key)
        ]
        if found:
            yield from (text for texts in found for text in texts)
        else:
            yield from (text for text in _texts(topic) if control in text)


@cache
def _cases(topic: str) -> list[tuple[ModuleType, list[Case]]]:
    paths = sorted((ROOT / topic).glob("test_*.py"))
    modules = [import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in paths]
    return [(module, [*_found(vars(module).values())]) for module in modules]


def _found(values: Iterable[Any]) -> Iterator[Case]:
    return (case for value in values if isinstance(value, list) for case in value if isinstance(case, Case))


@cache
def _texts(topic: str) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted((ROOT / topic).glob("*.py"))]


def _applied(module: ModuleType) -> list[str]:
    """What the stage of a module applies after its environment."""
    stage: Stage = vars(module)["STAGE"]
    names = [*stage.apply, *(name for step in stage.steps for name in step.apply)]
    paths = [path for name in names for path in _files(ROOT / "manifests" / name)]
    return [_text(stage), *(path.read_text(encoding="utf-8") for path in paths)]


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.yaml")) if path.is_dir() else [path]


def _wrong_line(mutant: HarnessMutant) -> list[str]:
    files = [mutant.file, *nearest(mutant, ROOT)]
    return [_text(mutant), *((ROOT / name).read_text(encoding="utf-8") for name in files)]


def _text(value: Any) -> str:
    """A value, without fields that have their default: a new one changes nothing that is there."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        stated = (one for one in dataclasses.fields(value) if getattr(value, one.name) != one.default)
        return f"{type(value).__name__}({', '.join(f'{one.name}={_text(getattr(value, one.name))}' for one in stated)})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_text(key)}: {_text(value[key])}' for key in value)}}}"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(_text, value)))}}}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_text, value))}]"
    if callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__name__)}"
    return repr(value)
