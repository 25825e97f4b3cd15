"""A sign-in service outside the cluster, as Identity Platform is: an OpenID Connect provider in this process.

The protocol is that of pyop (IdentityPython's provider library, which production federations use); the form for e-mail
and password is ours. Its tokens have the issuer and the key of the front door's policy, and expire after an hour.
"""

from __future__ import annotations

import html
import secrets
from typing import Any
from urllib.parse import urlsplit

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
from clients.identity.web import JSON, WebHandler, WebServer

HOST = "signin.example.com"
"""Host name of the service in pages; browsers get its address by an option."""

_FORM = """<!DOCTYPE html><html lang="en"><title>Sign in with e-mail</title><h1>Sign in</h1>
<p id="problem">{problem}</p>
<form method="post" action="/password"><input type="hidden" name="request" value="{request}">
<label>E-mail <input name="email" type="email"></label>
<label>Password <input name="password" type="password"></label><button>Sign in</button></form></html>"""


class SignIn(WebServer):
    """A running provider; a context manager.

    Args:
        tokens: its RSA key signs.
        users: e-mail → password.
        clients: client id → its registration in OpenID Connect (see `page` and `server`).

    Attributes:
        provider: the provider of pyop.
        port: its port on 127.0.0.1.
    """

    def __init__(self, tokens: TokenIssuer, users: dict[str, str], clients: dict[str, dict[str, Any]]) -> None:
        self.users = users
        self.provider = _provider(tokens, users, clients)
        super().__init__(_SignInHandler, self)

    def password(self, email: str) -> str:
        """The password of a user."""
        return self.users[email]


class _SignInHandler(WebHandler):
    """What one request gets."""

    outer: SignIn

    def get(self) -> None:
        if self.route != "/authorize":
            return self.answer(404, "no such page")
        request = urlsplit(self.path).query
        try:
            self.outer.provider.parse_authentication_request(request)
        except InvalidAuthenticationRequest as error:
            return self.answer(400, html.escape(str(error)))
        return self._ask_for_password(200, request)

    def post(self) -> None:
        if self.route == "/token":
            return self._exchange_code(self.read_body())
        form = self.read_form()
        email, query = form.get("email", ""), form.get("request", "")
        known = self.outer.users.get(email, "")
        if not known or not secrets.compare_digest(known, form.get("password", "")):
            return self._ask_for_password(403, query, "The e-mail or the password is wrong.")
        request = self.outer.provider.parse_authentication_request(query)
        answer = self.outer.provider.authorize(request, email)
        return self.redirect(303, answer.request(request["redirect_uri"], "id_token" in answer))

    def _ask_for_password(self, status: int, request: str, problem: str = "") -> None:
        return self.answer(status, _FORM.format(problem=problem, request=html.escape(request)))

    def _exchange_code(self, body: str) -> None:
        try:
            return self.answer(200, self.outer.provider.handle_token_request(body).to_json(), JSON)
        except (InvalidTokenRequest, InvalidClientAuthentication, InvalidAuthorizationCode):
            return self.answer(400, '{"error": "invalid_grant"}', JSON)


def page(*redirects: str) -> dict[str, Any]:
    """Registration of a page, which has no secret: it gets a token at once (implicit flow)."""
    return {"redirect_uris": list(redirects), "response_types": ["id_token"], "id_token_signed_response_alg": "RS256"}


def server(secret: str, *redirects: str) -> dict[str, Any]:
    """Registration of a server: it gets a code and exchanges it for a token (authorization code flow)."""
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
