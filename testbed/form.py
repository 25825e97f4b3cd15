"""The form of an embedded cluster: its nodes, and how its load balancer behaves. Profiles change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from testbed.addresses import GATEWAY_POOL, POD_POOL, Network

if TYPE_CHECKING:
    from testbed.amendment import Amendment

NODE_NAME = "meshproof"
"""Name of the first node, to which the pods of the installed state are bound."""
POOL_LABEL = "cloud.google.com/gke-nodepool"
GATEWAY = "gateway"
"""The node pool from which the external hosts are reachable; all other pods are refused."""
MOST_NODES = 4
"""The ranges of pods' addresses are divided for as many nodes, apart from those of the gateway pool."""


@dataclass(frozen=True)
class NodeForm:
    """One node.

    Attributes:
        pool: value of its label for the node pool.
        taint: `key=value:Effect`, with which it registers; empty for none.
    """

    name: str = NODE_NAME
    pool: str = GATEWAY
    taint: str = ""


@dataclass(frozen=True)
class Form:
    """What a profile changes of the embedded cluster; the default is the embedded target.

    Attributes:
        name: of the profile; empty for the embedded target. It is the context's name in the kubeconfig.
        nodes: the first one also runs the control plane.
        balancer_delay_s: seconds until a Service of type LoadBalancer gets its address.
        api_server: further arguments of the API server.
        amendment: what is different in the cluster itself; None for nothing.
    """

    name: str = ""
    nodes: tuple[NodeForm, ...] = (NodeForm(),)
    balancer_delay_s: int = 0
    api_server: tuple[str, ...] = ()
    amendment: Amendment | None = field(default=None, compare=False)

    @property
    def routed(self) -> bool:
        """Whether a network of several nodes lies between the machine, the nodes and the external hosts."""
        return len(self.nodes) > 1


SINGLE = Form()


@dataclass(frozen=True)
class Pools:
    """The ranges of addresses of one node's pods: of those that ask for the pool `gateway`, and of all others."""

    pods: Network
    gateway: Network


def pools(form: Form, number: int) -> Pools:
    """The ranges of the node of this number, from 0.

    With one node, a pod asks for an address from which the external hosts are reachable. With several nodes the node
    pool decides, as a firewall of a cloud does: all addresses of the gateway pool's nodes are let out, and no others.
    """
    if not form.routed:
        return Pools(POD_POOL, GATEWAY_POOL)
    if form.nodes[number].pool == GATEWAY:
        mine = [n for n, node in enumerate(form.nodes) if node.pool == GATEWAY].index(number)
        ranges = _divided(GATEWAY_POOL, 2 * _power_of_two(sum(node.pool == GATEWAY for node in form.nodes)))
        return Pools(ranges[2 * mine], ranges[2 * mine + 1])
    above = Network("10.244.128.0/18")
    return Pools(_divided(POD_POOL, MOST_NODES)[number], _divided(above, MOST_NODES)[number])


def _divided(network: Network, parts: int) -> Sequence[Network]:
    return list(network.subnets(prefixlen_diff=(parts - 1).bit_length()))


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
