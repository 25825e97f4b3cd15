"""One line of `meshproof doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnosis:
    """One finding; `hint` says what to do where it is not ok.

    Attributes:
        optional: a run works without it, and skips what needs it with the reason.
    """

    name: str
    ok: bool
    detail: str = ""
    hint: str = ""
    optional: bool = False

    @property
    def sign(self) -> str:
        """Its mark in the list."""
        if self.ok:
            return "[green]ok[/green]     "
        return "[yellow]without[/yellow]" if self.optional else "[red]missing[/red]"
