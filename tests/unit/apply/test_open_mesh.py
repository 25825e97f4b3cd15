"""What opens the mesh in a run's own namespaces, and makes way for what a stage states."""

from __future__ import annotations

from typing import Any

import pytest

from clients.apply.environments import Environments
from clients.apply.item import Item
from clients.apply.open_mesh import OpenMesh
from clients.apply.stage_objects import StageObjects

pytestmark = pytest.mark.unit

LABELS = {"meshproof.dev/run": "r1"}
SET_AGAINST = OpenMesh(LABELS, permissive=True, allow=True, open=True)


def item(kind: str, name: str, namespace: str = "", **body: Any) -> Item:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return Item("lab/x.yaml", {"apiVersion": "v1", "kind": kind, "metadata": meta, **body})


def deployment(name: str) -> Item:
    return item("Deployment", name, "shop", spec={"template": {"metadata": {"labels": {"app": name}}}})


SHOP = item("Namespace", "shop")
DEPLOYED = (SHOP, deployment("web"), deployment("pay"))


def additions(*stage: Item, open_mesh: OpenMesh = SET_AGAINST) -> dict[str, Any]:
    return {f"{one.kind} {one.name}": one.body["spec"] for one in open_mesh.additions(DEPLOYED, stage)}


def test_a_namespace_without_anything_of_its_own_is_opened() -> None:
    assert additions() == {
        "PeerAuthentication meshproof-open-mesh": {"mtls": {"mode": "PERMISSIVE"}},
        "Sidecar meshproof-open-mesh": {
            "egress": [{"hosts": ["*/*"]}],
            "outboundTrafficPolicy": {"mode": "ALLOW_ANY"},
        },
        "AuthorizationPolicy meshproof-open-mesh": {"action": "ALLOW", "rules": [{}]},
    }
    assert all(one.body["metadata"]["labels"] == LABELS for one in SET_AGAINST.additions(DEPLOYED, ()))
    assert additions(open_mesh=OpenMesh(LABELS)) == {}


@pytest.mark.parametrize(
    ("stated", "gone"),
    [
        (item("PeerAuthentication", "default", "shop", spec={"mtls": {"mode": "STRICT"}}), "PeerAuthentication"),
        (item("Sidecar", "default", "shop", spec={"egress": []}), "Sidecar"),
        (item("AuthorizationPolicy", "some", "shop", spec={"rules": []}), "AuthorizationPolicy"),
    ],
)
def test_it_makes_way_for_what_a_stage_states_for_the_namespace(stated: Item, gone: str) -> None:
    assert {name.split()[0] for name in additions(stated)} == {
        "PeerAuthentication",
        "Sidecar",
        "AuthorizationPolicy",
    } - {gone}


def test_a_policy_in_dry_run_takes_the_place_of_none() -> None:
    """It lets nothing in, so that the mesh's own, which allows nothing, refused every request."""
    tried = item("AuthorizationPolicy", "known", "shop", spec={"selector": {"matchLabels": {"app": "web"}}})
    assert "AuthorizationPolicy meshproof-open-mesh" not in additions(tried)
    tried.body["metadata"]["annotations"] = {"istio.io/dry-run": "true"}
    assert additions(tried) == additions()


def test_a_policy_for_one_workload_leaves_the_others_allowed() -> None:
    only = item("AuthorizationPolicy", "pay", "shop", spec={"selector": {"matchLabels": {"app": "pay"}}, "rules": []})
    found = {name: spec for name, spec in additions(only).items() if name.startswith("Authorization")}
    assert found == {
        "AuthorizationPolicy meshproof-open-mesh-0": {
            "selector": {"matchLabels": {"app": "web"}},
            "action": "ALLOW",
            "rules": [{}],
        }
    }
    deny = item("AuthorizationPolicy", "pay", "shop", spec={"action": "DENY", "rules": [{}]})
    assert "AuthorizationPolicy meshproof-open-mesh" in additions(deny)


def test_a_policy_for_one_workload_s_transport_leaves_the_namespace_open() -> None:
    one = item("PeerAuthentication", "pay", "shop", spec={"selector": {"matchLabels": {"app": "pay"}}})
    assert "PeerAuthentication meshproof-open-mesh" in additions(one)


class RecordingCluster:
    """An applier that notes what it was asked to do."""

    def __init__(self, manifests: dict[str, list[Item]] | None = None) -> None:
        self.done: list[str] = []
        self.manifests = manifests or {}

    def load(self, paths: list[str]) -> list[Item]:
        return [one for path in paths for one in self.manifests[path]]

    def check(self, items: list[Item]) -> None: ...

    def admit(self, items: list[Item]) -> None: ...

    def wait_ready(self, items: list[Item]) -> None: ...

    def apply(self, items: list[Item]) -> list[str]:
        self.done += [f"+{one.kind} {one.name}" for one in items]
        return [str(one) for one in items]

    def delete(self, items: list[Item]) -> None:
        self.done += [f"-{one.kind} {one.name}" for one in items]


STRICT = item("PeerAuthentication", "default", "shop", spec={"mtls": {"mode": "STRICT"}})
OPEN = "PeerAuthentication meshproof-open-mesh"


def test_stages_replace_it_and_it_comes_back() -> None:
    recorder = RecordingCluster()
    objects = StageObjects(recorder, OpenMesh(LABELS, permissive=True))  # type: ignore[arg-type]
    objects.set_environment(DEPLOYED)
    objects.clear()
    assert recorder.done == [f"+{OPEN}"]
    recorder.done.clear()
    objects.move_to([STRICT])
    assert recorder.done == ["+PeerAuthentication default", f"-{OPEN}"]
    assert [one.name for one in objects.items] == ["default"]
    recorder.done.clear()
    objects.drop([STRICT])
    assert recorder.done == ["-PeerAuthentication default", f"+{OPEN}"]
    recorder.done.clear()
    objects.make_way([STRICT])
    assert recorder.done == [f"-{OPEN}"]
    recorder.done.clear()
    objects.clear()
    assert recorder.done == [f"+{OPEN}"], "what a step stated has gone as well"


def test_what_a_step_has_put_in_the_place_of_a_stages_object_stays() -> None:
    """The next step of the stage applied the stage's own form again, which then decided in place of the step's."""
    recorder = RecordingCluster()
    objects = StageObjects(recorder, OpenMesh(LABELS, allow=True))  # type: ignore[arg-type]
    objects.set_environment(DEPLOYED)
    for_all = item("AuthorizationPolicy", "pay", "shop", spec={"rules": []})
    for_one = item("AuthorizationPolicy", "pay", "shop", spec={"selector": {"matchLabels": {"app": "pay"}}})
    objects.move_to([for_all])
    recorder.done.clear()
    objects.make_way([for_one])
    assert recorder.done == ["+AuthorizationPolicy meshproof-open-mesh-0"], "web is of no policy now"
    objects.make_way([for_one, STRICT])
    assert "+AuthorizationPolicy pay" not in recorder.done
    assert "pay" in {one.name for one in objects.items}


def test_an_open_mesh_is_left_alone() -> None:
    recorder = RecordingCluster()
    objects = StageObjects(recorder)  # type: ignore[arg-type]
    objects.set_environment(DEPLOYED)
    objects.clear()
    objects.make_way([STRICT])
    assert recorder.done == []


def test_each_namespace_of_an_environment_gets_access_logs_where_they_have_to_be_turned_on() -> None:
    recorder = RecordingCluster({"lab/environment": [SHOP, deployment("web")]})
    open_mesh = OpenMesh(LABELS, provider="envoy")
    objects = StageObjects(recorder, open_mesh)  # type: ignore[arg-type]
    Environments(recorder, objects, open_mesh).ensure(["lab/environment"])  # type: ignore[arg-type]
    assert recorder.done == ["+Namespace shop", "+Deployment web", "+Telemetry meshproof-access-log"]
    [telemetry] = [one for one in open_mesh.with_logs([SHOP]) if one.kind == "Telemetry"]
    assert telemetry.namespace == "shop"
    assert telemetry.body["spec"] == {"accessLogging": [{"providers": [{"name": "envoy"}]}]}


def test_rules_of_the_root_namespace_are_set_aside_for_the_run_s_own_hosts() -> None:
    """A rule in the namespace of the Service comes before one of the root namespace (Istio, DestinationRule)."""
    ours = OpenMesh(LABELS, rules=True, domain="corp.example")
    web = item("Service", "web", "shop", spec={})
    outside = item("ServiceEntry", "theirs", "shop", spec={"hosts": ["example.com", "*.example.org"]})
    assert ours.needed
    assert additions(web, outside, open_mesh=ours) == {
        "DestinationRule meshproof-open-mesh-web": {"host": "web.shop.svc.corp.example", "exportTo": ["*"]},
        "DestinationRule meshproof-open-mesh-example.com": {"host": "example.com", "exportTo": ["*"]},
        "DestinationRule meshproof-open-mesh-any.example.org": {"host": "*.example.org", "exportTo": ["*"]},
    }
    stated = item("DestinationRule", "originate", "shop", spec={"host": "example.com", "trafficPolicy": {}})
    hosts = [spec["host"] for spec in additions(web, outside, stated, open_mesh=ours).values()]
    assert hosts == ["web.shop.svc.corp.example", "*.example.org"], "two rules for a host become one"
