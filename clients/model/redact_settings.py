"""Removes secrets from how a mesh is set: MeshConfig, variables and policies, which hold credentials of other systems.

Stricter than `redact` for evidence: there, a name says little, and a value that is lost may be the proof.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clients.model.redact import REDACTED, redact, redact_mapping

_WORDS = ("secret", "password", "passwd", "passphrase", "credential", "apikey", "accesskey", "privatekey")
"""Parts of names of secrets, in small letters and without what separates words."""
_HARMLESS = (
    "name",
    "names",
    "provider",
    "path",
    "file",
    "issuer",
    "audience",
    "audiences",
    "type",
    "ttl",
    "uri",
    "url",
)
"""Ends of names that are about a secret, and hold none: `credentialName`, `privateKeyProvider`."""
_HEADERS = frozenset({"authorization", "proxyauthorization", "cookie", "setcookie"})
_ADDED_HEADERS = "includeadditionalheadersincheck"
"""What an extension provider sends with each check."""
_PROVIDERS = "extensionproviders"
_USER_OF_URL = re.compile(r"(\w://)[^/\s@:]*:[^/\s@]+@")
_PATH = re.compile(r"/[\w.-]+(?:/[\w.-]+)+")
_LONGEST_PATH = 100


def redact_settings(value: Any, *, of_provider: bool = False) -> Any:
    """A copy of nested dicts and lists without what is secret by its name, its place or its form.

    Args:
        of_provider: it is of an extension provider, whose headers are for the servers of others.
    """
    if isinstance(value, Mapping):
        pair = isinstance(value.get("name"), str) and (of_provider or is_secret(value["name"]))
        return {
            key: _hidden(one) if pair and key == "value" else _entry(str(key), one, of_provider=of_provider)
            for key, one in redact_mapping(value).items()
        }
    if isinstance(value, list | tuple):
        return [redact_settings(one, of_provider=of_provider) for one in value]
    return redact_value(value) if isinstance(value, str) else value


def redact_value(text: str) -> str:
    """A value whose name says nothing: tokens and keys by their form, and credentials in addresses."""
    return _USER_OF_URL.sub(rf"\1{REDACTED}@", redact(text))


def is_secret(name: str) -> bool:
    """Whether a setting, variable or header of this name holds a secret: `API_KEY`, `accessToken`, `authorization`."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if plain in _HEADERS:
        return True
    return not plain.endswith(_HARMLESS) and (plain.endswith("token") or any(word in plain for word in _WORDS))


def _entry(name: str, value: Any, *, of_provider: bool) -> Any:
    plain = name.lower()
    if plain == _ADDED_HEADERS or is_secret(name):
        return _hidden(value)
    return redact_settings(value, of_provider=of_provider or plain == _PROVIDERS)


def _hidden(value: Any) -> Any:
    """Switches and numbers stay (`forwardOriginalToken`), and so do paths of files (`privateKey` of TLS)."""
    if isinstance(value, Mapping):
        return {key: _hidden(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(one) for one in value]
    if not isinstance(value, str) or not value or (_PATH.fullmatch(value) and len(value) <= _LONGEST_PATH):
        return value
    return REDACTED
