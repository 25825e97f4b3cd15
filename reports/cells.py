"""Text for a cell of a Markdown table."""

from __future__ import annotations

import re

from reports.attempts import one_line

LONGEST = 300
"""Characters of one cell."""


def cell(text: str) -> str:
    """Text that stays within a table cell and is no markup."""
    escaped = cut(one_line(text), LONGEST).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#!@])", lambda found: f"&#{ord(found[1])};", escaped)


def cut(text: str, longest: int) -> str:
    """At most so many characters; an ellipsis is the last of them where some are left out."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
