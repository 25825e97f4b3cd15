"""One line of `meshproof doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnosis:
    """One thing looked at; `hint` says what to do when it is not in order.

    Attributes:
        optional: a run does without: it skips what needs it, and says so.
    """

    name: str
    ok: bool
    detail: str = ""
    hint: str = ""
    optional: bool = False

    @property
    def sign(self) -> str:
        """How it stands in the list."""
        if self.ok:
            return "[green]ok[/green]     "
        return "[yellow]without[/yellow]" if self.optional else "[red]missing[/red]"
