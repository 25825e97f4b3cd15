"""Parts of a page that are built when they are opened: compressed into the page, and unpacked by its script.

A page of 5,000 cases has a million elements. A browser that makes all of them takes seconds, and the reader opens ten
cases. So the page holds the cases as compressed text, in an element that browsers neither show nor run.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

PER_PART = 40
"""Cases whose bodies are unpacked together: some hundred kilobytes, which takes a few milliseconds."""


@dataclass(frozen=True)
class PagePart:
    """One part: its name in the page, and its content, compressed by gzip and written in base64."""

    name: str
    content: str


def part(name: str, text: str) -> PagePart:
    """A part from its text; the same text gives the same bytes."""
    packed = gzip.compress(text.encode(errors="replace"), mtime=0)
    return PagePart(name, b64encode(packed).decode())


def bodies(texts: Iterable[str]) -> Iterator[PagePart]:
    """The bodies of cases, in order: `b0` has the first `PER_PART` of them as a list in JSON, and so on."""
    rest = iter(texts)
    number = 0
    while several := list(islice(rest, PER_PART)):
        yield part(f"b{number}", json.dumps(several, ensure_ascii=False))
        number += 1
