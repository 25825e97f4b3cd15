"""Names of objects on a command line: checked before a cluster is reached, where each is a part of a request."""

from __future__ import annotations

import re
from collections.abc import Iterable

from clients.model.errors import SettingsError

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""Names of namespaces, and of revisions and tags, which are values of a label (RFC 1123)."""


def check_names(option: str, what: str, names: Iterable[str]) -> None:
    """Refuse what no object of a kind can be called; empty names are not given.

    Args:
        what: the kind, with its article.

    Raises:
        SettingsError: a name has characters that names do not have.
    """
    for name in names:
        if name and not LABEL.fullmatch(name):
            raise SettingsError(
                f"{option} {name!r} is no name of {what}", "use lower-case letters, digits and hyphens, 63 at most"
            )
