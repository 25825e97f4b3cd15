"""The client library's client of one API server, with the credentials of now, and through its proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

import urllib3
from kubernetes import client
from kubernetes.client import rest
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import InsecureRequestWarning

from clients.kube import proxies
from clients.kube.no_answer import one_line
from clients.kube.passing import UNKNOWN
from clients.model.errors import ClusterError
from clients.model.redact import redact

_REFUSED_WEBSOCKET = f"Handshake status {UNKNOWN} "
"""Begins the error of the library of websockets where the server does not accept the credentials."""


class LoggedInClient:
    """Safe to share between threads.

    Args:
        configuration: a `kubernetes.client.Configuration`; its `renewal`, if any, is of `clients.kube.renewal`.
    """

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration
        self._certificate = ""

    @cached_property
    def client(self) -> Any:
        """The library's own client.

        Raises:
            ClusterError: it cannot be reached through its proxy, which is looked at here. Others are the library's.
        """
        try:
            proxies.log_in(self._configuration)
            if not self._configuration.verify_ssl:  # as the user has stated: each request would warn of it
                urllib3.disable_warnings(InsecureRequestWarning)
            self._certificate = self._configuration.cert_file
            return client.ApiClient(self._configuration)
        except Exception as error:
            if not self._configuration.proxy:
                raise
            hint = "proxy-url in the kubeconfig, or the variable, has the form http://HOST:PORT; no SOCKS"
            cause = redact(one_line(error))
            where = self._configuration.host
            raise ClusterError(f"cluster {where} cannot be reached through its proxy: {cause}", hint) from None

    @property
    def credentials(self) -> str:
        """What tells those of now from others, which are renewed where it is time; empty where none ever are."""
        renewal = self._renewal
        if renewal:
            renewal.keep(self._configuration)
            self._use_certificate()
        return renewal.current if renewal else ""

    @property
    def why_not_renewed(self) -> str:
        """Why they could not be renewed the last time; empty where they were, or are still good."""
        return str(self._renewal.failed) if self._renewal else ""

    def again(self, refused: str) -> bool:
        """Whether there are others now than those that the API server refused, of which `credentials` was this."""
        if not (self._renewal and self._renewal.again(self._configuration, refused)):
            return False
        self._use_certificate()
        return True

    def serialized(
        self,
        method: str,
        path: str,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Any:
        """A request as the library sends it. Raises what a login raises that fails."""
        stated = {"query_params": list(query), "header_params": dict(headers or {}), "body": body}
        return self.client.param_serialize(method, path, **stated, auth_settings=["BearerToken"])

    def opened(self, call: Callable[..., Any], path: str, query: Iterable[tuple[str, str]], **options: Any) -> Any:
        """What the library opens by a websocket, in a second try where the server refuses credentials that are renewed.

        Raises:
            ApiException: it could not be opened; `reason` has the cause.
        """
        query, used = list(query), self.credentials
        configuration = proxies.of_websockets(self._configuration)
        for last in (False, True):
            method, url, headers = self.serialized("GET", path, query)[:3]
            try:
                return call(configuration, method, url, headers=headers, **options)
            except ApiException as error:
                if last or _REFUSED_WEBSOCKET not in str(error.reason) or not self.again(used):
                    raise
        return None

    @property
    def _renewal(self) -> Any:
        return getattr(self._configuration, "renewal", None)

    def _use_certificate(self) -> None:
        """Connections have the certificate that they were opened with: with another one, they are opened again."""
        there = self.client
        if self._configuration.cert_file != self._certificate:
            self._certificate = self._configuration.cert_file
            there.rest_client = rest.RESTClientObject(self._configuration)
