"""docs/why.md lists every detector with a line of it. `python tests/unit/mesh/why/test_why_page.py` writes it."""

from __future__ import annotations

import textwrap

import pytest
from why_samples import OBJECTS, REQUESTS

from clients.mesh.why import detectors
from runner.config.settings import ROOT

pytestmark = pytest.mark.unit

PAGE = ROOT / "docs" / "why.md"
BEGIN, END = "<!-- {}: written by tests/unit/mesh/why/test_why_page.py -->", "<!-- end -->"
TABLES = {"objects": (detectors.OBJECTS, OBJECTS), "requests": (detectors.REQUESTS, REQUESTS)}


def table(name: str) -> str:
    """Some detectors: what each finds, and a line of it. As a list, because the lines are long (docs/style.md)."""
    listed, samples = TABLES[name]
    rows = [(one.__name__, detectors.summary(one), samples[one.__name__].line) for one in listed]
    return "\n".join(
        f"{_wrapped(f'- `{key}`: {what}', '  ')}\n\n{_wrapped(line, '      ', '      ')}\n" for key, what, line in rows
    )


def _wrapped(text: str, indent: str, first: str = "") -> str:
    whole = {"break_long_words": False, "break_on_hyphens": False}
    return "\n".join(textwrap.wrap(text, 118, initial_indent=first, subsequent_indent=indent, **whole))  # type: ignore[arg-type]


def written(page: str) -> str:
    """The page with its tables."""
    for name in TABLES:
        begin = BEGIN.format(name)
        head, rest = page.split(begin, 1)
        page = f"{head}{begin}\n\n{table(name)}\n{END}{rest.split(END, 1)[1]}"
    return page


def test_the_page_is_what_the_detectors_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "run: python tests/unit/mesh/why/test_why_page.py"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
