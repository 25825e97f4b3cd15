"""What goes through the gateway and is no plain HTTP: gRPC calls and WebSockets."""

from __future__ import annotations

import re

from clients.model.case import Probe
from clients.model.expect import body_contains, grpc, has_header, status
from clients.model.stage import Stage
from clients.probe.websocket import MESSAGE
from suites.front.workloads import ENVIRONMENT, FROM_NOBODY, OUTSIDE

CHANNELS_ENVIRONMENT = (*ENVIRONMENT, "front/channels")
CHANNELS_POLICY = ("front/channels-policy/token.yaml",)

CART, ECHO = "cart.example.com", "echo.example.com"
PERMISSION_DENIED, UNAUTHENTICATED = 7, 16

ANSWERED = grpc(0)
"""Only the service itself says OK: what the gateway answers by itself has another status."""
ECHOED = status(101, body_contains(MESSAGE))


def cart(method="GetCart", token="", scheme="grpc"):
    """A call of the cart service from outside."""
    url = f"{scheme}://{CART}/hipstershop.CartService/{method}"
    return Probe(OUTSIDE, url, method="POST", token=_of_front(token), behind="cart.channels")


def echo(token="", scheme="ws", **how):
    """A WebSocket from outside to the server that echoes."""
    url = f"{scheme}://{ECHO}/websocket/echo"
    return Probe(OUTSIDE, url, token=_of_front(token), behind="echo.channels", **how)


def call_refused(code, message):
    """The gateway ends the call itself, by a status of gRPC and with the reason that HTTP would have in its body."""
    return grpc(code, has_header("grpc-message", re.escape(message)))


def upgrade_refused(code, message):
    """The gateway answers the upgrade itself, like any request."""
    return status(code, body_contains(message), FROM_NOBODY)


def stage(name, settle, *, title):
    """The state of both modules: a token is demanded at both hosts."""
    return Stage(name, title=title, environment=CHANNELS_ENVIRONMENT, apply=CHANNELS_POLICY, settle=settle)


def _of_front(kind):
    return f"{kind}@front" if kind else ""
