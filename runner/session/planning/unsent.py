"""What of a request would not be sent as it is stated: each as a line and a hint.

What is left out without a word makes another request of it: one whose token is not sent is refused, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from clients.identity import claims
from clients.model.probe import Probe
from clients.model.token import VALID, Token
from clients.probe.outside import OutsideClient

Problem = tuple[str, str]
"""What is wrong, and what to do."""
RAW = frozenset({"tcp", "udp"})
_OWN_METHOD = frozenset({"ws", "wss", "grpc", "grpcs"})
"""Schemes whose method, version and body follow from them."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of RFC 9110, section 5.6.2: a method."""
_HEADER = re.compile(r"[^:\s\x00-\x1f\x7f]+")
"""The name of a header, also one that no server should take."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLACE = re.compile(r"(\?[^{}=&#\s]+=[^{}]*|[!#$%&'*+.^_`|~0-9A-Za-z-]+: [^{}]*)\{\}[^{}]*")


def of_probe(probe: Probe) -> Iterator[Problem]:
    """What of a request would not be sent as it is stated."""
    scheme = probe.url.partition("://")[0]
    yield from _of_url(probe.url)
    if unsent := _unsent(probe, scheme):
        yield f"{unsent} of a request to {probe.url} would not be sent", "remove it"
    yield from _of_address(probe)
    if probe.method == "HEAD" and probe.body:
        yield f"a HEAD request to {probe.url} has no body", "remove the body"
    if scheme == "tcp" and not probe.body.endswith("\r\n"):
        yield f"the bytes to {probe.url} do not end with CRLF", r"end the body with \r\n"
    if not _NAME.fullmatch(probe.method):
        yield f"no method {probe.method!r}", "a method has no blanks and no control characters"
    if wrong := [pair for pair in probe.headers if not _HEADER.fullmatch(pair[0]) or _CONTROL.search(pair[1])]:
        yield f"no header {wrong[0]}", "a name has no colon and no blanks, and a value is one line"
    if not math.isfinite(probe.timeout_s) or probe.timeout_s < 0:
        yield f"timeout_s is {probe.timeout_s}", "state seconds"
    for token in probe.all_tokens:
        yield from _of_token(token)


def _of_address(probe: Probe) -> Iterator[Problem]:
    if probe.resolve and probe.dial:
        yield f"resolve and dial state two addresses for {probe.url}", "remove one"
    if probe.resolve and not re.fullmatch(r".+:\d+", probe.resolve):
        yield f"resolve is {probe.resolve!r}, without a port", "write host:port"


def _of_url(url: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        named, _ = parts.hostname, parts.port
    except ValueError as error:
        yield f"{url!r} is no URL: {error}", ""
        return
    if not named or re.search(r"\s", url) or _CONTROL.search(url):
        yield f"{url!r} is no URL that can be sent", "write scheme://host:port/path, with blanks as %20"
    if parts.fragment:
        yield f"the fragment of {url!r} would not be sent", "write # as %23"
    if parts.username is not None:
        yield f"{url!r} has a user name", "send the Authorization header by `headers`"


def _unsent(probe: Probe, scheme: str) -> str:
    """Fields that have no place in a request of this scheme, or of this client."""
    outside = isinstance(probe.source, OutsideClient)
    stated: dict[str, object] = {}
    if outside:  # it enters by its gateway, whatever the URL names
        stated |= {"resolve": probe.resolve, "dial": probe.dial}
    if scheme in RAW:
        stated |= {"token": probe.all_tokens, "headers": probe.headers}
    if scheme in RAW | _OWN_METHOD:
        stated |= {"http2": probe.http2, "method": probe.method not in ("GET", "POST" if "grpc" in scheme else "GET")}
    if scheme in _OWN_METHOD | {"udp"}:
        stated |= {"body": probe.body}
    if scheme not in ("https", "grpcs", "wss"):
        stated |= {"insecure": probe.insecure}
    return ", ".join(name for name, value in stated.items() if value)


def _of_token(token: Token) -> Iterator[Problem]:
    if not _PLACE.fullmatch(token.place):
        yield f"no place of a token {token.place!r}", "write `Header: {}` or `?name={}`, where {} is the token"
    if token.text and (token.issuer or token.claims or token.kind != VALID):
        yield f"the token {token.text!r:.40} is sent as it is, without issuer, claims and kind", "remove them"
    elif token.claims and not token.issuer:
        yield f"claims {sorted(token.claims)} of a token without an issuer", "name an issuer"
    elif token.issuer and token.issuer in claims.PROFILES:
        yield (
            f"a token of {token.issuer} is one of the run's own issuers and has its claims",
            f"name another issuer, or write kind='{token.kind}@{token.issuer}'",
        )
