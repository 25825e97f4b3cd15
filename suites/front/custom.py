"""External authorization: the server that decides for the gateway, and the requests that it distinguishes."""

from __future__ import annotations

import re
from dataclasses import replace

from clients.model.expect import has_header, lacks_header, status
from suites.front.workloads import ENVIRONMENT, SHOWS_SECRET, call

CUSTOM_ENVIRONMENT = (*ENVIRONMENT, "front/ext-authz")
CUSTOM_POLICY = ("front/custom/ext-authz.yaml",)
CUSTOM_NEEDS = frozenset({"ext-authz"})

USER = "ann@example.com"
"""The user that the server names."""


def with_headers(probe, **headers):
    """The probe with these headers; `_` in a name becomes a hyphen."""
    return replace(probe, headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()))


ANONYMOUS = call()
ALLOWED = with_headers(call(), x_ext_authz="allow")


def received(user=""):
    """The back end answers, and received this user in the authorization server's header; empty for no header."""
    header = has_header("x-received-user", re.escape(user)) if user else lacks_header("x-received-user")
    return status(200, *SHOWS_SECRET.checks, header)
