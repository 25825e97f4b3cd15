"""The table of profiles: help, status and docs come from it. `python -m testbed.profiles.table` writes the docs."""

from __future__ import annotations

import difflib
import textwrap
from pathlib import Path

from clients.model.errors import SettingsError
from testbed.profiles.canary import CanaryProfile
from testbed.profiles.hardened import Hardened
from testbed.profiles.kind import KindFullProfile, KindProfile
from testbed.profiles.managed import Managed
from testbed.profiles.nodes import Nodes
from testbed.profiles.profile import Profile
from testbed.versions import HERE

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (Nodes(), Hardened(), Managed(), CanaryProfile(), KindProfile(), KindFullProfile())
}
"""Name → profile, in the order of the docs."""

DOCUMENT = HERE.parent / "docs" / "targets.md"
BEGIN, END = "<!-- profiles: begin (python -m testbed.profiles.table) -->", "<!-- profiles: end -->"


def of(name: str) -> Profile:
    """The profile of this name.

    Raises:
        SettingsError: there is none; the hint names the nearest.
    """
    if name not in PROFILES:
        near = difflib.get_close_matches(name, PROFILES, n=1)
        raise SettingsError(
            f"there is no profile {name}", f"did you mean {near[0]}?" if near else f"there are {', '.join(PROFILES)}"
        )
    return PROFILES[name]


def help_text() -> str:
    """All profiles in a sentence, for the help of `--profile`."""
    return "; ".join(f"{profile.name}: {profile.summary}" for profile in PROFILES.values())


def in_document(text: str) -> str:
    """The document with the part that is generated from the table.

    Raises:
        ValueError: it does not have both marks once.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{DOCUMENT.name} must have {BEGIN!r} and {END!r} once each")
    start, end = text.index(BEGIN), text.index(END) + len(END)
    parts = [part for profile in PROFILES.values() for part in _described(profile)]
    return text[:start] + "\n".join([BEGIN, *parts, END]) + text[end:]


def _described(profile: Profile) -> list[str]:
    needs = f"It needs {profile.needs.memory_gib:g} GiB of memory and {profile.needs.inotify_instances} file watches "
    needs += f"(inotify instances of one user), and starts within {profile.warm_s} s when it is built."
    head = f"**`{profile.name}`**: {profile.summary}. It stands for {profile.stands_for}. {needs}"
    return ["", _filled(head, ""), "", *(_filled(f"{trait}.", "- ") for trait in profile.traits), ""]


def _filled(text: str, bullet: str) -> str:
    indent = " " * len(bullet)
    return textwrap.fill(text, 120, initial_indent=bullet, subsequent_indent=indent, break_on_hyphens=False)


def main(document: Path = DOCUMENT) -> None:
    """Write the generated part of the document."""
    document.write_text(in_document(document.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
