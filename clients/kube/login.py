"""Logins that fail: the client library only logs some, and goes on without credentials."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from clients.kube.merged import merged
from clients.kube.no_answer import one_line
from clients.model.errors import ClusterError
from clients.model.redact import redact

AGAIN = "log in again by the program that made the kubeconfig"
_REMOVED = ("gcp", "azure")
"""Auth-providers that kubectl has not had since 1.26; the client library knows `azure` no more, and `gcp` in part."""
_PRINTED = "'NoneType' object has no attribute 'strip'"
"""The library's own error where a plug-in that prints to the terminal fails."""


@dataclass(frozen=True)
class User:
    """The user that a context of a kubeconfig names; an empty name where it names none.

    Attributes:
        entry: the user's entry; empty where the kubeconfig has none of this name.
    """

    name: str
    entry: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, file: str | None, context: str | None) -> User:
        """The user of a context (default: the current one). Raises what the client library does for a wrong file."""
        whole = merged(file)
        context = str(context or whole["current-context"])
        name = whole["contexts"].get_with_name(context)["context"].safe_get("user") or ""
        found = whole["users"].get_with_name(name, safe=True)
        return cls(str(name), {} if found is None else found.value.get("user") or {})

    @property
    def provider(self) -> str:
        """The name of the auth-provider; empty where there is none."""
        return str((self._part("auth-provider")).get("name") or "")

    @property
    def is_read_again(self) -> bool:
        """Whether other credentials are found by reading them again; an exec plugin says when its own expire."""
        return bool(self.provider) or "tokenFile" in self.entry

    @property
    def may_have_others(self) -> bool:
        """Whether there may be other credentials than those that were used."""
        return self.is_read_again or "exec" in self.entry

    def failed(self, where: str, why: str) -> ClusterError | None:
        """The error for a login that failed, or gave no credentials; None where there is nothing to log in by.

        Args:
            where: name of the kubeconfig.
            why: what is known of the cause.
        """
        if self.provider:
            removed = self.provider in _REMOVED
            cause = "kubectl has not had it since 1.26" if removed else why or "it gave no credentials"
            hint = "get a kubeconfig with its exec plugin" if removed else f"see that its issuer answers, or {AGAIN}"
            return ClusterError(
                f"{where}: user {self.name} cannot log in by auth-provider {self.provider}: {cause}", hint
            )
        plugin = self._part("exec")
        if not plugin:
            return None
        command = str(plugin.get("command") or "")
        missing = why.startswith("[Errno 2]") and command in why
        hint = one_line(plugin.get("installHint") or "install it, and put its folder on PATH") if missing else AGAIN
        cause = "not found" if missing else why.removeprefix("exec: ") or "it gave no credentials"
        return ClusterError(f"{where}: exec plugin {command} failed: {cause}", hint)

    def _part(self, name: str) -> dict[str, Any]:
        found = self.entry.get(name)
        return found if isinstance(found, dict) else {}


@contextmanager
def failures() -> Iterator[list[str]]:
    """What the client library logs of a failed login meanwhile, in this thread; it is not printed."""
    heard: list[str] = []
    thread = threading.get_ident()

    def take(record: logging.LogRecord) -> bool:
        if record.module != "kube_config" or record.thread != thread:
            return True
        text = one_line(redact(record.getMessage()))
        heard.append("it ended with an error, see what it printed" if text == _PRINTED else text)
        return False

    root, none = logging.getLogger(), logging.NullHandler()
    root.addHandler(none)  # where there is no handler, the library's call adds one that prints, and leaves it there
    root.addFilter(take)
    try:
        yield heard
    finally:
        root.removeFilter(take)
        root.removeHandler(none)
