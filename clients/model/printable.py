"""Text of others on a terminal: names of folders, the answer of a server, a report of unknown origin."""

from __future__ import annotations


def printable(text: str) -> str:
    """Runs of white space, line ends too, as one blank, and other control characters as Python escapes them.

    An escape sequence would move the cursor, or hide what the line says.
    """
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(one if one.isprintable() else _escaped(one) for one in line)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", errors="surrogatepass").decode("ascii")
