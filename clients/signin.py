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
from pyop.exceptions import InvalidAuthenticationRequest
from pyop.provider import Provider
from pyop.subject_identifier import HashBasedSubjectIdentifierFactory
from pyop.userinfo import Userinfo

from clients.claims import FRONT_ISSUER, PROJECT
from clients.tokens import TokenIssuer

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
        redirects: addresses that a user may be sent back to.

    Attributes:
        port: on 127.0.0.1.
    """

    def __init__(self, tokens: TokenIssuer, users: dict[str, str], redirects: list[str]) -> None:
        self._users = users
        self._provider = _provider(tokens, users, redirects)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    def password(self, email: str) -> str:
        """The password of a user."""
        return self._users[email]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path != "/authorize":
                    return self._page(404, "no such page")
                try:
                    outer._provider.parse_authentication_request(parts.query)
                except InvalidAuthenticationRequest as error:
                    return self._page(400, html.escape(str(error)))
                return self._page(200, _FORM.format(problem="", request=html.escape(parts.query)))

            def do_POST(self) -> None:
                sent = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
                email, password, query = (sent.get(name, [""])[0] for name in ("email", "password", "request"))
                known = outer._users.get(email, "")
                if not known or not secrets.compare_digest(known, password):
                    problem = "The e-mail or the password is wrong."
                    return self._page(403, _FORM.format(problem=problem, request=html.escape(query)))
                request = outer._provider.parse_authentication_request(query)
                answer = outer._provider.authorize(request, email)
                self.send_response(303)
                self.send_header("Location", answer.request(request["redirect_uri"], fragment_enc=True))
                self.end_headers()
                return None

            def _page(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                """Nothing: the requests hold passwords' forms and tokens' addresses."""

        return Handler


def _provider(tokens: TokenIssuer, users: dict[str, str], redirects: list[str]) -> Any:
    key_id, key = tokens.signing_key("RS256")
    client = {"redirect_uris": redirects, "response_types": ["id_token"], "id_token_signed_response_alg": "RS256"}
    people = {email: {"email": email} for email in users}
    configuration = {
        "issuer": FRONT_ISSUER,
        "authorization_endpoint": f"http://{HOST}/authorize",
        "jwks_uri": f"http://{HOST}/keys",
        "response_types_supported": ["id_token"],
        "scopes_supported": ["openid", "email"],
        "subject_types_supported": ["public"],
    }
    state = AuthorizationState(HashBasedSubjectIdentifierFactory(secrets.token_hex(16)))
    return Provider(
        RSAKey(key=import_rsa_key(key), kid=key_id, alg="RS256"),
        configuration,
        state,
        {PROJECT: client},
        Userinfo(people),
    )
