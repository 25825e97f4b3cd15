"""The way in: asked for, never guessed; what does not answer is not used."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from cluster_fakes import FakeCluster

from clients.kube.pods import Pod
from clients.model.entrance import Entrance, Way
from clients.model.errors import AccessError, InfrastructureError
from clients.probe import way_in
from clients.probe.reachable import accepts, replies
from clients.probe.way_in import WaysIn

pytestmark = pytest.mark.unit

PORTS = [{"port": 15021, "nodePort": 30021}, {"port": 80, "targetPort": 8080, "nodePort": 30080}]
BALANCER, ELSEWHERE, HERE = "198.18.0.129", "198.18.0.2", "198.18.0.3"


class IngressCluster(FakeCluster):
    """With the right to forward ports, or without it."""

    may_forward = True

    def can_i(self, *_: str, **__: str) -> bool:
        return self.may_forward


def node(name: str, address: str, kind: str = "InternalIP") -> dict[str, Any]:
    addresses = [{"type": kind, "address": address}]
    return {"kind": "Node", "metadata": {"name": name}, "status": {"addresses": addresses}}


def cluster(*given: str, ports: Any = PORTS, **spec: Any) -> IngressCluster:
    """A gateway on the second of two nodes, and what its load balancer has given."""
    made = IngressCluster()
    made.put(
        {
            "kind": "Service",
            "metadata": {"name": "door", "namespace": "front"},
            "spec": {"ports": ports, "selector": {"app": "door"}, **spec},
            "status": {"loadBalancer": {"ingress": [{"ip": address} for address in given]} if given else {}},
        },
        node("one", ELSEWHERE),
        node("two", HERE),
    )
    made.pods_of["front"] = [Pod("front", "door-1", ready=True, labels={"app": "door"}, node="two")]
    return made


def ways(made: IngressCluster, *open_: tuple[str, int], stated: Entrance | None = None) -> WaysIn:
    return WaysIn(made, {"front/door": stated} if stated else {}, answers=lambda host, port: (host, port) in open_)  # type: ignore[arg-type]


def test_the_load_balancers_address_is_used_once_it_answers():
    assert ways(cluster(BALANCER), (BALANCER, 15021)).find("door", "front", 80) == (BALANCER, 80)


def test_a_name_of_a_load_balancer_is_an_address_too():
    made = cluster("lb.example")
    assert ways(made, ("lb.example", 15021)).find("door", "front", 80) == ("lb.example", 80)


def test_an_address_that_comes_later_is_not_missed():
    made = cluster()
    found = ways(made, (BALANCER, 15021), stated=Entrance(way=Way.ADDRESS))
    with pytest.raises(InfrastructureError, match="cannot be reached at port 80: it has no address outside"):
        found.find("door", "front", 80)
    made.store["Service", "front", "door"]["status"] = {"loadBalancer": {"ingress": [{"ip": BALANCER}]}}
    assert found.find("door", "front", 80) == (BALANCER, 80)


def test_a_node_with_a_pod_of_the_gateway_comes_first():
    both = ((ELSEWHERE, 30021), (HERE, 30021))
    assert ways(cluster(), *both).find("door", "front", 80) == (HERE, 30080)
    assert ways(cluster(), (ELSEWHERE, 30021)).find("door", "front", 80) == (ELSEWHERE, 30080)


def test_nodes_of_a_large_private_cluster_are_tried_side_by_side_and_not_all_of_them():
    """One after another, 200 of them took minutes before a port was forwarded, for each gateway."""
    made = cluster()
    made.put(*(node(f"n{number}", f"10.0.0.{number}") for number in range(1, 201)))
    asked: list[str] = []

    def never(host: str, _: int) -> bool:
        asked.append(host)
        time.sleep(0.05)
        return False

    made.may_forward = False
    began = time.monotonic()
    with pytest.raises(InfrastructureError, match="does not answer at 30021"):
        WaysIn(made, answers=never).find("door", "front", 80)  # type: ignore[arg-type]
    assert len(asked) == way_in.MOST_NODES
    assert HERE in asked, "a node with a pod of the gateway is among them"
    assert time.monotonic() - began < 0.05 * way_in.MOST_NODES


def test_a_node_of_two_families_is_tried_by_both_of_its_addresses():
    made = cluster()
    made.store["Node", "", "two"]["status"]["addresses"].append({"type": "InternalIP", "address": "fd00::2"})
    assert ways(made, (HERE, 30021), ("fd00::2", 30021)).find("door", "front", 80) == (HERE, 30080)
    assert ways(made, ("fd00::2", 30021)).find("door", "front", 80) == ("fd00::2", 30080)


def test_only_nodes_with_a_pod_answer_where_the_policy_is_local():
    made = cluster(externalTrafficPolicy="Local")
    assert ways(made, (ELSEWHERE, 30021), (HERE, 30021)).find("door", "front", 80) == (HERE, 30080)
    made.may_forward = False
    with pytest.raises(InfrastructureError, match=f"node {HERE} does not answer at 30021") as caught:
        ways(made, (ELSEWHERE, 30021)).find("door", "front", 80)
    assert ELSEWHERE not in str(caught.value)


def two_replicas(**spec: Any) -> IngressCluster:
    """A gateway with a pod on each of the two nodes."""
    made = cluster(**spec)
    made.pods_of["front"].append(Pod("front", "door-2", ready=True, labels={"app": "door"}, node="one"))
    return made


def test_each_node_with_a_pod_gets_its_turn_where_the_policy_is_local():
    """One node leads to its own pods alone: those on the others would be proven by no request."""
    found = ways(two_replicas(externalTrafficPolicy="Local"), (ELSEWHERE, 30021), (HERE, 30021))
    assert {found.find("door", "front", 80) for _ in range(2)} == {(ELSEWHERE, 30080), (HERE, 30080)}
    assert {found.find("door", "front", 80) for _ in range(2)} == {(ELSEWHERE, 30080), (HERE, 30080)}
    one_away = ways(two_replicas(externalTrafficPolicy="Local"), (ELSEWHERE, 30021))
    assert {one_away.find("door", "front", 80) for _ in range(4)} == {(ELSEWHERE, 30080)}


def test_turns_of_two_ports_do_not_depend_on_each_other():
    """A request by HTTP and one by HTTPS in turn would else always go to the same two pods."""
    ports = [*PORTS, {"port": 443, "nodePort": 30443}]
    found = ways(two_replicas(externalTrafficPolicy="Local", ports=ports), (ELSEWHERE, 30021), (HERE, 30021))
    seen = {found.find("door", "front", port) for _ in range(2) for port in (80, 443)}
    assert seen == {(host, port) for host in (ELSEWHERE, HERE) for port in (30080, 30443)}


def test_one_node_is_enough_where_each_leads_to_all_pods():
    found = ways(two_replicas(), (ELSEWHERE, 30021), (HERE, 30021))
    assert len({found.find("door", "front", 80) for _ in range(4)}) == 1


def test_a_node_of_two_families_gets_one_turn():
    made = two_replicas(externalTrafficPolicy="Local")
    made.store["Node", "", "two"]["status"]["addresses"].append({"type": "InternalIP", "address": "fd00::2"})
    found = ways(made, (ELSEWHERE, 30021), (HERE, 30021), ("fd00::2", 30021))
    assert {found.find("door", "front", 80) for _ in range(4)} == {(ELSEWHERE, 30080), (HERE, 30080)}


def test_a_port_is_forwarded_to_each_pod():
    found = ways(two_replicas())
    places = {found.find("door", "front", 80) for _ in range(4)}
    assert len(places) == 2
    assert all(accepts(*place) for place in places)
    found.forget()


def test_a_pod_that_moves_to_another_node_is_followed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(way_in, "SHARED_S", 0.01)
    made = cluster(externalTrafficPolicy="Local")
    found = ways(made, (ELSEWHERE, 30021), (HERE, 30021))
    assert found.find("door", "front", 80) == (HERE, 30080)
    made.pods_of["front"] = [Pod("front", "door-2", ready=True, labels={"app": "door"}, node="one")]
    time.sleep(0.02)
    assert found.find("door", "front", 80) == (ELSEWHERE, 30080)


def test_an_address_that_does_not_answer_is_not_used():
    found = ways(cluster(BALANCER), (HERE, 30021))
    assert found.find("door", "front", 80) == (HERE, 30080)


def test_an_address_of_the_settings_is_used_as_it_is():
    stated = Entrance("front.internal")
    assert ways(cluster(BALANCER), stated=stated).find("door", "front", 443) == ("front.internal", 443)


def test_the_api_server_forwards_a_port_where_nothing_else_answers():
    found = ways(cluster(BALANCER))
    host, port = found.find("door", "front", 80)
    assert host == "127.0.0.1"
    assert accepts(host, port)
    assert found.find("door", "front", 80) == (host, port), "one listener for all requests"
    found.forget()
    assert not accepts(host, port)


def test_no_port_is_forwarded_past_a_sidecar():
    with pytest.raises(InfrastructureError, match="node"):
        ways(cluster(BALANCER)).find("door", "front", 80, direct=True)


def test_a_way_that_was_open_is_not_changed_for_another(monkeypatch: pytest.MonkeyPatch):
    """By another way the gateway would see another client, and the outcome might be another one."""
    monkeypatch.setattr(way_in, "SHARED_S", 0.0)
    open_ = {(HERE, 30021)}
    found = WaysIn(cluster(), answers=lambda host, port: (host, port) in open_)  # type: ignore[arg-type]
    assert found.find("door", "front", 80) == (HERE, 30080)
    open_.clear()
    with pytest.raises(InfrastructureError, match="does not answer"):
        found.find("door", "front", 80)


def test_without_the_right_to_list_nodes_the_reason_says_so():
    made = cluster()
    made.may_forward = False
    made.objects = lambda *_: (_ for _ in ()).throw(AccessError("may not list nodes"))  # type: ignore[method-assign]
    with pytest.raises(InfrastructureError, match=r"nodes are not known \(may not list nodes\); this identity may not"):
        ways(made).find("door", "front", 80)


def test_a_service_that_does_not_exist_is_no_denial():
    with pytest.raises(InfrastructureError, match="service front/window does not exist"):
        ways(cluster()).find("window", "front", 80)


def test_a_service_without_a_status_port_is_asked_at_its_own():
    made = cluster(BALANCER, ports=[{"port": 80, "nodePort": 30080}])
    assert ways(made, (BALANCER, 80)).find("door", "front", 80) == (BALANCER, 80)


def test_a_slow_load_balancer_is_waited_for_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(way_in, "POLL_S", 0.01)
    asked: list[str] = []

    def answers(host: str, _: int) -> bool:
        asked.append(host)
        return len(asked) >= 3

    found = WaysIn(cluster(BALANCER), answers=answers)  # type: ignore[arg-type]
    found.wait_open("door", "front", time.monotonic() + 5)
    found.wait_open("door", "front", time.monotonic() + 5)
    assert len(asked) == 3
    assert found.find("door", "front", 80) == (BALANCER, 80)


FRONT = [*PORTS, {"port": 443, "targetPort": 8443, "nodePort": 30443}]


def test_what_no_load_balancer_lets_through_is_reached_by_another_way():
    """A firewall was open for port 80 alone: 443 was dialled all the same, and its silence was the mesh's."""
    made = ways(cluster(BALANCER, ports=FRONT), (BALANCER, 15021), (HERE, 30021))
    made.shut = frozenset({443})
    assert made.find("door", "front", 80) == (BALANCER, 80)
    assert made.find("door", "front", 443) == (HERE, 30443)
    made = ways(cluster(BALANCER, ports=FRONT), (BALANCER, 15021), stated=Entrance(way=Way.ADDRESS))
    made.shut = frozenset({443})
    with pytest.raises(InfrastructureError, match=rf"its address {BALANCER} does not answer at port 443"):
        made.find("door", "front", 443)


def test_a_gateway_whose_status_port_is_shut_is_asked_at_the_others(monkeypatch: pytest.MonkeyPatch):
    """It was waited for as long as a load balancer may take, and then reached by another way."""
    monkeypatch.setattr(way_in, "POLL_S", 0.01)
    made = WaysIn(cluster(BALANCER, ports=FRONT), answers=lambda *_: False, shut=frozenset({15021}))  # type: ignore[arg-type]
    asked: list[tuple[str, int]] = []

    def refuses(host: str, port: int) -> bool:
        asked.append((host, port))
        return port == 443

    made.replies = refuses
    made.wait_open("door", "front", time.monotonic() + 5)
    assert asked == [(BALANCER, 80), (BALANCER, 443)]
    assert made.find("door", "front", 443) == (BALANCER, 443)


def test_only_an_accepted_connection_is_an_answer_and_a_refused_one_is_a_reply():
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()
        assert accepts(*place)
        assert replies(*place)
    assert not accepts(*place)
    assert replies(*place)
    assert not accepts("no-such-host.invalid", 80)
    assert not replies("no-such-host.invalid", 80)
