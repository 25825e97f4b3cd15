"""Removes secrets from everything that is kept: evidence, logs, attachments, tracebacks."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

REDACTED = "[redacted]"

_JWT = re.compile(r"(?<![A-Za-z0-9_-])e[A-Za-z0-9_-]{9,}(?:\.[A-Za-z0-9_-]+){1,4}")
"""Base64url parts, the first a JSON object (`{` is `e…`); JWE has five parts, a token cut short may have two."""

_PEM = re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?(?:-----END \1PRIVATE KEY-----|\Z)", re.DOTALL)
_BASE64_PEM = re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/]+=*")
"""Base64 of `-----BEGIN`, as in a Secret or a kubeconfig."""

_QUOTES = r"""["'\\]*"""
_VALUE = r"""(?!\[redacted\b)[^\s"',;{}\]\\]+"""

_SCHEME = r"(?:bearer|basic|digest|negotiate|istio)\s+"
_AUTHORIZATION = re.compile(
    rf"(authorization{_QUOTES}\s*[:=]\s*[\[(]?\s*{_QUOTES}(?:{_SCHEME})?)(?!{_SCHEME}|[\[(]|redacted\b){_VALUE}",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(\bbearer\s+)(?=[^\s]*[0-9.])[A-Za-z0-9._~+/-]{16,}=*", re.IGNORECASE)
"""A bearer token without its header's name; `Bearer realm="…"` of a 401 is not one."""

_FIELD = re.compile(
    rf"((?:client-key-data|client[_-]secret|(?:id|access|refresh)[_-]token|password|(?<![\w-])(token)){_QUOTES}"
    rf"\s*[:=]\s*{_QUOTES})({_VALUE})",
    re.IGNORECASE,
)
_COOKIES = re.compile(rf"((?<![a-z])(?:set-)?cookie{_QUOTES}\s*[:=]\s*[\[(])((?:\[redacted\]|[^\])])*)", re.IGNORECASE)
"""A list of values, as in the JSON of a header map."""
_COOKIE = re.compile(rf"((?<![a-z])(set-)?cookie{_QUOTES}\s*[:=]\s*{_QUOTES})([^\"'\r\n]+)", re.IGNORECASE)
_FIELDS = frozenset({"client-key-data", "client-secret", "client_secret", "token", "password"})
"""One of these is in whatever `_FIELD` matches."""
_NAMES = _FIELDS | {"authorization", "bearer", "cookie"}
_COOKIE_PAIR = re.compile(r"""([^=;\s"',]+=)[^;"'\r\n]*""")

_SHORT_TOKEN = 16
"""A `token:` field shorter than this many characters names a kind of token (`expired`) and holds none."""

_SECRET_KEYS = frozenset(
    {"client-key-data", "password"}
    | {f"{first}{dash}{second}" for dash in "-_" for first, second in (("client", "secret"), ("private", "key"))}
    | {f"{kind}{dash}token" for dash in "-_" for kind in ("id", "access", "refresh")}
)
_HEADER_KEYS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})
_PRIVATE_JWK = frozenset({"d", "p", "q", "dp", "dq", "qi", "k"})
"""Private members of a JSON Web Key (RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1)."""


_known: set[str] = set()
_LEAST_KNOWN = 8
"""Characters; anything shorter would match ordinary text."""


def remember(secret: str) -> None:
    """Make `redact` replace this secret in this process, whatever it looks like and wherever it occurs.

    The parts of a token that a line might hold alone, its content and its signature, are replaced as well.
    """
    _known.update(part for part in (secret, *secret.split(".")[1:]) if len(part) >= _LEAST_KNOWN)


def redact(text: str) -> str:
    """`text` without tokens, private keys, kubeconfig credentials and cookie values.

    A JWT becomes `[redacted jwt 3fa9c1]`: the first six hex digits of its SHA-256, so that two occurrences can be
    compared. Everything else becomes `[redacted]`. Redacting twice changes nothing. Public certificates and key sets
    stay.
    """
    text = _PEM.sub(REDACTED, text)
    text = _BASE64_PEM.sub(_base64_pem, text)
    text = _JWT.sub(_jwt, text)
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    # Most texts name none of these, and to search without regard to case is slow.
    names = _names_in(text)
    if "authorization" in names:
        text = _AUTHORIZATION.sub(rf"\1{REDACTED}", text)
    if "bearer" in names:
        text = _BEARER.sub(rf"\1{REDACTED}", text)
    if names & _FIELDS:
        text = _FIELD.sub(_field, text)
    if "cookie" in names:
        text = _COOKIES.sub(lambda match: match[1] + _hide_pairs(match[2]), text)
        text = _COOKIE.sub(lambda match: match[1] + _hide_pairs(match[3], 1 if match[2] else 0), text)
    return text


def _names_in(text: str) -> frozenset[str]:
    """Names of what may be secret that occur in the text, in any case.

    Regular expressions know more spellings of a letter than `lower` (the long s is an s): other alphabets may have any.
    """
    if not text.isascii():
        return _NAMES
    lower = text.lower()
    return frozenset(name for name in _NAMES if name in lower)


def redact_mapping(obj: Any) -> Any:
    """A copy of nested dicts, lists, tuples and strings: `redact` on each string, and what only its key reveals.

    Such keys are credentials and headers by name, the data of a Kubernetes Secret, and the private part of a JWK.
    """
    if isinstance(obj, str):
        return redact(obj)
    if isinstance(obj, Mapping):
        hidden = _hidden_keys(obj)
        return {key: _hide(value) if key in hidden else _entry(key, value) for key, value in obj.items()}
    if isinstance(obj, list | tuple):
        items = [redact_mapping(item) for item in obj]
        return tuple(items) if isinstance(obj, tuple) else items
    return obj


def _entry(key: object, value: Any) -> Any:
    name = str(key).lower()
    if name in _SECRET_KEYS:
        return _hide(value)
    if name in _HEADER_KEYS:
        return _header(name, value)
    if name == "token" and isinstance(value, str) and len(value) >= _SHORT_TOKEN:
        return redact(value) if redact(value) != value else REDACTED
    return redact_mapping(value)


def _hidden_keys(obj: Mapping[Any, Any]) -> frozenset[str]:
    if obj.get("kind") == "Secret":
        return frozenset({"data", "stringData"})
    return _PRIVATE_JWK if "kty" in obj else frozenset()


def _hide(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _hide(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hide(item) for item in value]
    return REDACTED if value not in (None, "") else value


def _header(name: str, value: Any) -> Any:
    """A header's value by the same rule as in text, or the list of its values."""
    if isinstance(value, list | tuple):
        return [_header(name, item) for item in value]
    return redact(f"{name}: {value}").removeprefix(f"{name}: ") if isinstance(value, str) else value


def _jwt(match: re.Match[str]) -> str:
    token = match.group()
    head = token.split(".", 1)[0]
    decoded = base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)) if len(head) % 4 != 1 else b""
    if not (decoded.startswith(b"{") and b'"alg"' in decoded):
        return token
    return f"[redacted jwt {hashlib.sha256(token.encode()).hexdigest()[:6]}]"


def _base64_pem(match: re.Match[str]) -> str:
    start = match.group()[:64]
    head = base64.b64decode(start[: len(start) // 4 * 4])
    return REDACTED if b"PRIVATE" in head else match.group()


def _field(match: re.Match[str]) -> str:
    prefix, is_token, value = match.groups()
    return match.group() if is_token and len(value) < _SHORT_TOKEN else f"{prefix}{REDACTED}"


def _hide_pairs(cookies: str, count: int = 0) -> str:
    """Values of `name=value` pairs; a Set-Cookie line has one (`count`), its attributes stay."""
    return _COOKIE_PAIR.sub(rf"\1{REDACTED}", cookies, count=count)
