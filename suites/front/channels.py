"""gRPC calls and WebSockets through the gateway."""

from __future__ import annotations

import re

from clients.model.expect import body_contains, grpc, has_header, status
from clients.model.probe import Probe
from clients.model.stage import Stage
from clients.probe.websocket import MESSAGE
from suites.front.workloads import ENVIRONMENT, FROM_GATEWAY, OUTSIDE

CHANNELS_ENVIRONMENT = (*ENVIRONMENT, "front/channels")
CHANNELS_POLICY = ("front/channels-policy/token.yaml",)

CART, ECHO = "cart.example.com", "echo.example.com"
PERMISSION_DENIED, UNAUTHENTICATED = 7, 16

ANSWERED = grpc(0)
"""Only the service answers OK: the gateway's own answers have another status."""
ECHOED = status(101, body_contains(MESSAGE))


def cart(method="GetCart", token="", scheme="grpc", host=CART):
    """A call of the cart service from outside."""
    url = f"{scheme}://{host}/hipstershop.CartService/{method}"
    return Probe(OUTSIDE, url, method="POST", token=_of_front(token), behind="cart.channels", workload="channels")


def echo(token="", scheme="ws", host=ECHO, **how):
    """A WebSocket from outside to the echo server."""
    url = f"{scheme}://{host}/websocket/echo"
    return Probe(OUTSIDE, url, token=_of_front(token), behind="echo.channels", workload="channels", **how)


def call_refused(code, message):
    """The gateway ends the call itself, with a gRPC status and the reason that an HTTP response has in its body."""
    return grpc(code, has_header("grpc-message", re.escape(message)))


def upgrade_refused(code, message):
    """The gateway answers the upgrade itself, like any other request."""
    return status(code, body_contains(message), FROM_GATEWAY)


def stage(name, settle, *, title):
    """The state of both modules: a token is required at both hosts."""
    return Stage(name, title=title, environment=CHANNELS_ENVIRONMENT, apply=CHANNELS_POLICY, settle=settle)


def _of_front(kind):
    return f"{kind}@front" if kind else ""
