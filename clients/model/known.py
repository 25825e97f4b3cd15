"""Known failures, for each of which a person answers until a day, and published advisories. Data only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

ANY = "*"
"""At the end of a control's or a variant's name: whatever follows."""
EMBEDDED = "suites/known-embedded.toml"
"""Origin of the entries about the embedded mesh: the project's own list, relative to the checkout."""


@dataclass(frozen=True)
class Advisory:
    """A published weakness of a mesh.

    Attributes:
        id: as it was published (`CVE-2026-39350`, `GHSA-w44g-8m76-8gc5`).
        link: where it was published.
        patched: the first versions without the weakness, one for each line of releases that got a patch.
    """

    id: str
    link: str
    patched: tuple[str, ...] = ()

    def opened(self, reason: str, mesh: str = "") -> str:
        """The reason of a case that found the weakness: what the mesh is open to, and which versions are not.

        Args:
            mesh: version of the mesh, which may be of a line that has no patched release, although it is a newer one.
        """
        patched = ", ".join(self.patched)
        line = ".".join(mesh.split(".")[:2])
        listed = not line or any(version == line or version.startswith(f"{line}.") for version in self.patched)
        fix = f"patched in {patched}" + ("" if listed else f", no release is listed for {line}")
        return f"open to {self.id}; {fix if patched else 'no patch is known'}; {reason}"


@dataclass(frozen=True)
class KnownFailure:
    """An entry of a list of known failures: which cases may fail, until when, and who answers for that.

    Attributes:
        control: name of the cases: of a control (all its cases), of one case (`LAB-JWT-04[expired]`), or of several
            (`LAB-JWT-*`, `LAB-JWT-04[ex*]`).
        link: where the failure is tracked.
        until: the last day on which it excuses a failure, in UTC (`2027-01-31`).
        reason: what is known of it; may be empty.
        mesh: only for a mesh of this version, or of this line (`1.29`); empty for any.
        observed: only for a failure that showed exactly this; empty for any.
        origin: the list it stands in, for people.
    """

    control: str
    owner: str
    link: str
    until: str
    reason: str = ""
    mesh: str = ""
    observed: str = ""
    origin: str = ""

    def names(self, case: str) -> bool:
        """Whether it is about the case of this id."""
        begin, several, _ = self.control.partition(ANY)
        return case.startswith(begin) if several else self.control in (case, case.partition("[")[0])

    def fits(self, mesh: str) -> bool:
        """Whether it is about a mesh of this version."""
        return not self.mesh or mesh == self.mesh or mesh.startswith(f"{self.mesh}.")

    def expired(self, day: str) -> bool:
        """Whether it excuses nothing any more on this day (ISO 8601; a time of day is ignored)."""
        return date.fromisoformat(day[:10]) > date.fromisoformat(self.until)

    @property
    def text(self) -> str:
        """`until 2027-01-31, mesh team, https://…: reason`."""
        return f"until {self.until}, {self.owner}, {self.link}" + (f": {self.reason}" if self.reason else "")


def excusing(entries: Iterable[KnownFailure], case: str, *, observed: str, mesh: str, day: str) -> KnownFailure | None:
    """The first entry in force on this day that excuses a failure of this case; None where there is none."""
    fitting = (entry for entry in entries if entry.names(case) and entry.fits(mesh) and not entry.expired(day))
    return next((entry for entry in fitting if entry.observed in ("", observed)), None)
