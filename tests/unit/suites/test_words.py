"""Words in comments, docstrings and documents (docs/style.md): rooms that have been passed over stay plain English."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from runner.config.settings import ROOT

pytestmark = pytest.mark.unit

ROOMS = ("testbed", "benchmarks", "clients", "reports")
"""Folders whose Python files have been passed over; add a folder here once it has been."""
ROOMS += (
    "suites",
    "runner",
    "tests/mutants",
    "tests/selfcheck",
    "tests/rights",
    "tests/standins",
    "tests/e2e",
    "tests/unit/runner",
)
FILES = ("meshproof", "conftest.py", "tests/conftest.py", "tests/unit/runner_fakes.py")
"""Single files that have been passed over."""
NOT_YET: frozenset[str] = frozenset()
"""Files of these folders that have not been passed over yet."""
DOCUMENTS = (
    "README.md",
    "CHANGELOG.md",
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("*.md"))),
)
MAX_LINE = 120

BANNED = re.compile(
    r"\b(told|beside|mend(s|ed)?|anew|by and by|whoever|nobody|somebody|anybody|everybody|whom|lends?|lent|unseen"
    r"|in vain|(bad|half-made) ground|grounds|stands (beside|by))\b",
    re.IGNORECASE,
)
"""Words of an older style, most of them for programs as if they were people. `ground` alone is an English word."""
NAMES = {"told", "said", "mend"}
"""Names that do not say what they hold."""
FOREIGN = {"NOBODY"}
"""Names of libraries: an option of curl."""
QUOTED = re.compile(r"`[^`]*`|^\d+\. Don't: .*$|must\s+not\s+run\s+beside\s+other\s+cases", re.MULTILINE)
"""Code, the bad examples of docs/style.md, and words of the catalogue's, which a capability's description repeats."""


def python_files() -> list[str]:
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))] + [ROOT / name for name in FILES]
    return [name for path in paths if (name := path.relative_to(ROOT).as_posix()) not in NOT_YET]


def prose(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of every comment, docstring and message: strings with a space in them."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def problems(source: str) -> list[str]:
    """What is wrong with a Python file."""
    found = [
        f"{line + text[: hit.start()].count(chr(10))}: {hit.group()!r}"
        for line, text in prose(source)
        for hit in BANNED.finditer(QUOTED.sub(lambda quoted: "·" * len(quoted.group()), text))
    ]
    return found + [
        f"{node.lineno}: name {name!r}"
        for node in ast.walk(ast.parse(source))
        if (name := name_in(node)) and banned(name)
    ]


def name_in(node: ast.AST) -> str:
    """The name that a node reads, makes or declares; empty for any other node."""
    match node:
        case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
    return ""


def banned(name: str) -> bool:
    """Whether it is a name that says nothing, or its words are of the older style (`asked_in_vain`, `InVain`)."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").strip()
    return name.strip("_") in NAMES or (name not in FOREIGN and bool(BANNED.search(words)))


@pytest.mark.parametrize("name", python_files())
def test_code_is_plain_english(name: str) -> None:
    assert problems((ROOT / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_plain_english(name: str) -> None:
    text = QUOTED.sub("", (ROOT / name).read_text(encoding="utf-8"))
    assert [hit.group() for hit in BANNED.finditer(text)] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_lines_of_a_document_are_short(name: str) -> None:
    """Without exception: a table whose rows are longer becomes a list. Addresses may be longer, on their own lines."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    long = [number for number, line in enumerate(lines, 1) if len(line) > MAX_LINE and not is_address(line)]
    assert long == []


def is_address(line: str) -> bool:
    """Whether the line is one address, which cannot be broken."""
    return bool(re.fullmatch(r"\s*([-*] |\[[^]]*\]: ?)?<?https?://\S+>?", line))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""Whoever waits."""', ["1: 'Whoever'"]),
        ("x = 1  # nobody knows", ["1: 'nobody'"]),
        ('"""Doc.\n\nStart it anew.\n"""', ["3: 'anew'"]),
        ('print(f"the user {1} is told")', ["1: 'told'"]),
        ("told = 1", ["1: name 'told'"]),
        ("def f(said): ...", ["1: name 'said'"]),
        ("def asked_in_vain(): ...", ["1: name 'asked_in_vain'"]),
        ("async def said(): ...", ["1: name 'said'"]),
        ("class AskedInVain: ...", ["1: name 'AskedInVain'"]),
        ("link.said", ["1: name 'said'"]),
        ("_said = unsaid", ["1: name '_said'"]),
        ('user = "nobody"', []),
        ('"""The account `nobody` has no home."""', []),
        ('"""A case must not run beside other cases, nor stand beside them."""', ["1: 'beside'"]),
        ('"""A stand-in recommends amendments."""', []),
    ],
)
def test_the_check_finds_what_it_is_for(source: str, expected: list[str]) -> None:
    assert problems(source) == expected


def test_every_room_has_files() -> None:
    assert all(list((ROOT / room).rglob("*.py")) for room in ROOMS)
    assert all((ROOT / name).is_file() for name in (*NOT_YET, *FILES, *DOCUMENTS))


def test_lines_that_are_addresses() -> None:
    assert is_address("[x]: https://example.com/" + "a" * 200)
    assert not is_address("see https://example.com/ for more")
