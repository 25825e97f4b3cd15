"""The HTTP proxy before an API server, which requests and websockets must use alike.

kubectl takes a user and a password from the proxy's URL, and one rule for hosts that need no proxy. The client library
takes neither: it drops the credentials, and its websockets judge by another library, which fails without a port.
"""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import unquote, urlsplit

from kubernetes.client import rest

_HEADER = "proxy-authorization"
_NONE, _EVERY = ("*", "no.proxy.invalid")
"""Rules for hosts without a proxy, of the library of websockets: for all of them, and for none."""
_PORTS = {"http": 80, "https": 443}


def log_in(configuration: Any) -> None:
    """State the credentials that the proxy's URL has, for requests."""
    if credentials := _credentials(configuration):
        configuration.proxy_headers = {_HEADER: f"Basic {b64encode(credentials).decode()}"}


def of_websockets(configuration: Any) -> Any:
    """The configuration for websockets, which go the same way as requests."""
    return _OfWebsockets(configuration)


class _OfWebsockets:
    """A view of a configuration. What the library reads of it and is not here is the configuration's own."""

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration
        bypassed = rest.should_bypass_proxies(configuration.host, configuration.no_proxy or "")
        self.no_proxy = _NONE if bypassed or not configuration.proxy else _EVERY
        self.proxy = _with_port(configuration.proxy) if configuration.proxy else ""
        credentials = _credentials(configuration)
        # The library decodes these by the alphabet of URLs, which is not that of the header, and encodes them again.
        encoded = urlsafe_b64encode(credentials).decode()
        self.proxy_headers = {_HEADER: f"Basic {encoded}"} if credentials else {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._configuration, name)


def _credentials(configuration: Any) -> bytes:
    """`user:password` of the proxy's URL; empty where it has none."""
    parts = urlsplit(configuration.proxy or "")
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode() if parts.username else b""


def _with_port(proxy: str) -> str:
    """The proxy's URL with the port that it does not state."""
    parts = urlsplit(proxy)
    if parts.port or parts.scheme not in _PORTS:
        return proxy
    return parts._replace(netloc=f"{parts.netloc.rstrip(':')}:{_PORTS[parts.scheme]}").geturl()
