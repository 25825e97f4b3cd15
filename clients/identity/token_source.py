"""Where the tokens of a real issuer come from: a command, a file, an environment variable, Google's metadata server.

A token is checked before it is used, kept in memory only, registered for redaction, and fetched again before it
expires. No message ever quotes a source, not even when it fails: its output may hold secrets.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import requests

from clients.model import redact
from clients.model.errors import SettingsError

COMMAND, FILE, VARIABLE, METADATA = "command", "file", "env", "metadata"
FORMS = "command:PROGRAM ARGUMENT…, file:/PATH, env:VARIABLE or metadata"
AUDIENCE = "{audience}"
"""Placeholder in the words of a command for the audience that the token must have."""

COMMAND_S, METADATA_S = 30.0, 5.0
EARLY_S = 60.0
"""A token is fetched again this long before it expires, or when a quarter of its life is left if that is less."""

METADATA_HOST = "GCE_METADATA_HOST"
"""The variable from which Google's own libraries take the address of another metadata server."""
METADATA_PATH = "/computeMetadata/v1/instance/service-accounts/default/identity"
FLAVOR = {"Metadata-Flavor": "Google"}


@dataclass(frozen=True)
class SourceSpec:
    """A source as the setting names it: its kind, and the text after the colon."""

    kind: str
    what: str = ""

    @classmethod
    def parse(cls, text: str) -> SourceSpec:
        """The source that a setting names.

        Raises:
            ValueError: the kind is unknown, or its text is incomplete. The message does not quote the text.
        """
        kind, _, what = text.partition(":")
        what = what.strip()
        if kind not in {COMMAND, FILE, VARIABLE, METADATA}:
            raise ValueError(f"unknown source of tokens; use {FORMS}")
        if bool(what) is (kind == METADATA):
            raise ValueError(f"incomplete source of tokens; use {FORMS}")
        if kind == FILE and not Path(what).is_absolute():
            raise ValueError("a file of tokens is named by its absolute path")
        if kind == COMMAND:
            _words(what)
        return cls(kind, what)

    @property
    def any_audience(self) -> bool:
        """Whether it gives a token for any requested audience."""
        return self.kind == METADATA or AUDIENCE in self.what


@dataclass(frozen=True)
class Wanted:
    """What a token must be.

    Attributes:
        not_for: an audience that the token must not have; `audience` is then only requested, from a source that can.
        expired: the token must have expired.
    """

    issuer: str
    audience: str = ""
    not_for: str = ""
    expired: bool = False


class TokenSource:
    """Gives tokens: the same one until shortly before it expires.

    Args:
        setting: name of the setting, for errors (`identity.token`).
        clock: seconds since 1970.
    """

    def __init__(
        self, setting: str, source: SourceSpec, wanted: Wanted, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.setting = setting
        self.wanted = wanted
        self._source = source
        self._clock = clock
        self._token = ""
        self._until = 0.0

    def go_by(self, clock: Callable[[], float]) -> None:
        """Check tokens by this clock from now on, also one that was fetched before."""
        self._clock, self._until = clock, 0.0

    def token(self) -> str:
        """A token that meets the requirements.

        Raises:
            SettingsError: the source gives no token, or one that does not meet them.
        """
        if not self._token or self._clock() >= self._until:
            token = self._fetch()
            redact.remember(token)
            self._until = self._check(token)
            self._token = token
        return self._token

    def claims(self) -> dict[str, Any]:
        """The token's claims. Its signature is not checked here; the mesh does that."""
        return _claims(self.token())

    def header(self) -> dict[str, Any]:
        """Its header."""
        return dict(jwt.get_unverified_header(self.token()))

    def _fetch(self) -> str:
        get = {COMMAND: self._of_command, FILE: self._of_file, VARIABLE: self._of_variable, METADATA: self._of_metadata}
        token = get[self._source.kind]().strip()
        if not token:
            raise self._wrong("the source gives nothing")
        return token

    def _of_command(self) -> str:
        words = [word.replace(AUDIENCE, self.wanted.audience) for word in _words(self._source.what)]
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_S,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise self._wrong(f"the command cannot be started ({error.strerror})") from None
        except subprocess.TimeoutExpired:
            raise self._wrong(f"the command did not end within {COMMAND_S:g} s") from None
        if done.returncode:
            raise self._wrong(f"the command failed with exit code {done.returncode}", "run it by hand to see why")
        return done.stdout

    def _of_file(self) -> str:
        try:
            return Path(self._source.what).read_text(encoding="ascii", errors="replace")
        except OSError as error:
            raise self._wrong(f"the file {self._source.what} cannot be read ({error.strerror})") from None

    def _of_variable(self) -> str:
        name = self._source.what
        if name not in os.environ:
            raise self._wrong(f"the environment has no variable {name}", "export it")
        return os.environ[name]

    def _of_metadata(self) -> str:
        host = os.environ.get(METADATA_HOST) or "metadata.google.internal"
        session = requests.Session()
        session.trust_env = False  # no proxy may see the answer
        asked = {"audience": self.wanted.audience}
        try:
            reply = session.get(f"http://{host}{METADATA_PATH}", params=asked, headers=FLAVOR, timeout=METADATA_S)
        except requests.RequestException as error:
            why = f"no metadata server answers at {host} ({type(error).__name__})"
            raise self._wrong(why, "use it on Google Cloud, or choose another source") from None
        if reply.headers.get("Metadata-Flavor") != "Google":
            raise self._wrong(f"what answers at {host} is no metadata server of Google's")
        if reply.status_code != 200:
            raise self._wrong(f"the metadata server answers {reply.status_code}", "give the workload an account")
        return reply.text

    def _check(self, token: str) -> float:
        """Check a token; the time until which it may be used, in seconds since 1970."""
        try:
            claims = _claims(token)
        except jwt.PyJWTError:
            raise self._wrong("what the source gives is no JWT") from None
        wanted, now = self.wanted, self._clock()
        if claims.get("iss") != wanted.issuer:
            raise self._wrong(f"the token is of issuer {claims.get('iss')}, not {wanted.issuer}")
        self._check_audience(claims)
        expires = claims.get("exp")
        if not isinstance(expires, int | float):
            raise self._wrong("the token never expires: it has no claim exp")
        if wanted.expired:
            if expires > now:
                raise self._wrong("the token has not expired")
            return float("inf")
        if expires <= now:
            hint = "let the source give a new one, or set this machine's clock"
            raise self._wrong(f"the token expired {now - expires:.0f} s ago", hint)
        return float(expires - min(EARLY_S, (expires - now) / 4))

    def _check_audience(self, claims: dict[str, Any]) -> None:
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        wanted = self.wanted
        if wanted.not_for:
            if wanted.not_for in audiences:
                raise self._wrong(f"the token is for {wanted.not_for}, which it must not be")
        elif wanted.audience not in audiences:
            raise self._wrong(f"the token is for {', '.join(map(str, audiences))}, not {wanted.audience}")

    def _wrong(self, why: str, hint: str = "") -> SettingsError:
        return SettingsError(f"{self.setting}: {why}", hint)


def _claims(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def _words(command: str) -> list[str]:
    """The words of a command, which no shell interprets.

    Raises:
        ValueError: a quote is not closed, or the program is named by a relative path.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        raise ValueError("the command has a quote that is not closed") from None
    if not words or ("/" in words[0] and not Path(words[0]).is_absolute()):
        raise ValueError("a command is found on the PATH, or named by its absolute path")
    return words
