"""The Service by which a client outside reaches the canary: a load balancer, or what the cluster accepts instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from clients.apply.applier import Applier
from clients.apply.item import Item
from clients.apply.service_types import LESSER, as_type
from clients.model.errors import MeshproofError
from clients.model.service_type import LOAD_BALANCER
from clients.proof.preflight.network_checks import BALANCER_HINT
from clients.proof.preflight.shown import CheckName, Shown, Tried

MORE_PORTS = (443, 15021)
"""Ports of a run's gateways, in addition to 80: a firewall before load balancers may be open for some of them."""


def with_all_ports(door: Sequence[Item]) -> list[Item]:
    """The Service with every port that those of a run have; all of them lead to its server."""
    return [replace(item, body=_with_all_ports(item.body)) for item in door]


def _with_all_ports(body: dict[str, Any]) -> dict[str, Any]:
    [first, *_] = ports = body["spec"]["ports"]
    more = [{**first, "name": f"tcp-{port}", "port": port} for port in MORE_PORTS]
    return {**body, "spec": {**body["spec"], "ports": [*ports, *more]}}


def type_of(door: Sequence[Item]) -> str:
    """The type that the Service has by the settings."""
    return next((str(item.body["spec"].get("type") or "") for item in door), "")


def open_door(applier: Applier, door: Sequence[Item]) -> tuple[str, Shown | None]:
    """Apply the Service; returns its type, empty where none is accepted, and what was refused.

    Where the cluster refuses a load balancer, it lacks them, and nothing else: a run's Services get the type that it
    accepts.
    """
    door, asked = with_all_ports(door), type_of(door)
    why = ""
    for kind in (asked, *(LESSER if asked == LOAD_BALANCER else ())):
        try:
            items = [replace(item, body=as_type(item.body, kind)) for item in door] if kind != asked else list(door)
            applier.admit(items)
            applier.apply(items)
        except MeshproofError as error:
            why = why or error.message
        else:
            return kind, _refused(f"{why}; {kind} is accepted", kind) if why else None
    return "", _refused(why, "")


def _refused(detail: str, instead: str) -> Shown:
    return Shown(
        (Tried(CheckName.LOAD_BALANCER, False, detail, BALANCER_HINT),), load_balancer=False, service_type=instead
    )
