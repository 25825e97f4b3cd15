"""A stand-in for Google's load balancer with Identity-Aware Proxy, outside the cluster and in front of its gateway.

It does what IAP does for a page: sends strangers to sign in, turns away those who are not on its list, and adds to
everybody else's requests a token for the configured audience. What a client says in IAP's own headers it drops.
"""

from __future__ import annotations

import secrets
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import requests

from clients.identity import claims
from clients.identity.signin import HOST
from clients.identity.tokens import TokenIssuer

RETURN_PATH = "/_gcp_gatekeeper/authenticate"
REFUSAL = "You don't have access"
CLIENT_ID = "stand-in.apps.example.com"
COOKIE = "GCP_IAP_SESSION"
TIMEOUT_S = 10.0
_OF_IAP = ("ingress-authorization", "x-goog-")


@dataclass
class IapSettings:
    """What an operator sets, and may change while it runs.

    Attributes:
        audience: `rctokenAud`, of the tokens that it adds.
        users: e-mails of those with `roles/iap.httpsResourceAccessor`.
        enabled: IAP is on; off, everything is passed on as it is.
        health: port name and path of the health check.
    """

    audience: str = claims.RCTOKEN_AUDIENCE
    users: set[str] = field(default_factory=set)
    enabled: bool = True
    health: tuple[str, str] = ("status-port", "/healthz/ready")
    client_id: str = CLIENT_ID
    client_secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


class Balancer:
    """A running load balancer; a context manager. Listens on two ports of 127.0.0.1.

    Args:
        upstream: address and port of the gateway, asked at each request.
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
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._servers = {
            name: ThreadingHTTPServer(
                ("127.0.0.1", 0), type("Handler", (_IapHandler,), {"outer": self, "scheme": name})
            )
            for name in ("http", "https")
        }
        self._places = {name: ("127.0.0.1", int(server.server_port)) for name, server in self._servers.items()}
        secure = self._servers["https"]
        secure.socket = context.wrap_socket(secure.socket, server_side=True)
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            for server in self._servers.values()
        ]

    def place(self, scheme: str) -> tuple[str, int]:
        """Where it listens."""
        return self._places[scheme]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering. Once is enough."""
        threads, self._threads = self._threads, []
        for server, thread in zip(self._servers.values(), threads, strict=bool(threads)):
            server.shutdown()
            thread.join()
            server.server_close()

    def rctoken(self, email: str) -> str:
        """The token that is added for a user."""
        content = claims.PROFILES["iap"].of("valid") | {"aud": self.settings.audience, "email": email}
        return self._tokens.sign(content, "ES256")

    def entered(self, code: str, back: str) -> str:
        """A new session for whom the sign-in service names for this code; empty where it names nobody."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
        form |= {"client_id": self.settings.client_id, "client_secret": self.settings.client_secret}
        url = f"http://{self._signin[0]}:{self._signin[1]}/token"
        told = requests.post(url, data=form, headers={"Host": HOST}, timeout=TIMEOUT_S)
        if told.status_code != 200:
            return ""
        keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(self._tokens.jwks()).keys}
        token = told.json()["id_token"]
        key = keys[jwt.get_unverified_header(token)["kid"]]
        content = jwt.decode(token, key, ["RS256"], audience=self.settings.client_id, issuer=claims.FRONT_ISSUER)
        session = secrets.token_urlsafe(16)
        self._sessions[session] = content["email"]
        return session

    def known(self, cookies: str) -> str:
        """The user of a session cookie; empty for none."""
        pairs = (pair.strip().partition("=") for pair in cookies.split(";"))
        return next((self._sessions.get(value, "") for name, _, value in pairs if name == COOKIE), "")


class _IapHandler(BaseHTTPRequestHandler):
    """What one request gets; `outer` and `scheme` are set by a subclass."""

    outer: Balancer
    scheme: str

    def do_GET(self) -> None:
        site = f"{self.scheme}://{self.headers['Host']}"
        parts = urlsplit(self.path)
        if not self.outer.settings.enabled:
            return self._pass_on("")
        if parts.path == RETURN_PATH:
            return self._enter(site, parse_qs(parts.query))
        user = self.outer.known(self.headers.get("Cookie", ""))
        if not user:
            return self._to_sign_in(site)
        if user not in self.outer.settings.users:
            return self._answer(403, REFUSAL)
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
        return self._answer(302, "", Location=f"http://{HOST}/authorize?{urlencode(query)}")

    def _enter(self, site: str, query: dict[str, list[str]]) -> None:
        session = self.outer.entered(query.get("code", [""])[0], f"{site}{RETURN_PATH}")
        if not session:
            return self._answer(401, "the sign-in service names nobody")
        where = query.get("state", ["/"])[0]
        cookie = f"{COOKIE}={session}; HttpOnly; Path=/"
        return self._answer(302, "", Location=where, **{"Set-Cookie": cookie})

    def _pass_on(self, user: str) -> None:
        headers = {k: v for k, v in self.headers.items() if not k.lower().startswith((*_OF_IAP, "cookie"))}
        headers["Connection"] = "close"
        if user:
            headers["ingress-authorization"] = f"Istio {self.outer.rctoken(user)}"
            headers["X-Goog-Authenticated-User-Email"] = f"accounts.google.com:{user}"
        address, port = self.outer.upstream()
        url = f"http://{address}:{port}{self.path}"
        reply = requests.get(url, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)
        return self._answer(reply.status_code, reply.text)

    def _answer(self, status: int, text: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Nothing: paths may hold codes."""
