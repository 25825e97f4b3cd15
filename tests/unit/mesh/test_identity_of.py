"""Which cluster it is and what its nodes run, as far as this identity may read it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from clients.kube.cluster import Cluster
from clients.mesh import identity_of
from clients.model.errors import AccessError

pytestmark = pytest.mark.unit


class NodesOnly:
    """A cluster of these nodes; of none that may be read where there are none."""

    def __init__(self, *nodes: Any) -> None:
        self.nodes = nodes

    def objects(self, api_version: str, kind: str) -> list[Any]:
        assert (api_version, kind) == ("v1", "Node")
        if not self.nodes:
            raise AccessError("nodes is forbidden")
        return list(self.nodes)


def node(image: str, kernel: str = "6.1.1", runtime: str = "containerd://1.7.2", kubelet: str = "v1.34.4") -> Any:
    info = {"osImage": image, "kernelVersion": kernel, "containerRuntimeVersion": runtime, "kubeletVersion": kubelet}
    return {"status": {"nodeInfo": {**info, "bootID": "of this boot alone"}}}


def nodes(*found: Any) -> str:
    return identity_of.nodes(cast("Cluster", NodesOnly(*found)))


def test_nodes_that_run_the_same_are_one_however_many_there_are() -> None:
    """Autoscalers add and remove them every night."""
    one = "Debian 12, kernel 6.1.1, containerd://1.7.2, kubelet v1.34.4"
    assert nodes(node("Debian 12")) == nodes(*[node("Debian 12")] * 5) == one
    assert nodes(node("b"), node("a"), node("b")) == "; ".join(
        f"{name}, kernel 6.1.1, containerd://1.7.2, kubelet v1.34.4" for name in "ab"
    )


@pytest.mark.parametrize("odd", [{}, {"status": None}, {"status": {"nodeInfo": None}}])
def test_a_node_that_says_nothing_is_none(odd: Any) -> None:
    assert nodes(odd) == ""


def test_nodes_that_may_not_be_read_cost_nothing() -> None:
    assert nodes() == ""
