"""A page as a reader sees it who has opened everything: its parts unpacked, in the place where the script puts them."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode

TEMPLATE = re.compile(r'<template data-name="(\w+)">([A-Za-z0-9+/=]+)</template>\n')


def parts(page: str) -> dict[str, str]:
    """Name → text of each part."""
    return {name: gzip.decompress(b64decode(content)).decode() for name, content in TEMPLATE.findall(page)}


def unfolded(page: str) -> str:
    """The page with everything built; without what is there for readers without scripts."""
    found = parts(page)
    page = re.sub(r"<noscript>.*?</noscript>", "", TEMPLATE.sub("", page), flags=re.DOTALL)
    bodies: list[str] = []
    for number in range(len(found)):
        bodies += json.loads(found.get(f"b{number}", "[]"))

    def built(match: re.Match[str]) -> str:
        return f'{match[1]}<div class="built">{found[match[2]]}</div>'

    page = re.sub(r'(<details class="(?:table|group)" data-part="(\w+)".*?)<div class="built"></div>', built, page)
    return re.sub(
        r'(data-case="(\d+)">\n<summary>.*?)<div class="body"></div>',
        lambda match: f'{match[1]}<div class="body">{bodies[int(match[2])]}</div>',
        page,
        flags=re.DOTALL,
    )
