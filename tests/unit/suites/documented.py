"""The commands that README and the documents state, as a reader would type them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = "|".join(
    ("./meshproof", "kubectl", "helm", "skopeo", "ctr", "kind", "openssl", "apt-get", "sysctl", "pytest", "tox",
     "allure", "zless", "zgrep", "python", "docker", "istioctl", "systemctl")
)  # fmt: skip
"""What begins a command among inline code; in a block of shell every line is one."""


@dataclass(frozen=True)
class Command:
    """One command, in which document, its words before any option's value, and its options."""

    document: str
    words: tuple[str, ...]
    options: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document}: {' '.join((*self.words, *self.options))}"


def commands(files: list[Path]) -> Iterator[Command]:
    """All of them, each once for a document."""
    for file in files:
        each = (one for line in _lines(file.read_text(encoding="utf-8")) for one in _simple(line))
        yield from dict.fromkeys(Command(file.name, *_parsed(one)) for one in each)


def _lines(text: str) -> Iterator[str]:
    """Lines of blocks of shell, and inline code."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(r"(?:^    \./.*\n)+", text, re.MULTILINE)
    for block in blocks:
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            yield re.sub(r"\s+#.*|^#.*", "", line).strip()
    for code in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        code = " ".join(code.split())
        if re.match(rf"({PROGRAMS}) ", code):
            yield code


def _simple(line: str) -> Iterator[str]:
    """The commands of a line of shell, without variables before them; `a|b` stands for each of both."""
    for one in re.split(r" && |; | \| ", line):
        one = re.sub(r"^(\w+=\S+ )+", "", one.strip())
        either = re.search(r"(?<=meshproof hold )[a-z|]+", one)
        for word in either[0].split("|") if either else ("",):
            yield one.replace(either[0], word) if either else one


def _parsed(line: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    line = line.partition(" -- ")[0]
    try:
        words = shlex.split(line)
    except ValueError:  # a quotation mark that belongs to the text
        words = line.split()
    options = [re.match(r"\[?(--?[A-Za-z][a-z-]*)", word) for word in words]
    first = next((place for place, option in enumerate(options) if option), len(words))
    return tuple(words[:first]), tuple(dict.fromkeys(option[1] for option in options if option))
