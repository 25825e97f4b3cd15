"""What every page has in common: style, scripts, the policy that lets nothing else in, and the templates' functions."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from clients.model.counted import counted
from reports.marks import GLYPHS, WORDS

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Frame:
    """Style and script of a page, and its `Content-Security-Policy`, which allows them by their hashes alone."""

    style: Markup
    script: Markup
    policy: str


def frame(styles: Sequence[str], scripts: Sequence[str]) -> Frame:
    """The frame from files of the folder of templates, in this order."""
    environment = templates()
    style = Markup("".join(environment.get_template(name).render() for name in styles))  # noqa: S704  (our own files)
    script = Markup("".join((TEMPLATES / name).read_text() for name in scripts))  # noqa: S704  (the same)
    allowed = f"style-src {_digest(style)}; script-src {_digest(script)}; img-src data:"
    return Frame(style, script, f"default-src 'none'; {allowed}")


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def time_text(text: str) -> str:
    """An ISO 8601 time for people; what is none stays as it is."""
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return text


def seconds_text(value: float | None) -> str:
    """`1.50 s`, or `never`."""
    return "never" if value is None else f"{value:.2f} s"


def templates() -> Environment:
    """The templates; everything that they show is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(glyphs=GLYPHS, words=WORDS)
    environment.filters.update(seconds=seconds_text, count=counted, time=time_text)
    return environment
