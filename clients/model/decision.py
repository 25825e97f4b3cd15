"""Where a request must be refused, and by what: the mechanism that a denial is pinned to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Proxy(StrEnum):
    """A proxy on a request's way, whose log is read.

    `CLIENT` is the client's sidecar, or the gateway by which a client outside the cluster enters; `GATEWAY` is the
    egress gateway.
    """

    CLIENT = "client"
    SERVER = "server"
    GATEWAY = "gateway"


class Mechanism(StrEnum):
    """What refuses a request."""

    AUTHORIZATION = "AuthorizationPolicy"
    CUSTOM = "external authorization"
    TOKEN = "token"
    MUTUAL_TLS = "mutual TLS required"
    NOT_REGISTERED = "host not registered"
    """The client's sidecar knows no such host (REGISTRY_ONLY): its own answer, or no upstream for TCP."""
    NOT_ROUTED = "not routed there"
    """The gateway has no route for the request, or one to another Service."""
    NO_UPSTREAM = "no upstream"
    """The proxy could not reach what it had to send the request to."""
    NOT_HTTP = "not valid HTTP"
    NETWORK = "network"
    """No proxy sees the connection: a network policy, or nothing listens."""


@dataclass(frozen=True)
class Decision:
    """How a request must have been refused.

    Attributes:
        at: the proxy; None for any on the way that the mechanism is in force at.
        policy: `namespace/name` of the AuthorizationPolicy, by the documents' names, or `none` where no policy that
            allows matches; empty for any policy that is in force there.
        reason: text of the response's details, for instance `Jwt_is_expired`; empty for any.
    """

    mechanism: Mechanism
    at: Proxy | None = None
    policy: str = ""
    reason: str = ""

    @property
    def text(self) -> str:
        """For people: `AuthorizationPolicy [shop/deny-admin]`."""
        more = f" [{self.policy}]" if self.policy else f" ({self.reason})" if self.reason else ""
        return f"{self.mechanism}{more}"
