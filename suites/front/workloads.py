"""Names of the front door: the client outside, the gateway, the applications behind it, and their answers."""

from __future__ import annotations

import re

from clients.model.expect import (
    Check,
    Expectation,
    body_contains,
    body_lacks,
    has_header,
    lacks_header,
    rbac_denied,
    status,
)
from clients.model.probe import Probe, Workload
from clients.model.token import BEARER
from clients.probe.outside import through

ENVIRONMENT = ("front/environment", "front/routes")
POLICY = ("front/jwt/api-origin-auth.yaml",)

GATEWAY = Workload("gke-system", "istio-ingress", "istio-proxy")
OUTSIDE = through(GATEWAY)
"""A client outside the cluster; it reaches the gateway only."""

INSIDE = Workload("inside", "sleep", "sleep")
"""A pod in the same mesh, which can bypass the gateway. Its account has the name of the gateway's."""

HTTP, HTTPS = "http://shop.example.com", "https://shop.example.com"
ANOTHER_HOST = "http://other.example.net"
"""Routed as the shop's, since routes are for any host."""
BACKEND, FRONTEND = "backend.api", "frontend.public"

SECRET = "Hello World"
"""The back end's message, for signed-in users only."""

FROM_BACKEND = has_header("x-served-by", "backend")
FROM_FRONTEND = has_header("x-served-by", "frontend")
FROM_GATEWAY = lacks_header("x-served-by")
"""The gateway itself answered, not an application."""

SHOWS_SECRET = status(200, body_contains(f'{{"message": "{SECRET}"}}'), FROM_BACKEND)
SIGN_IN_PAGE = status(200, body_contains("<title>Sign in</title>"), FROM_FRONTEND)
HEALTHY = status(200, body_contains("ok"), FROM_BACKEND)
NOT_FOUND = status(404, FROM_FRONTEND, body_lacks(SECRET))
NO_SUCH_PAGE = status(404, FROM_BACKEND)
NO_TOKEN = rbac_denied()
WRONG_AUDIENCE = status(403, body_contains("Audiences in Jwt are not allowed"), FROM_GATEWAY)


def call(
    path: str = "/api/secure.json",
    token: str = "",
    *,
    base: str = HTTP,
    behind: str = BACKEND,
    token_as: str = BEARER,
    source: Workload = OUTSIDE,
) -> Probe:
    """A GET request from outside; `token` is a kind of the document's issuer's tokens, `source` names the gateway."""
    kind = f"{token}@front" if token else ""
    return Probe(source, f"{base}{path}", token=kind, token_as=token_as, behind=behind)


def bad_token(message: str, *checks: Check, base: str = HTTP) -> Expectation:
    """401 by the gateway, with the reason and with the scheme to use (RFC 6750, section 3)."""
    challenge = has_header("www-authenticate", rf'Bearer realm="{re.escape(base)}/.*", error="invalid_token"')
    return status(401, body_contains(message), challenge, FROM_GATEWAY, *checks)
