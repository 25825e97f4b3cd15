"""Pods that have not started: their init containers can be sources of requests while they run."""

from __future__ import annotations

from typing import Any

import pytest

from clients.kube.pods import Pod, addresses_of

pytestmark = pytest.mark.unit


def body(**status: Any) -> dict[str, Any]:
    init = [{"name": "istio-proxy", "restartPolicy": "Always"}, {"name": "first"}, {"name": "second"}]
    return {
        "metadata": {"name": "a", "namespace": "n"},
        "spec": {"initContainers": init, "containers": [{"name": "main"}]},
        "status": status,
    }


RUNNING = [
    {"name": "istio-proxy", "state": {"running": {}}},
    {"name": "first", "state": {"running": {}}},
    {"name": "second", "state": {"waiting": {}}},
]


def test_an_init_container_that_runs_is_initializing() -> None:
    pod = Pod.from_json(body(initContainerStatuses=RUNNING))
    assert (pod.initializing, pod.ready, pod.injected) == (("first",), False, True)
    assert pod.containers == ("istio-proxy",)


def test_a_classic_sidecar_does_not_run_yet() -> None:
    classic = body(initContainerStatuses=RUNNING)
    classic["spec"]["initContainers"][0].pop("restartPolicy")
    classic["spec"]["containers"].append({"name": "istio-proxy"})
    classic["status"]["initContainerStatuses"][0]["state"] = {"terminated": {}}
    pod = Pod.from_json(classic)
    assert (pod.initializing, pod.injected, pod.containers) == (("first",), False, ())


@pytest.mark.parametrize(
    ("status", "ip", "known"),
    [
        ({"podIP": "10.0.0.7"}, "10.0.0.7", {"10.0.0.7"}),
        (
            {"podIP": "10.0.0.7", "podIPs": [{"ip": "10.0.0.7"}, {"ip": "fd00:0::7"}]},
            "10.0.0.7",
            {"10.0.0.7", "fd00::7"},
        ),
        ({"podIP": "fd00:0:0::7"}, "fd00::7", {"fd00::7"}),
        ({}, "", set[str]()),
    ],
)
def test_a_pod_has_the_addresses_of_both_families(status: dict[str, Any], ip: str, known: set[str]) -> None:
    pod = Pod.from_json(body(**status))
    assert (pod.ip, pod.addresses, addresses_of([pod])) == (ip, known, known)


@pytest.mark.parametrize(
    ("first", "state", "native", "cut_off"),
    [
        ("istio-validation", "terminated", False, True),
        ("istio-init", "terminated", False, False),
        ("istio-validation", "waiting", False, False),
        ("istio-validation", "terminated", True, False),
    ],
)
def test_a_pod_is_cut_off_while_the_plug_in_leads_it_to_no_proxy(
    first: str, state: str, native: bool, cut_off: bool
) -> None:
    pod = body(initContainerStatuses=[{"name": first, "state": {state: {}}}, *RUNNING[1:]])
    if not native:
        pod["spec"]["initContainers"].pop(0)
        pod["spec"]["containers"].append({"name": "istio-proxy"})
    assert Pod.from_json(pod).cut_off is cut_off
    pod["status"]["initContainerStatuses"] = []
    assert not Pod.from_json(pod).cut_off, "its init containers have ended"


def test_ports_that_are_kept_out_of_the_sidecar() -> None:
    assert Pod.from_json(body()).past_sidecar == frozenset()
    excluding = body()
    excluding["metadata"]["annotations"] = {"traffic.sidecar.istio.io/excludeInboundPorts": "8080, 9000"}
    assert Pod.from_json(excluding).past_sidecar == {"8080", "9000"}


def test_none_is_once_they_have_ended_or_the_pod_is_deleted() -> None:
    assert Pod.from_json(body()).initializing == ()
    ended = [{"name": "first", "state": {"terminated": {}}}]
    assert Pod.from_json(body(initContainerStatuses=ended)).initializing == ()
    deleted = body(initContainerStatuses=RUNNING)
    deleted["metadata"]["deletionTimestamp"] = "2026-11-27T00:00:00Z"
    assert Pod.from_json(deleted).initializing == ()


@pytest.mark.parametrize(("value", "inside"), [("enabled", True), ("disabled", False), (None, False)])
def test_a_pod_is_in_ambient_where_the_plug_in_says_so(value: str | None, inside: bool) -> None:
    pod = body()
    pod["metadata"]["annotations"] = {"ambient.istio.io/redirection": value} if value else {}
    assert Pod.from_json(pod).in_ambient is inside


@pytest.mark.parametrize(
    ("args", "more", "gateway"),
    [
        (["proxy", "router", "--domain", "x"], [], True),
        (["proxy", "router"], [{"name": "agent"}], True),  # an admission webhook adds it to every pod
        (["proxy", "sidecar"], [{"name": "main"}], False),
        (["proxy", "sidecar"], [], False),
        ([], [], True),
        ([], [{"name": "main"}], False),
        (["--config", "router"], [], True),
    ],
)
def test_a_gateway_is_known_by_what_its_proxy_is_started_as(
    args: list[str], more: list[dict[str, Any]], gateway: bool
) -> None:
    made = {**body(), "spec": {"containers": [{"name": "istio-proxy", "args": args}, *more]}}
    assert Pod.from_json(made).is_gateway is gateway


def test_a_sidecar_next_to_init_containers_is_no_gateway() -> None:
    native = body(initContainerStatuses=RUNNING)
    native["spec"]["initContainers"][0]["args"] = ["proxy", "sidecar"]
    pod = Pod.from_json(native)
    assert (pod.containers, pod.is_gateway) == (("istio-proxy",), False)


@pytest.mark.parametrize(("proxy", "past"), [(None, True), (1337, True), (0, True), (1000700001, False)])
def test_a_container_passes_the_proxy_by_only_as_the_user_that_the_proxy_has(proxy: int | None, past: bool) -> None:
    """On OpenShift a namespace's proxies have a user of its own: what should be plaintext went through them."""
    users = {"istio-proxy": proxy, "plain": 1337, "main": 65532}
    containers = [{"name": name, "securityContext": {"runAsUser": user}} for name, user in users.items()]
    assert Pod.from_json({**body(), "spec": {"containers": containers}}).not_past == (set() if past else {"plain"})
