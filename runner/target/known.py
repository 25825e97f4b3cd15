"""Which lists of known failures count for a target: the user's, and the project's own for the embedded one."""

from __future__ import annotations

from clients.model.known import KnownFailure
from runner.config import catalogue, known_failures
from runner.config.settings import FILE_NAME
from runner.target.target import Target


def entries(target: Target) -> tuple[KnownFailure, ...]:
    """All entries that may count, the user's first: of two about one case the first decides.

    Raises:
        SettingsError: an entry is wrong, or names no control.
    """
    users = tuple(entry.record(FILE_NAME) for entry in target.settings.known_failures)
    own = known_failures.of_embedded(target.known_failures) if target.known_failures else ()
    controls = catalogue.load().controls
    return known_failures.checked(users, controls) + known_failures.checked(own, controls)


def expired(target: Target, day: str) -> tuple[KnownFailure, ...]:
    """Those that excuse nothing any more on this day. Raises as `entries` does."""
    return tuple(entry for entry in entries(target) if entry.expired(day))


def in_words(entry: KnownFailure) -> str:
    """An expired entry, in a line."""
    return f"{entry.control} in {entry.origin} expired on {entry.until} ({entry.owner}, {entry.link})"


HINT = "look at the failure again, then give the entry another end date or remove it"
