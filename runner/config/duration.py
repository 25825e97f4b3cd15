"""A duration as a person writes it: `90s`, `25m`, `1h30m`; a bare number is seconds."""

from __future__ import annotations

import re

_UNITS = {"h": 3600, "m": 60, "s": 1}
_FORM = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s?)?")


def seconds(text: str) -> int:
    """The duration in seconds.

    Raises:
        ValueError: it is none, or is zero.
    """
    found = _FORM.fullmatch(text.strip())
    total = (
        sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS.values(), strict=True)) if found else 0
    )
    if not total:
        raise ValueError(f"{text!r} is no duration; write for instance 90s, 25m or 1h30m")
    return total
