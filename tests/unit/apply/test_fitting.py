"""What a cluster demands of everything in it is added; what a manifest states itself is kept."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.apply.families import listening_by_both
from clients.apply.fitting import PULL_SECRET, Fitting, PullSecret
from clients.apply.overlay import Overlay
from clients.apply.references import namespaces_in
from clients.kube.families import Families

pytestmark = pytest.mark.unit
MANIFESTS = Path(__file__).parents[3] / "manifests"
OVERLAY = Overlay("w0-", "r1", "gw0", {"sleep": "sleep:1"}, "", {}, frozenset({"shop"}))
TEXT = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    spec:
      nodeSelector: {disk: fast}
      tolerations: [{key: dedicated, operator: Exists}]
      containers:
        - {name: own, image: meshproof/sleep, resources: {requests: {cpu: 5m}}}
        - {name: istio-proxy, image: auto}
---
apiVersion: v1
kind: Service
metadata: {name: door, namespace: shop}
spec: {type: LoadBalancer}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {}
"""


def fitted(fitting: Fitting, text: str = TEXT) -> dict[str, dict[str, Any]]:
    overlay = replace(OVERLAY, fitting=fitting)
    return {f"{body['kind']} {body['metadata']['name']}": body for body in overlay.objects(text, "x.yaml")}


def test_without_demands_nothing_is_changed() -> None:
    assert OVERLAY.objects(TEXT, "x.yaml") == replace(OVERLAY, fitting=Fitting()).objects(TEXT, "x.yaml")


def test_namespaces_get_labels_and_annotations_but_none_of_theirs_is_replaced() -> None:
    labels = {"team": "other", "mesh": "discovered", "meshproof.dev/run": "forged"}
    meta = fitted(Fitting(namespace_labels=labels, namespace_annotations={"a": "b"}))["Namespace w0-shop"]["metadata"]
    assert meta["labels"].items() >= {"team": "shop", "mesh": "discovered", "meshproof.dev/run": "r1"}.items()
    assert meta["annotations"] == {"a": "b"}


def test_pods_get_nodes_tolerations_and_resources() -> None:
    demanded = Fitting(
        node_selector={"disk": "slow", "os": "linux"},
        tolerations=({"key": "spot", "operator": "Exists"},),
        requests={"cpu": "10m", "memory": "64Mi"},
        limits={"memory": "512Mi"},
    )
    pod = fitted(demanded)["Deployment web"]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"disk": "fast", "os": "linux"}
    assert [one["key"] for one in pod["tolerations"]] == ["dedicated", "spot"]
    assert [one["resources"] for one in pod["containers"]] == [
        {"requests": {"cpu": "5m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
    ]


POD = """
apiVersion: v1
kind: Pod
metadata: {name: alone, namespace: shop, annotations: {a: own}}
spec: {containers: [{name: own, image: meshproof/sleep}]}
"""


def test_pods_and_templates_of_pods_get_annotations_but_none_of_theirs_is_replaced() -> None:
    made = fitted(Fitting(pod_annotations={"a": "given", "b": "given"}), f"{TEXT}---{POD}")
    assert made["Pod alone"]["metadata"]["annotations"] == {"a": "own", "b": "given"}
    deployment = made["Deployment web"]
    assert deployment["spec"]["template"]["metadata"]["annotations"] == {"a": "given", "b": "given"}
    assert "annotations" not in deployment["metadata"]
    assert "annotations" not in made["Namespace w0-shop"]["metadata"]


GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: door, namespace: shop}
spec: {infrastructure: {labels: {a: own}, annotations: {b: own}}, listeners: []}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: rules, namespace: shop}
spec: {servers: []}
"""


def test_pods_and_what_makes_them_get_labels_but_none_of_theirs_is_replaced() -> None:
    """Also those that Istio makes for a Gateway: admission policies ask these for labels too."""
    text = f"{TEXT}---{POD.replace('annotations: {a: own}', 'labels: {a: own}')}---{GATEWAY}"
    made = fitted(Fitting(pod_labels={"a": "given", "cost": "mesh", "meshproof.dev/run": "forged"}), text)
    pod = made["Pod alone"]["metadata"]["labels"]
    assert pod.items() >= {"a": "own", "cost": "mesh", "meshproof.dev/run": "r1"}.items()
    deployment = made["Deployment web"]
    assert deployment["spec"]["template"]["metadata"]["labels"].items() >= {"a": "given", "cost": "mesh"}.items()
    assert deployment["metadata"]["labels"].items() >= {"cost": "mesh", "meshproof.dev/run": "r1"}.items()
    infrastructure = made["Gateway door"]["spec"]["infrastructure"]
    assert infrastructure["labels"].items() >= {"a": "own", "cost": "mesh"}.items()
    assert infrastructure["annotations"] == {"b": "own"}
    assert made["Gateway rules"]["spec"] == {"servers": []}
    for other in ("Namespace w0-shop", "Service web", "Service door"):
        assert "cost" not in made[other]["metadata"]["labels"]
    assert "selector" not in deployment["spec"], "nothing selects by them"


def test_pods_that_the_mesh_makes_for_a_gateway_go_to_the_same_nodes_as_others() -> None:
    """Where every node has a taint, no pod of theirs was ever scheduled."""
    demanded = Fitting(node_selector={"pool": "mesh"}, tolerations=({"key": "spot"},), pod_annotations={"keep": "yes"})
    overlay = replace(OVERLAY, fitting=demanded)
    config, door, rules = overlay.objects(GATEWAY, "x.yaml")
    assert (config["kind"], config["metadata"]["namespace"]) == ("ConfigMap", door["metadata"]["namespace"])
    assert config["metadata"]["labels"].items() >= overlay.labels.items()
    reference = {"group": "", "kind": "ConfigMap", "name": config["metadata"]["name"]}
    assert door["spec"]["infrastructure"]["parametersRef"] == reference
    template = json.loads(config["data"]["deployment"])["spec"]["template"]
    assert template["spec"] == {"nodeSelector": {"pool": "mesh"}, "tolerations": [{"key": "spot"}]}
    assert template["metadata"] == {"annotations": {"keep": "yes"}}
    assert rules["spec"] == {"servers": []}


def test_a_gateway_without_such_needs_or_with_parameters_of_its_own_has_no_others() -> None:
    assert [one["kind"] for one in OVERLAY.objects(GATEWAY, "x.yaml")] == ["Gateway", "Gateway"]
    own = GATEWAY.replace("{labels:", '{parametersRef: {group: "", kind: ConfigMap, name: own}, labels:')
    overlay = replace(OVERLAY, fitting=Fitting(node_selector={"pool": "mesh"}))
    made = overlay.objects(own, "x.yaml")
    assert [one["kind"] for one in made] == ["Gateway", "Gateway"]
    assert made[0]["spec"]["infrastructure"]["parametersRef"]["name"] == "own"


def of_manifest(path: str, families: Families) -> list[dict[str, Any]]:
    text = (MANIFESTS / path).read_text(encoding="utf-8")
    overlay = replace(OVERLAY, namespaces=namespaces_in([(path, text)]) | {"team-x", "issuer"})
    overlay = replace(overlay, fitting=Fitting(families=families), images=dict.fromkeys(("sleep", "envoy"), "x:1"))
    values = dict.fromkeys(("jwks_base64", "jwks", "jwks_both", "jwks_next", "front_issuer"), "x")
    return replace(overlay, values=values).objects(text, path)


def test_envoys_of_the_manifests_listen_by_ipv6_where_services_have_it() -> None:
    """They bound IPv4 alone: no pod of theirs became ready, and every stage waited for them."""
    [config] = [
        one for one in of_manifest("front/issuer/issuer.yaml", Families(True, True)) if one["kind"] == "ConfigMap"
    ]
    read = yaml.safe_load(config["data"]["envoy.yaml"])["static_resources"]["listeners"]
    more = [one["address"] for listener in read for one in listener.get("additional_addresses", ())]
    found = [one["socket_address"] for one in (*(listener["address"] for listener in read), *more)]
    assert [one["port_value"] for one in found][:1] == [8080]
    assert {(one["address"], one.get("ipv4_compat")) for one in found} == {("::", True)}
    for other in (Families(), Families(ipv6=True)):
        [config] = [one for one in of_manifest("front/issuer/issuer.yaml", other) if one["kind"] == "ConfigMap"]
        assert "0.0.0.0" in config["data"]["envoy.yaml"]
        assert '"::"' not in config["data"]["envoy.yaml"]


def test_every_listener_of_a_manifests_envoy_is_of_the_form_that_is_known() -> None:
    for file in MANIFESTS.rglob("*.yaml"):
        for line in file.read_text(encoding="utf-8").splitlines():
            if "0.0.0.0" in line and "0.0.0.0/0" not in line:
                body = {"kind": "ConfigMap", "data": {"envoy.yaml": line}}
                assert '"::"' in listening_by_both(body)["data"]["envoy.yaml"], f"{file}: {line}"


@pytest.mark.parametrize(("families", "ranges"), [(Families(), "0.0.0.0/0"), (Families(ipv6=True), "0.0.0.0/0,::/0")])
def test_what_is_kept_out_of_a_sidecar_is_that_of_both_families(families: Families, ranges: str) -> None:
    """On a cluster of both, the client's sidecar got what it sent to a host by IPv6."""
    [made] = of_manifest("egress/environment/9-excluded.yaml", families)
    notes = made["spec"]["template"]["metadata"]["annotations"]
    assert notes == {"traffic.sidecar.istio.io/excludeOutboundIPRanges": ranges}


def test_the_user_s_requests_replace_smaller_ones() -> None:
    """Where limits are set by requests, a JVM with the manifests' 16Mi was killed."""
    demanded = Fitting(requests={"memory": "64Mi"}, least={"cpu": "4m", "memory": "128Mi"})
    [own, other] = fitted(demanded)["Deployment web"]["spec"]["template"]["spec"]["containers"]
    assert own["resources"]["requests"] == {"cpu": "5m", "memory": "128Mi"}, "the larger of both"
    assert other["resources"]["requests"] == {"cpu": "4m", "memory": "128Mi"}


def test_the_pull_secret_is_there_before_any_pod_and_used_by_all() -> None:
    overlay = replace(OVERLAY, fitting=Fitting(pull_secret=PullSecret("kubernetes.io/dockerconfigjson", {"x": "eQ=="})))
    made = overlay.objects(TEXT, "x.yaml")
    assert [body["kind"] for body in made[:3]] == ["Namespace", "Secret", "Deployment"]
    meta = made[1]["metadata"]
    assert (meta["name"], meta["namespace"], meta["labels"]["meshproof.dev/run"]) == (PULL_SECRET, "w0-shop", "r1")
    assert made[1]["data"] == {"x": "eQ=="}
    assert made[2]["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": PULL_SECRET}]
    assert "eQ==" not in repr(overlay)


def test_where_the_cluster_closes_new_namespaces_those_of_a_run_are_opened_before_any_pod() -> None:
    """Network policies add up, so one that allows everything sets those of others aside."""
    overlay = replace(OVERLAY, fitting=Fitting(open_network=True))
    made = overlay.objects(TEXT, "x.yaml")
    assert [one["kind"] for one in made[:2]] == ["Namespace", "NetworkPolicy"]
    policy = made[1]
    assert policy["metadata"]["namespace"] == made[0]["metadata"]["name"]
    assert policy["metadata"]["labels"].items() >= overlay.labels.items()
    assert (policy["spec"]["ingress"], policy["spec"]["egress"]) == ([{}], [{}])
    assert not any(one["kind"] == "NetworkPolicy" for one in OVERLAY.objects(TEXT, "x.yaml"))


def test_services_with_a_load_balancer_get_annotations_each_its_own() -> None:
    demanded = Fitting(service_annotations={"type": "internal"}, annotations_of={"shop/door": {"type": "public"}})
    objects = fitted(demanded)
    assert objects["Service door"]["metadata"]["annotations"] == {"type": "public"}
    assert "annotations" not in objects["Service web"]["metadata"]
    elsewhere = fitted(replace(demanded, annotations_of={}))
    assert elsewhere["Service door"]["metadata"]["annotations"] == {"type": "internal"}


def test_gateways_of_the_gateway_api_hand_them_on() -> None:
    text = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: door, namespace: shop}
spec: {infrastructure: {annotations: {a: b}}}
"""
    made = fitted(Fitting(service_annotations={"type": "internal"}), text)["Gateway door"]
    assert made["spec"]["infrastructure"]["annotations"] == {"a": "b", "type": "internal"}


def test_every_pod_of_the_manifests_gets_requests_and_limits() -> None:
    demanded = Fitting(requests={"cpu": "1m", "memory": "1Mi"}, limits={"cpu": "1", "memory": "1Gi"})
    found = 0
    for path in MANIFESTS.rglob("*.yaml"):
        for body in filter(None, yaml.safe_load_all(path.read_text().replace("{{", "").replace("}}", ""))):
            before = copy.deepcopy(body)
            made = demanded.fit(body, "")
            assert body == before, "the given object is not changed"
            spec = made.get("spec", {})
            pod = spec.get("template", {}).get("spec", {}) if made["kind"] != "Pod" else spec
            for container in (*pod.get("containers", ()), *pod.get("initContainers", ())):
                found += 1
                assert set(container["resources"]) >= {"requests", "limits"}, path
    assert found > 80


def test_the_namespaces_of_manifests() -> None:
    assert namespaces_in([("x", TEXT)]) == {"shop"}


NETWORKING = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec: {hosts: [web]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: theirs, namespace: shop}
spec: {hosts: [example.com], exportTo: ["."]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: shop}
spec: {host: web}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: web, namespace: shop}
spec: {}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: api, namespace: shop}
spec: {}
"""


def test_objects_are_exported_where_the_mesh_exports_none_by_default() -> None:
    found = fitted(Fitting(exported=True), f"{TEXT}---{NETWORKING}")
    annotation = {"networking.istio.io/exportTo": "*"}
    assert found["Service web"]["metadata"]["annotations"] == annotation
    assert found["Service door"]["metadata"]["annotations"] == annotation
    assert found["Gateway api"]["spec"]["infrastructure"]["annotations"] == annotation
    assert [found[name]["spec"].get("exportTo") for name in ("VirtualService web", "DestinationRule web")] == [
        ["*"]
    ] * 2
    assert found["ServiceEntry theirs"]["spec"]["exportTo"] == ["."], "what a manifest states is kept"
    assert "exportTo" not in found["Sidecar web"]["spec"]


def test_a_service_that_states_to_whom_it_is_exported_keeps_it() -> None:
    own = TEXT.replace(
        "{name: door, namespace: shop}",
        "{name: door, namespace: shop, annotations: {a: b, networking.istio.io/exportTo: '~'}}",
    )
    found = fitted(Fitting(exported=True, service_annotations={"c": "d"}), own)["Service door"]["metadata"]
    assert found["annotations"] == {"a": "b", "networking.istio.io/exportTo": "~", "c": "d"}


BALANCER = """
apiVersion: v1
kind: Service
metadata: {name: door, namespace: shop}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  loadBalancerSourceRanges: [192.0.2.0/24]
  ports: [{name: http, port: 80, nodePort: 30080}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: api, namespace: shop, annotations: {a: b}}
spec: {}
"""


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("NodePort", {"externalTrafficPolicy": "Local", "ports": [{"name": "http", "port": 80, "nodePort": 30080}]}),
        ("ClusterIP", {"ports": [{"name": "http", "port": 80}]}),
    ],
)
def test_a_load_balancer_that_cannot_be_had_is_not_asked_for(kind: str, spec: dict[str, Any]) -> None:
    """A cluster that refuses the type refused the whole environment, and none of its cases was proven."""
    types = {"shop/door": kind, "shop/api": kind}
    found = fitted(Fitting(service_types=types, service_annotations={"a": "internal"}), BALANCER)
    assert found["Service door"]["spec"] == {"type": kind, **spec}
    assert "annotations" not in found["Service door"]["metadata"], "they are of load balancers"
    assert found["Gateway api"]["metadata"]["annotations"] == {"a": "b", "networking.istio.io/service-type": kind}
    assert fitted(Fitting(service_types={"shop/other": kind}), BALANCER) == fitted(Fitting(), BALANCER)


def test_on_openshift_the_accounts_of_each_namespace_may_use_a_constraint() -> None:
    """It must be there before the first pod; namespaces are named anew in each run, so that nobody can bind them."""
    namespace, binding, *_ = replace(OVERLAY, fitting=Fitting(constraint="nonroot-v2")).objects(TEXT, "x.yaml")
    assert namespace["kind"] == "Namespace"
    assert (binding["kind"], binding["metadata"]["namespace"]) == ("RoleBinding", "w0-shop")
    assert binding["metadata"]["labels"] == OVERLAY.labels
    assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) == (
        "ClusterRole",
        "system:openshift:scc:nonroot-v2",
    )
    assert [(one["kind"], one["name"]) for one in binding["subjects"]] == [("Group", "system:serviceaccounts:w0-shop")]
