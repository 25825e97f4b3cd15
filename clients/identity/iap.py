"""A stand-in for Google's load balancer with Identity-Aware Proxy, outside the cluster and in front of its gateway.

It does what IAP does for a page: it sends users without a session to the sign-in service, refuses users who are not on
its list, and adds a token for the configured audience to the requests of all others. It removes IAP's own headers from
what a client sends.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

import jwt
import requests

from clients.identity import claims
from clients.identity.signin import HOST
from clients.identity.tokens import TokenIssuer
from clients.identity.web import HTML, WebHandler, WebServer
from clients.model.addresses import joined

RETURN_PATH = "/_gcp_gatekeeper/authenticate"
REFUSAL = "You don't have access"
CLIENT_ID = "stand-in.apps.example.com"
COOKIE = "GCP_IAP_SESSION"
TIMEOUT_S = 10.0
_OF_IAP = ("ingress-authorization", "x-goog-")


@dataclass
class IapSettings:
    """Settings of an operator, who may change them while the load balancer runs.

    Attributes:
        audience: `rctokenAud`, the audience of the tokens that it adds.
        users: e-mails of those with `roles/iap.httpsResourceAccessor`.
        enabled: whether IAP is on; when it is off, requests are passed on without a check.
    """

    audience: str = claims.RCTOKEN_AUDIENCE
    users: set[str] = field(default_factory=set)
    enabled: bool = True
    client_id: str = CLIENT_ID
    client_secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


class Balancer:
    """A running load balancer; a context manager. Listens on two ports of 127.0.0.1.

    Args:
        upstream: gives address and port of the gateway; called for each request.
        signin: address and port of the sign-in service, for its token endpoint.
        certificate: file of certificate and key for https.
    """

    def __init__(
        self,
        settings: IapSettings,
        tokens: TokenIssuer,
        upstream: Callable[[], tuple[str, int]],
        signin: tuple[str, int],
        certificate: Path,
    ) -> None:
        self.settings = settings
        self._tokens = tokens
        self.upstream = upstream
        self._signin = signin
        self._sessions: dict[str, str] = {}
        self._servers = {
            "http": WebServer(_IapHandler, self, scheme="http"),
            "https": WebServer(_IapHandler, self, certificate, scheme="https"),
        }

    def place(self, scheme: str) -> tuple[str, int]:
        """Address and port of `http` or `https`."""
        return "127.0.0.1", self._servers[scheme].port

    def __enter__(self) -> Self:
        for server in self._servers.values():
            server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering. May be called again."""
        for server in self._servers.values():
            server.close()

    def rctoken(self, email: str) -> str:
        """The token that is added for a user."""
        usual = claims.PROFILES["iap"].of("valid", self._tokens.clock())
        return self._tokens.sign(usual | {"aud": self.settings.audience, "email": email}, "ES256")

    def start_session(self, code: str, redirect_uri: str) -> str:
        """The id of a new session for the user that the sign-in service names for this code; empty for none."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        form |= {"client_id": self.settings.client_id, "client_secret": self.settings.client_secret}
        url = f"http://{self._signin[0]}:{self._signin[1]}/token"
        reply = requests.post(url, data=form, headers={"Host": HOST}, timeout=TIMEOUT_S)
        if reply.status_code != 200:
            return ""
        token = reply.json()["id_token"]
        key = jwt.PyJWKSet.from_dict(self._tokens.jwks())[jwt.get_unverified_header(token)["kid"]]
        content = jwt.decode(token, key, ["RS256"], audience=self.settings.client_id, issuer=claims.FRONT_ISSUER)
        session = secrets.token_urlsafe(16)
        self._sessions[session] = content["email"]
        return session

    def user_of(self, session: str) -> str:
        """E-mail of a session's user; empty where there is no such session."""
        return self._sessions.get(session, "")


class _IapHandler(WebHandler):
    """What one request gets."""

    outer: Balancer
    scheme: str

    def get(self) -> None:
        site = f"{self.scheme}://{self.headers['Host']}"
        if not self.outer.settings.enabled:
            return self._pass_on("")
        if self.route == RETURN_PATH:
            return self._return_from_sign_in(site)
        user = self.outer.user_of(self.cookie(COOKIE))
        if not user:
            return self._to_sign_in(site)
        if user not in self.outer.settings.users:
            return self.answer(403, REFUSAL)
        return self._pass_on(user)

    def _to_sign_in(self, site: str) -> None:
        query = {
            "client_id": self.outer.settings.client_id,
            "redirect_uri": f"{site}{RETURN_PATH}",
            "response_type": "code",
            "scope": "openid email",
            "state": self.path,
        }
        query |= {"nonce": secrets.token_hex(8), "claims": '{"id_token": {"email": null}}'}
        return self.redirect(302, f"http://{HOST}/authorize?{urlencode(query)}")

    def _return_from_sign_in(self, site: str) -> None:
        query = self.query
        session = self.outer.start_session(query.get("code", ""), f"{site}{RETURN_PATH}")
        if not session:
            return self.answer(401, "the sign-in service names no user")
        return self.redirect(302, query.get("state", "/"), (COOKIE, session))

    def _pass_on(self, user: str) -> None:
        headers = {k: v for k, v in self.headers.items() if not k.lower().startswith((*_OF_IAP, "cookie"))}
        headers["Connection"] = "close"
        if user:
            headers["ingress-authorization"] = f"Istio {self.outer.rctoken(user)}"
            headers["X-Goog-Authenticated-User-Email"] = f"accounts.google.com:{user}"
        url = f"http://{joined(*self.outer.upstream())}{self.path}"
        reply = requests.get(url, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)
        return self.answer(reply.status_code, reply.content, reply.headers.get("Content-Type", HTML))
