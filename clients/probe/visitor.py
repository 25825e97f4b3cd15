"""The session of a person, with cookies and redirects: `requests`, with a fixed address for each host name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from clients.probe.outside import port_of

TIMEOUT_S = 10.0


class Visitor:
    """A session of one person.

    Args:
        places: `host:port` → address and port; no other host can be reached.
        user_agent: its User-Agent header, by which its requests are found in logs.
        roots: file of the certificates to trust.
    """

    def __init__(self, places: Mapping[str, tuple[str, int]], user_agent: str, roots: str = "") -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = roots or True
        self._session.headers["User-Agent"] = user_agent
        for scheme in ("http", "https"):
            self._session.mount(f"{scheme}://", _Elsewhere(places))

    def get(self, url: str, *, follow: bool = True, **headers: str) -> requests.Response:
        """Open an address, and unless `follow` is false those that it redirects to.

        Raises:
            requests.RequestException: there is no answer, or no address is given for the host.
        """
        return self._session.get(url, allow_redirects=follow, timeout=TIMEOUT_S, headers=headers)

    def post(self, url: str, form: Mapping[str, str]) -> requests.Response:
        """Send a form, and follow redirects. Raises as `get` does."""
        return self._session.post(url, data=form, timeout=TIMEOUT_S)


class _Elsewhere(HTTPAdapter):
    """Connects to the address that is given for a name; request and certificate check keep the name."""

    def __init__(self, places: Mapping[str, tuple[str, int]]) -> None:
        self._places = places
        super().__init__()

    def add_headers(self, request: requests.PreparedRequest, **_: Any) -> None:
        """Set the host to the one in the URL; urllib3 would name the address."""
        request.headers["Host"] = urlsplit(request.url or "").netloc

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:  # noqa: ARG002 - its signature
        """A connection to the given address."""
        parts = urlsplit(request.url)
        host = parts.hostname or ""
        where = self._places.get(f"{host}:{port_of(request.url)}")
        if where is None:
            raise requests.exceptions.ConnectionError(f"no address is given for {host}")
        tls = {"server_hostname": host, "assert_hostname": host} if parts.scheme == "https" else {}
        _, settings = self.build_connection_pool_key_attributes(request, verify, cert)
        return self.poolmanager.connection_from_host(*where, scheme=parts.scheme, pool_kwargs={**settings, **tls})
