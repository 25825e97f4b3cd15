"""The webhook that a run notifies, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from reports.notice.message import NoticeKind, kind_of
from runner.config.texts import formed

OPTION = "--notify"
HIDDEN = "***"


def _web_address(url: SecretStr) -> SecretStr:
    """The address, if it is empty or one of http or https.

    Raises:
        ValueError: it is neither; the text does not quote it.
    """
    text = url.get_secret_value()
    try:
        parts = urlsplit(text)
        good = not text or bool(parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError:
        good = False
    if not good:
        raise ValueError("it is no address of http or https")
    return url


class Notify(BaseModel):
    """A webhook that gets what is new of a run; none without `url`.

    Attributes:
        url: its address, which is a secret.
        kind: the form of the message; None: the one that the address shows, or plain JSON.
        reports: address below which the folders of runs can be read, for the link to the report; empty: no link.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Annotated[SecretStr, AfterValidator(_web_address)] = SecretStr("")
    kind: NoticeKind | None = None
    reports: Annotated[
        str,
        formed(
            r"(https?://[^\s/@?#]+(/[^\s?#]*)?)?",
            "an address of http or https without a user, a query and a fragment: the folder and the page of a run are "
            "put at its end, and everyone sees it",
        ),
    ] = ""

    @property
    def form(self) -> NoticeKind:
        """The kind, given or shown by the address."""
        return self.kind or kind_of(self.url.get_secret_value())

    def link(self, run: str) -> str:
        """Address of a run's page; empty where reports cannot be read."""
        return f"{self.reports.rstrip('/')}/{run}/index.html" if self.reports else ""


def hidden(words: Sequence[str]) -> list[str]:
    """The words of a command line without the address."""
    made, before = [], ""
    for word in words:
        name = word.partition("=")[0]
        made.append(HIDDEN if before == OPTION else f"{OPTION}={HIDDEN}" if name == OPTION and "=" in word else word)
        before = word
    return made
