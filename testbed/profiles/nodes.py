"""The profile `nodes`: three nodes in two node pools, and a load balancer as a cloud has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from testbed.form import GATEWAY, NODE_NAME, Form, NodeForm
from testbed.preflight import Needs
from testbed.profiles.embedded import EmbeddedProfile

BALANCER_DELAY_S = 30


class Nodes(EmbeddedProfile):
    """See `Profile`."""

    name = "nodes"
    summary = "three nodes, one of them in a tainted node pool for gateways"
    stands_for = "GKE's node pools, and clouds whose load balancers take their time"
    traits = (
        "nodes `meshproof` and `meshproof-2` of the pool `default`; `meshproof-gateway` of the pool `gateway`, with "
        "the taint `dedicated=gateway:NoSchedule`",
        "pods of the gateway pool's node reach the external hosts; the network refuses all others",
        f"a Service of type LoadBalancer gets its address after {BALANCER_DELAY_S} s; with `externalTrafficPolicy: "
        "Local` it is delivered only to nodes that have an endpoint",
    )
    needs = Needs(memory_gib=5, inotify_instances=128)
    form = Form(
        name,
        nodes=(
            NodeForm(NODE_NAME, pool="default"),
            NodeForm(f"{NODE_NAME}-2", pool="default"),
            NodeForm(f"{NODE_NAME}-gateway", GATEWAY, "dedicated=gateway:NoSchedule"),
        ),
        balancer_delay_s=BALANCER_DELAY_S,
    )
    settings: ClassVar[Mapping[str, str | int | bool]] = {"egress.blocked": True}
