"""Clients outside the cluster: a forwarded port that does not lead there is no answer of a gateway."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import FakeCluster
from kubernetes.client.exceptions import ApiException

from clients.kube.pods import Pod
from clients.model.case import Case
from clients.model.entrance import Entrance, Way
from clients.model.errors import LackingError
from clients.model.expect import status
from clients.model.outcome import Outcome, OutcomeKind
from clients.model.probe import Workload
from clients.model.stage import Stage
from clients.probe.outside import through
from clients.probe.request import Request
from clients.probe.way_in import WaysIn
from clients.proof.rig.entering import Entering, carried
from clients.proof.stage.entrances import wait_open

pytestmark = pytest.mark.unit

DOOR = through(Workload("front", "door", "istio-proxy"))
CASE = Case("X-DOOR-01", DOOR.get("http://shop.example.com/"), status(200))
ABOUT_ADDRESSES = Stage("addresses", title="x", environment=(), apply=(), needs=frozenset({"client-address"}))
ABOUT_OTHERS = Stage("others", title="x", environment=(), apply=())


class ForwardingCluster(FakeCluster):
    """Its API server forwards ports, but for each connection it says `refusal`."""

    refusal = "Handshake status 429 Too Many Requests"

    def can_i(self, *_: str, **__: str) -> bool:
        return True

    @property
    def api(self) -> Any:
        return SimpleNamespace(port_forward=self._refuse)

    def _refuse(self, *_: object) -> Any:
        raise ApiException(status=0, reason=self.refusal)


def entering(way: Way = Way.PORT_FORWARD, address: str = "") -> Entering:
    made = ForwardingCluster()
    made.put(
        {
            "kind": "Service",
            "metadata": {"name": "door", "namespace": "front"},
            "spec": {"ports": [{"port": 80, "targetPort": 8080}], "selector": {"app": "door"}},
        }
    )
    made.pods_of["front"] = [Pod("front", "door-1", ready=True, labels={"app": "door"})]
    ways = WaysIn(made, {"front/door": Entrance(address, way)})  # type: ignore[arg-type]
    return Entering(SimpleNamespace(namespace=lambda name: name), ways, "")  # type: ignore[arg-type]


def test_what_the_api_server_does_not_forward_is_no_answer_of_the_mesh() -> None:
    """It was an empty reply: a case that expects 200 failed, and one that expects no answer could pass."""
    made = entering()
    [outcome] = made.send(DOOR, [Request("GET", "http://shop.example.com/", (), "mp-1", "agent")], parallel=False)
    made.forget()
    assert outcome.kind is OutcomeKind.INFRASTRUCTURE
    assert outcome.error == "port 8080 of front/door-1 is not forwarded: Handshake status 429 Too Many Requests"


@pytest.mark.parametrize(
    ("why", "outcome", "counts"),
    [
        ("it broke", Outcome(OutcomeKind.PARTIAL, "mp-1", 200, 18), False),
        ("it broke", Outcome(OutcomeKind.EMPTY_REPLY, "mp-1", None, 52), False),
        ("it broke", Outcome(OutcomeKind.STATUS, "mp-1", 200, 0), True),
        ("", Outcome(OutcomeKind.RESET, "mp-1", None, 56), True),
    ],
    ids=["in the middle", "before the answer", "after the answer", "the gateway's own end"],
)
def test_what_a_broken_connection_cut_off_is_no_answer_of_the_mesh(why: str, outcome: Outcome, counts: bool) -> None:
    forward: Any = SimpleNamespace(failure=lambda _: why)
    assert (carried(outcome, forward) == outcome) is counts


def rig(made: Entering) -> Any:
    return SimpleNamespace(prober=SimpleNamespace(entering=made), applier=SimpleNamespace(timeout_s=1.0))


def test_a_stage_about_the_clients_address_is_not_proven_by_a_forwarded_port() -> None:
    """It passes every NetworkPolicy, and shows each client at 127.0.0.1: the firewall before IAP was said to leak."""
    made = entering()
    with pytest.raises(LackingError) as lacking:
        wait_open(rig(made), ABOUT_ADDRESSES, [CASE])
    made.forget()
    assert "client-address" in lacking.value.message
    assert "front/door" in lacking.value.message
    assert "[ingress.<gateway>] address" in lacking.value.hint


@pytest.mark.parametrize(
    ("stage", "way", "address"),
    [
        (ABOUT_OTHERS, Way.PORT_FORWARD, ""),
        (ABOUT_ADDRESSES, Way.AUTO, "198.18.0.1"),
        (ABOUT_ADDRESSES, Way.NODE_PORT, ""),
    ],
    ids=["about others", "by an address", "no way is known"],
)
def test_any_other_is(stage: Stage, way: Way, address: str) -> None:
    made = entering(way, address)
    wait_open(rig(made), stage, [CASE])
    made.forget()


def test_clients_in_the_cluster_have_no_way_in() -> None:
    inside = Case("X-DOOR-01", Workload("front", "sleep", "sleep").get("http://shop.example.com/"), status(200))
    wait_open(rig(entering()), ABOUT_ADDRESSES, [inside])
