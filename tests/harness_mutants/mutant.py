"""One mutant: what is wrong in it, where, and which rooms' unit tests must notice it."""

from __future__ import annotations

from dataclasses import dataclass

PROOF = ("model", "proof")
PROBE = ("model", "probe")


@dataclass(frozen=True)
class HarnessMutant:
    """One wrong line.

    Attributes:
        name: what the harness does wrong.
        file: relative to the checkout.
        old, new: the text that is replaced, which is there exactly once.
        rooms: folders of `tests/unit` that must notice it.
    """

    name: str
    file: str
    old: str
    new: str
    rooms: tuple[str, ...] = PROOF

    def patched(self, text: str) -> str:
        """The file's text with the mutant in it.

        Raises:
            ValueError: the text that it replaces is not there exactly once.
        """
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"{self.name}: {self.file} has {self.old!r} {count} times, not once")
        return text.replace(self.old, self.new)
