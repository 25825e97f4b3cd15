"""A sign-in service: an OpenID Connect provider beside the harness, as Identity Platform stands beside the cluster.

The protocol is pyop's (IdentityPython's provider library, which runs in production federations); the form for e-mail
and password is ours. Its tokens have the issuer and the key of the front door's policy, and expire in an hour.
"""

from __future__ import annotations

import html
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from jwkest.jwk import RSAKey, import_rsa_key
from pyop.authz_state import AuthorizationState
from pyop.exceptions import (
    InvalidAuthenticationRequest,
    InvalidAuthorizationCode,
    InvalidClientAuthentication,
    InvalidTokenRequest,
)
from pyop.provider import Provider
from pyop.subject_identifier import HashBasedSubjectIdentifierFactory
from pyop.userinfo import Userinfo

from clients.identity.claims import FRONT_ISSUER
from clients.identity.tokens import TokenIssuer

HOST = "signin.example.com"
"""The name by which pages send their users here; browsers are told where it is."""

_FORM = """<!DOCTYPE html><html lang="en"><title>Sign in with e-mail</title><h1>Sign in</h1>
<p id="problem">{problem}</p>
<form method="post" action="/password"><input type="hidden" name="request" value="{request}">
<label>E-mail <input name="email" type="email"></label>
<label>Password <input name="password" type="password"></label><button>Sign in</button></form></html>"""


class SignIn:
    """A running provider; a context manager.

    Args:
        tokens: whose RSA key signs.
        users: e-mail → password.
        clients: by client id, what OpenID Connect's registration knows of it (see `page` and `server`).

    Attributes:
        provider: pyop's.
        port: on 127.0.0.1.
    """

    def __init__(self, tokens: TokenIssuer, users: dict[str, str], clients: dict[str, dict[str, Any]]) -> None:
        self.users = users
        self.provider = _provider(tokens, users, clients)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_SignInHandler,), {"outer": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    def password(self, email: str) -> str:
        """The password of a user."""
        return self.users[email]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _SignInHandler(BaseHTTPRequestHandler):
    """What one request gets; `outer` is set by a subclass."""

    outer: SignIn

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path != "/authorize":
            return self._page(404, "no such page")
        try:
            self.outer.provider.parse_authentication_request(parts.query)
        except InvalidAuthenticationRequest as error:
            return self._page(400, html.escape(str(error)))
        return self._page(200, _FORM.format(problem="", request=html.escape(parts.query)))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/token":
            return self._token(body)
        sent = parse_qs(body)
        email, password, query = (sent.get(name, [""])[0] for name in ("email", "password", "request"))
        known = self.outer.users.get(email, "")
        if not known or not secrets.compare_digest(known, password):
            problem = "The e-mail or the password is wrong."
            return self._page(403, _FORM.format(problem=problem, request=html.escape(query)))
        request = self.outer.provider.parse_authentication_request(query)
        answer = self.outer.provider.authorize(request, email)
        self.send_response(303)
        self.send_header("Location", answer.request(request["redirect_uri"], "id_token" in answer))
        self.end_headers()
        return None

    def _token(self, body: str) -> None:
        try:
            return self._page(200, self.outer.provider.handle_token_request(body).to_json(), "application/json")
        except (InvalidTokenRequest, InvalidClientAuthentication, InvalidAuthorizationCode):
            return self._page(400, '{"error": "invalid_grant"}', "application/json")

    def _page(self, status: int, text: str, kind: str = "text/html; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Nothing: the requests hold passwords' forms and tokens' addresses."""


def page(*redirects: str) -> dict[str, Any]:
    """A page without a secret of its own: gets a token straight away (implicit flow)."""
    return {"redirect_uris": list(redirects), "response_types": ["id_token"], "id_token_signed_response_alg": "RS256"}


def server(secret: str, *redirects: str) -> dict[str, Any]:
    """A server: gets a code, for which it is given a token (authorization code flow)."""
    return {
        "redirect_uris": list(redirects),
        "response_types": ["code"],
        "id_token_signed_response_alg": "RS256",
        "client_secret": secret,
        "token_endpoint_auth_method": "client_secret_post",
    }


def _provider(tokens: TokenIssuer, users: dict[str, str], clients: dict[str, dict[str, Any]]) -> Any:
    key_id, key = tokens.signing_key("RS256")
    configuration = {
        "issuer": FRONT_ISSUER,
        "authorization_endpoint": f"http://{HOST}/authorize",
        "token_endpoint": f"http://{HOST}/token",
        "jwks_uri": f"http://{HOST}/keys",
        "response_types_supported": ["code", "id_token"],
        "scopes_supported": ["openid", "email"],
        "subject_types_supported": ["public"],
    }
    state = AuthorizationState(HashBasedSubjectIdentifierFactory(secrets.token_hex(16)))
    people = Userinfo({email: {"email": email} for email in users})
    return Provider(RSAKey(key=import_rsa_key(key), kid=key_id, alg="RS256"), configuration, state, clients, people)
