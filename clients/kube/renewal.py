"""Credentials that expire during a run: an exec plugin is asked again, and a token's file is read again.

The client library asks a plugin again for a token only, five minutes before that expires: one that is valid for five
minutes made it start the plugin for every request. It never reads a token's file again, nor renews a certificate.
kubectl does both, and asks a plugin again where the API server refuses what it gave (client-go, exec plugin and
transport).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

from kubernetes.config.dateutil import parse_rfc3339

from clients.kube import login
from clients.kube.no_answer import one_line
from clients.model.redact import redact

REREAD_S = 60.0
"""Seconds for which the content of a token's file counts, as in client-go, and what an issuer gave by a provider."""
EARLY_S = 300.0
"""Credentials are renewed so long before they expire, ..."""
EARLY_SHARE = 0.2
"""... and no earlier than for the last fifth of the time for which they are valid."""
PAUSE_S = 5.0
"""Least time between two renewals, so that one that fails is not tried by every request."""


class Renewal:
    """Renews the credentials of a kubeconfig's user. For several threads: one renews, the others wait for it.

    Args:
        loader: the client library's, which has logged in once.
        user: the user's entry.
        wall: seconds since 1970, by which expiry counts.
        clock: seconds of a clock that never goes back.

    Attributes:
        failed: why they could not be renewed the last time; empty where they were, or are still good.
    """

    def __init__(
        self,
        loader: Any,
        user: login.User,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loader = loader
        self._user = user
        self._wall, self._clock = wall, clock
        self._renewing = threading.RLock()
        self.failed = ""
        self._read_at, self._tried_at = clock(), -math.inf
        self._due_at = self._due()

    def keep(self, configuration: Any) -> None:
        """Renew them where it is time, and put them into the configuration."""
        with self._renewing:
            old = self._clock() - self._read_at >= REREAD_S
            if (old if self._user.is_read_again else self._wall() >= self._due_at) and self._may_try:
                self._renew(configuration)

    def again(self, configuration: Any, refused: str) -> bool:
        """Whether there are others now than those that the API server refused, which are renewed at once.

        Args:
            refused: the credentials that it was sent (see `current`).
        """
        with self._renewing:
            if self._user.may_have_others and self.current == refused and self._may_try:
                self._renew(configuration)
            return self.current != refused

    @property
    def current(self) -> str:
        """What tells these credentials from others."""
        return f"{getattr(self._loader, 'token', '')} {getattr(self._loader, 'cert_file', '')}"

    @property
    def _may_try(self) -> bool:
        return self._clock() - self._tried_at >= PAUSE_S

    def _renew(self, configuration: Any) -> None:
        self._tried_at = self._clock()
        expiry = self._loader.__dict__.pop("expiry", None)  # those that come may not state any
        with login.failures() as failures:
            try:
                self._loader._load_authentication()
            except Exception as error:  # whatever a parser or an issuer raises; the old ones may do
                failures.append(one_line(redact(str(error))) or type(error).__name__)
        self.failed = failures[-1] if failures else ""
        if self.failed:
            self._loader.expiry = expiry
        else:
            self._read_at = self._tried_at
            self._due_at = self._due()
            put(self._loader, configuration)

    def _due(self) -> float:
        """When they are to be renewed, in seconds since 1970; never, where they do not expire."""
        stated = getattr(self._loader, "expiry", None)
        if stated is None:
            return math.inf
        expires: float = _time(stated).timestamp()
        return expires - min(EARLY_S, max(0.0, expires - self._wall()) * EARLY_SHARE)


_time: Any = parse_rfc3339


def put(loader: Any, configuration: Any) -> None:
    """The credentials that the client library has loaded, into its configuration.

    A token's file often ends with a line break, which no header may have.
    """
    if token := getattr(loader, "token", ""):
        loader.token = token.strip()
        configuration.api_key["BearerToken"] = loader.token
    for name in ("cert_file", "key_file"):
        if hasattr(loader, name):
            setattr(configuration, name, getattr(loader, name))
