"""Which mesh it is, by what injects: revisions, tags, where webhooks lead, and the proxy that comes out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from test_discovery import Meshed, istiod, mesh_config, webhook

from clients.mesh.discovery import discover
from clients.mesh.survey import injection
from clients.mesh.survey.flavour import Flavour
from clients.mesh.survey.injected import version_of
from clients.model.errors import AccessError, SettingsError

pytestmark = pytest.mark.unit

MANAGED_URL = "https://mesh.example.com:443/inject/ISTIO_META_CLUSTER/x"


def deployment(revision: str, namespace: str = "istio-system", version: str = "1.31.1") -> dict[str, Any]:
    """Of a chart: its name and labels have the revision, and no `app` but on its pods."""
    body = istiod(f"registry.example/pilot:{version}")
    body["metadata"] = {"name": f"istiod-{revision}", "namespace": namespace}
    body["spec"]["template"]["metadata"]["labels"] = {"app": "istiod", "istio.io/rev": revision}
    return body


def service(revision: str, namespace: str = "istio-system") -> dict[str, Any]:
    meta = {"name": f"istiod-{revision}", "namespace": namespace}
    return {"kind": "Service", "metadata": meta, "spec": {"selector": {"app": "istiod", "istio.io/rev": revision}}}


class Injecting(Meshed):
    """A cluster whose webhook puts this proxy into pods."""

    image = "registry.example/proxyv2:1.20.3-asm.4"
    variables: tuple[tuple[str, str], ...] = ()
    config: Mapping[str, Any] = MappingProxyType({})
    kinds = (*Meshed.kinds, "Gateway", "HTTPRoute")
    discovery = "meshconfig.googleapis.com:443"
    arguments: tuple[str, ...] = ("proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local", "--log=info")

    def apply(self, body: dict[str, Any], *, manager: str, dry_run: bool = False) -> dict[str, Any]:
        assert dry_run, "discovery changes nothing"
        assert body["metadata"]["labels"].get("istio.io/rev") == "asm-managed"
        config = {"discoveryAddress": self.discovery, **self.config}
        env = [{"name": "PROXY_CONFIG", "value": json.dumps(config)}]
        env += [{"name": name, "value": value} for name, value in self.variables]
        proxy = {"name": "istio-proxy", "image": self.image, "restartPolicy": "Always", "env": env}
        proxy |= {"args": list(self.arguments)}
        return {**body, "spec": {**body["spec"], "initContainers": [proxy]}}


def canary() -> Meshed:
    cluster = Meshed()
    cluster.put(
        webhook("1-29"),
        webhook("1-31"),
        webhook("1-29", tag="stable"),
        webhook("1-31", tag="next"),
        deployment("1-29", version="1.29.4"),
        deployment("1-31"),
        service("1-29"),
        service("1-31"),
        mesh_config("1-29", "accessLogFile: /dev/stdout"),
        mesh_config("1-31", "rootNamespace: istio-config"),
    )
    return cluster


@pytest.mark.parametrize(
    ("wanted", "label", "revision", "version"),
    [("1-31", "1-31", "1-31", "1.31.1"), ("1-29", "1-29", "1-29", "1.29.4"), ("stable", "stable", "1-29", "1.29.4")],
)
def test_the_version_is_that_of_the_chosen_revision_also_by_its_tag(
    wanted: str, label: str, revision: str, version: str
) -> None:
    found = discover(canary(), wanted)  # type: ignore[arg-type]
    assert (found.label, found.revision, found.version) == (label, revision, version)
    assert found.revisions == ("1-29", "1-31")
    assert found.tags == {"stable": "1-29", "next": "1-31"}
    assert found.flavour == Flavour.ISTIO


def test_configuration_of_another_revision_does_not_count() -> None:
    old, new = (discover(canary(), name) for name in ("1-29", "1-31"))  # type: ignore[arg-type]
    assert (old.root, new.root) == ("istio-system", "istio-config")


def test_two_revisions_without_a_default_one_are_not_guessed() -> None:
    with pytest.raises(SettingsError, match="several revisions") as caught:
        discover(canary())  # type: ignore[arg-type]
    assert caught.value.hint == "choose by --revision: 1-29, 1-31, next, stable"
    with pytest.raises(SettingsError, match="no revision or tag prod"):
        discover(canary(), "prod")  # type: ignore[arg-type]


def test_a_default_tag_is_what_the_default_label_leads_to() -> None:
    cluster = canary()
    cluster.put(webhook("1-29", tag="default"))
    found = discover(cluster)  # type: ignore[arg-type]
    assert (found.label, found.revision, found.version) == ("", "1-29", "1.29.4")


def test_a_webhook_that_was_turned_off_injects_nothing() -> None:
    cluster = canary()
    cluster.put(webhook("default", selector={"matchLabels": {"istio.io/deactivated": "never-match"}}))
    assert "default" not in discover(cluster, "1-29").revisions  # type: ignore[arg-type]


def test_the_only_revision_is_used_also_where_only_a_tag_injects() -> None:
    [only] = injection.injectors([webhook("1-29", tag="prod")])
    assert injection.choose("", [only]) == injection.Revision("prod", "1-29")
    assert injection.choose("", injection.injectors([webhook("1-29")])) == injection.Revision("1-29", "1-29")


def test_an_injector_is_known_by_the_names_of_its_webhooks_too() -> None:
    hook = webhook("1-29")
    del hook["metadata"]["labels"]["app"]
    assert [one.revision for one in injection.injectors([hook])] == ["1-29"]
    other = {"metadata": {"name": "policy"}, "webhooks": [{"name": "mutate.policy.example", "clientConfig": {}}]}
    assert injection.injectors([other]) == ()


def test_one_webhook_that_is_ignored_when_it_does_not_answer_lets_pods_start_without_a_sidecar() -> None:
    hook = webhook("1-29")
    assert [one.fails_open for one in injection.injectors([hook])] == [False]
    hook["webhooks"].append({**hook["webhooks"][0], "failurePolicy": "Fail"})
    assert [one.fails_open for one in injection.injectors([hook])] == [False]
    hook["webhooks"][-1]["failurePolicy"] = "Ignore"
    assert [one.fails_open for one in injection.injectors([hook])] == [True]


@pytest.mark.parametrize("namespace", ["aks-istio-system", "mesh-system"])
def test_the_control_plane_may_be_in_another_namespace(namespace: str) -> None:
    cluster = Meshed()
    hook = webhook("asm-1-27", service=(namespace, "istiod-asm-1-27"))
    cluster.put(hook, deployment("asm-1-27", namespace, "1.27.2"), service("asm-1-27", namespace))
    found = discover(cluster)  # type: ignore[arg-type]
    assert (found.name, found.version, found.root, found.control_namespace) == (
        "istio",
        "1.27.2",
        namespace,
        namespace,
    )
    assert "istiod" in found.capabilities
    assert found.flavour == (Flavour.AKS if namespace == "aks-istio-system" else Flavour.ISTIO)


def managed() -> Injecting:
    cluster = Injecting()
    cluster.put(webhook("asm-managed", url=MANAGED_URL))
    return cluster


@pytest.mark.parametrize(
    ("arguments", "domain"),
    [
        (
            ("proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.corp.internal", "--log=info"),
            "corp.internal",
        ),
        (("proxy", "sidecar", "--domain=$(POD_NAMESPACE).svc.corp.internal."), "corp.internal"),
        (("proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local"), "cluster.local"),
        (("proxy", "sidecar", "--domain", "$(DOMAIN)"), "cluster.local"),
        (("proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.$(DOMAIN)"), "cluster.local"),
        (("proxy", "sidecar", "--domain"), "cluster.local"),
        ((), "cluster.local"),
    ],
)
def test_the_clusters_domain_is_that_of_the_proxies_where_no_istiod_is_seen(
    arguments: tuple[str, ...], domain: str
) -> None:
    cluster = managed()
    cluster.arguments = arguments
    assert discover(cluster).cluster_domain == domain  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "domain"),
    [
        (["discovery", "--domain", "corp.internal", "--keepaliveMaxServerConnectionAge", "30m"], "corp.internal"),
        (["discovery", "--domain=corp.internal"], "corp.internal"),
        (["discovery"], "cluster.local"),
    ],
)
def test_the_clusters_domain_is_that_of_the_chosen_istiod(arguments: list[str], domain: str) -> None:
    cluster = canary()
    chosen = deployment("1-31")
    chosen["spec"]["template"]["spec"]["containers"][0]["args"] = arguments
    cluster.put(chosen)
    assert discover(cluster, "1-31").cluster_domain == domain  # type: ignore[arg-type]
    assert discover(cluster, "1-29").cluster_domain == "cluster.local"  # type: ignore[arg-type]


def test_a_managed_mesh_is_found_without_an_istiod() -> None:
    found = discover(managed())  # type: ignore[arg-type]
    assert (found.name, found.version, found.revision) == ("istio", "1.20.3-asm.4", "asm-managed")
    assert (found.flavour, found.root) == (Flavour.CSM_ISTIOD, "istio-system")
    assert "sidecar-injection" in found.capabilities
    assert "managed Cloud Service Mesh" in found.lacks["istiod"]


def test_traffic_director_is_known_by_what_proxies_ask() -> None:
    cluster = managed()
    cluster.discovery = "trafficdirector.googleapis.com:443"
    assert discover(cluster).flavour == Flavour.CSM_TRAFFIC_DIRECTOR  # type: ignore[arg-type]


def test_a_control_plane_elsewhere_is_not_google_s() -> None:
    cluster = Meshed()
    cluster.put(webhook("default", url="https://istiod.example.com/inject"))
    assert discover(cluster).flavour == Flavour.EXTERNAL  # type: ignore[arg-type]


def test_where_no_pod_may_be_tried_the_version_is_that_of_a_running_pod() -> None:
    cluster = managed()
    cluster.apply = refuse  # type: ignore[method-assign]
    assert discover(cluster).version == ""  # type: ignore[arg-type]
    proxy = {"name": "istio-proxy", "image": "registry.example/proxyv2:1.19.0"}
    for revision in ("other", "asm-managed"):
        meta = {
            "name": revision,
            "namespace": "shop",
            "labels": {"security.istio.io/tlsMode": "istio"},
            "annotations": {"istio.io/rev": revision},
        }
        image = proxy if revision == "asm-managed" else {**proxy, "image": "registry.example/proxyv2:1.2.3"}
        cluster.put({"kind": "Pod", "metadata": meta, "spec": {"containers": [image]}})
    assert discover(cluster).version == "1.19.0"  # type: ignore[arg-type]


def refuse(*_: object, **__: object) -> dict[str, Any]:
    raise AccessError("pods is forbidden")


def test_the_user_may_state_the_root_namespace() -> None:
    cluster = managed()
    cluster.put({"kind": "Namespace", "metadata": {"name": "mesh-root"}})
    assert discover(cluster, root="mesh-root").root == "mesh-root"  # type: ignore[arg-type]


def test_a_root_namespace_that_does_not_exist_is_bad_input() -> None:
    """Every case that changes the whole mesh was inconclusive, and `doctor` found nothing missing."""
    with pytest.raises(SettingsError, match="root_namespace names mesh-root, a namespace that does not exist"):
        discover(managed(), root="mesh-root")  # type: ignore[arg-type]


def test_the_mesh_s_own_configuration_counts_more_than_the_user() -> None:
    """A policy in another namespace would not apply to the mesh, and the mesh would be blamed for it."""
    cluster = canary()
    cluster.put({"kind": "Namespace", "metadata": {"name": "istio-system"}})
    with pytest.raises(SettingsError, match="the mesh's configuration states another one") as caught:
        discover(cluster, "1-31", root="istio-system")  # type: ignore[arg-type]
    assert caught.value.hint == "leave it out: the mesh's own is istio-config"
    assert discover(cluster, "1-29", root="istio-system").root == "istio-system"  # type: ignore[arg-type]


def test_a_root_namespace_that_may_not_be_read_is_taken_as_stated() -> None:
    cluster = managed()
    seen = cluster.get

    def get(version: str, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        return refuse() if kind == "Namespace" else seen(version, kind, name, namespace)

    cluster.get = get  # type: ignore[method-assign]
    assert discover(cluster, root="mesh-root").root == "mesh-root"  # type: ignore[arg-type]


def test_a_namespace_that_may_not_be_read_does_not_end_the_run() -> None:
    cluster = managed()
    seen = cluster.objects

    def objects(version: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        if namespace == "istio-system":
            raise AccessError(f"{kind} is forbidden in {namespace}")
        return seen(version, kind, namespace, labels)

    cluster.objects = objects  # type: ignore[method-assign]
    assert discover(cluster).version == "1.20.3-asm.4"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("image", "label", "version"),
    [
        ("docker.io/istio/proxyv2:1.31.1-distroless", "", "1.31.1"),
        ("gcr.io/gke-release/asm/proxyv2:1.15.7-asm.23", "", "1.15.7-asm.23"),
        ("registry:5000/proxyv2@sha256:0123", "1.30.2", "1.30.2"),
        ("proxyv2", "", ""),
    ],
)
def test_versions(image: str, label: str, version: str) -> None:
    assert version_of(image, label) == version


@pytest.mark.parametrize(
    ("stated", "variables", "why"),
    [
        ("{}", (), ""),
        ("{}", (("ISTIO_META_DNS_CAPTURE", "false"),), ""),
        ("{}", (("ISTIO_META_DNS_CAPTURE", "true"),), "injected proxies have ISTIO_META_DNS_CAPTURE"),
        (
            'defaultConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: "true"}}',
            (),
            "MeshConfig has ISTIO_META_DNS_CAPTURE in defaultConfig.proxyMetadata",
        ),
        ('defaultConfig: {proxyMetadata: {ISTIO_META_DNS_CAPTURE: "false"}}', (), ""),
        ("defaultConfig: {proxyMetadata: null}", (), ""),
    ],
)
def test_proxies_that_resolve_names_are_no_fault_of_the_network(
    stated: str, variables: tuple[tuple[str, str], ...], why: str
) -> None:
    """The agent of a sidecar knew example.com where the network shut DNS, and the policy was blamed."""
    cluster = Injecting()
    cluster.variables = variables
    cluster.put(webhook("asm-managed", url="https://example.com/inject"), mesh_config("asm-managed", stated))
    found = discover(cluster)  # type: ignore[arg-type]
    assert found.lacks.get("dns-not-proxied", "") == why
    assert ("dns-not-proxied" in found.capabilities) is (not why)


GATEWAYS = {"ingress-gateway", "egress-gateway", "tls-listener", "gateway-api"}
CLASS = {
    "kind": "GatewayClass",
    "metadata": {"name": "istio"},
    "spec": {"controllerName": "istio.io/gateway-controller"},
}


@pytest.mark.parametrize("by_pod", [False, True])
@pytest.mark.parametrize(
    ("topology", "lacks"),
    [({}, set()), ({"proxyProtocol": {}}, GATEWAYS), ({"numTrustedProxies": 2}, {"no-trusted-proxies"})],
)
def test_gateways_of_a_run_inherit_what_is_in_front_of_the_mesh_s(
    topology: dict[str, Any], lacks: set[str], by_pod: bool
) -> None:
    """Plain requests failed at them before any change, and what a client states of its address was believed."""
    cluster = Injecting()
    stated = {} if by_pod else {"defaultConfig": {"gatewayTopology": topology}}
    cluster.config = {"gatewayTopology": topology} if by_pod else {}
    cluster.put(webhook("asm-managed", url=MANAGED_URL), mesh_config("asm-managed", json.dumps(stated)), CLASS)
    found = discover(cluster)  # type: ignore[arg-type]
    assert found.lacks.keys() & {*GATEWAYS, "no-trusted-proxies"} == lacks
    assert all("gatewayTopology." in found.lacks[name] for name in lacks)
