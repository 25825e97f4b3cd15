"""What a detector says: one line that is known to be true, and what it does to traffic."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clients.mesh.why.objects import Policy, WorkloadView


class Effect(StrEnum):
    """What becomes of a request that was meant otherwise."""

    OPEN = "open"
    """It is served."""
    CLOSED = "closed"
    """It is refused."""
    BROKEN = "broken"
    """It gets an error that no policy has made: 503, a connection that ends."""
    DROPPED = "dropped"
    """No connection comes about, and no answer says why: the network drops it."""
    UNRESOLVED = "unresolved"
    """Its server's name is not resolved."""
    UNBLOCKED = "unblocked"
    """The network lets it through, where it should be dropped."""


OPEN, CLOSED = frozenset({Effect.OPEN}), frozenset({Effect.CLOSED})
EITHER = OPEN | CLOSED


def lost(policy: Policy) -> frozenset[Effect]:
    """What becomes of requests where a policy is not in force."""
    if policy.kind == "PeerAuthentication":
        modes = {policy.mode, *policy.port_modes.values()} - {""}
        return OPEN if modes == {"STRICT"} else CLOSED if "STRICT" not in modes else EITHER
    return OPEN if policy.action == "DENY" else EITHER


def misread(policy: Policy, *, field: str = "", matches_nothing: bool) -> frozenset[Effect]:
    """What becomes of requests where a string in a rule matches nothing, or more than was meant."""
    if policy.action not in ("ALLOW", "DENY"):
        return EITHER
    fewer = matches_nothing != field.startswith("not")
    return CLOSED if fewer == (policy.action == "ALLOW") else OPEN


@dataclass(frozen=True)
class Reason:
    """One line, by the names of the objects.

    Attributes:
        text: names the object and the cause.
        effects: what it can do to a request.
        policy: the policy that it is about; None where it is about none.
        workloads: whose requests it concerns; empty for a policy that reaches none.
        ports: ports of the container that it concerns; empty for all.
        about: (kind, namespace, name) of an object that is no policy of the mesh, and reaches no workload; it is a
            reason for the cases of a stage that applies it.
    """

    text: str
    effects: frozenset[Effect]
    policy: Policy | None = None
    workloads: frozenset[WorkloadView] = frozenset()
    ports: frozenset[int] = frozenset()
    about: tuple[str, str, str] | None = None

    def __str__(self) -> str:
        return self.text


def named(things: object, most: int = 3) -> str:
    """`a, b and 2 more` of any iterable."""
    texts = sorted({str(thing) for thing in things})  # type: ignore[attr-defined]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
