from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from clients.apply import marker_objects
from clients.apply.overlay import Overlay
from clients.apply.references import namespaces_in
from clients.model.errors import ManifestError, SettingsError

pytestmark = pytest.mark.unit

KNOWN = frozenset({"mtls-client", "mtls-service", "legacy-service", "team-x", "team-y", "istio-egress", "api"})
OVERLAY = Overlay(
    prefix="w0-",
    run="r1",
    worker="gw0",
    images={"sleep": "localhost/sleep:1", "httpbin": "localhost/httpbin:2"},
    revision="",
    values={"jwks": '{"keys":[]}', "issuer": "testing@secure.istio.io"},
    namespaces=KNOWN,
)
LABELS = {"app.kubernetes.io/managed-by": "meshproof", "meshproof.dev/run": "r1", "meshproof.dev/worker": "gw0"}


def one(text: str, overlay: Overlay = OVERLAY) -> dict[str, Any]:
    (obj,) = overlay.objects(text, "lab/x.yaml")
    return obj


def spec(text: str, overlay: Overlay = OVERLAY) -> Any:
    """The translated spec of an object in namespace team-x, given as YAML."""
    obj = {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {"name": "x", "namespace": "team-x"},
        "spec": yaml.safe_load(text),
    }
    return one(yaml.safe_dump(obj), overlay)["spec"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("httpbin.mtls-service", "httpbin.w0-mtls-service"),
        ("httpbin.mtls-service:8000", "httpbin.w0-mtls-service:8000"),
        ("httpbin.mtls-service.svc", "httpbin.w0-mtls-service.svc"),
        ("httpbin.mtls-service.svc.cluster.local", "httpbin.w0-mtls-service.svc.cluster.local"),
        ("httpbin.mtls-service.svc.cluster.local.", "httpbin.w0-mtls-service.svc.cluster.local."),
        ("*.mtls-service.svc.cluster.local", "*.w0-mtls-service.svc.cluster.local"),
        ("pod-0.httpbin.mtls-service.svc.cluster.local", "pod-0.httpbin.w0-mtls-service.svc.cluster.local"),
        ("httpbin", "httpbin"),
        ("mtls-service", "mtls-service"),
        ("httpbin.other", "httpbin.other"),
        ("httpbin.mtls-service-2", "httpbin.mtls-service-2"),
        ("httpbin.x-mtls-service", "httpbin.x-mtls-service"),
        ("mtls-service.example.com", "mtls-service.example.com"),
        ("httpbin.mtls-service.example.com", "httpbin.mtls-service.example.com"),
        ("www.example.api", "www.example.api"),
        ("istiod.istio-system.svc", "istiod.istio-system.svc"),
        ("api.api", "api.w0-api"),
        ("httpbin.org", "httpbin.org"),
        ("198.18.0.10:80", "198.18.0.10:80"),
    ],
)
def test_hosts(host: str, expected: str) -> None:
    assert OVERLAY.host(host) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://httpbin.mtls-service:8000/ip", "http://httpbin.w0-mtls-service:8000/ip"),
        ("https://httpbin.mtls-service", "https://httpbin.w0-mtls-service"),
        ("http://httpbin.mtls-service/a/../b?", "http://httpbin.w0-mtls-service/a/../b?"),
        (
            "http://httpbin.mtls-service//a?u=httpbin.mtls-service",
            "http://httpbin.w0-mtls-service//a?u=httpbin.mtls-service",
        ),
        ("http://example.com/httpbin.mtls-service", "http://example.com/httpbin.mtls-service"),
        ("http://httpbin.mtls-service?x=1", "http://httpbin.w0-mtls-service?x=1"),
    ],
)
def test_urls_change_in_their_host_only(url: str, expected: str) -> None:
    assert OVERLAY.url(url) == expected


def test_namespaces() -> None:
    assert OVERLAY.namespace("mtls-client") == "w0-mtls-client"
    assert OVERLAY.namespace("istio-system") == "istio-system"
    assert OVERLAY.namespace("kube-system") == "kube-system"


def test_without_a_prefix_names_stay() -> None:
    bare = replace(OVERLAY, prefix="")
    assert bare.host("httpbin.mtls-service") == "httpbin.mtls-service"
    assert spec("{namespaces: [team-x], hosts: [team-x/*]}", bare) == {"namespaces": ["team-x"], "hosts": ["team-x/*"]}


def test_metadata() -> None:
    obj = one(
        "apiVersion: v1\nkind: Service\nmetadata: {name: httpbin, namespace: mtls-service, labels: {app: httpbin}}\n"
    )
    assert obj["metadata"] == {
        "name": "httpbin",
        "namespace": "w0-mtls-service",
        "labels": {"app": "httpbin", **LABELS},
    }


def test_every_object_is_labelled_also_without_labels_of_its_own() -> None:
    for labels in ("", "labels:", "labels: {}"):
        obj = one(f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: team-x\n  {labels}\n")
        assert obj["metadata"] == {"name": "w0-team-x", "labels": LABELS}


def test_mesh_wide_objects_keep_their_namespace() -> None:
    obj = one("apiVersion: v1\nkind: X\nmetadata: {name: mesh-wide, namespace: istio-system}\n")
    assert obj["metadata"]["namespace"] == "istio-system"
    assert obj["metadata"]["labels"] == LABELS


def test_a_namespace_that_no_manifest_defines_is_refused() -> None:
    with pytest.raises(
        ManifestError, match=r"lab/x.yaml:2: X y is in namespace 'mtls-servise'.*did you mean 'mtls-service'"
    ):
        one("---\napiVersion: v1\nkind: X\nmetadata: {name: y, namespace: mtls-servise}\n")
    with pytest.raises(ManifestError, match="no manifest defines"):
        one("apiVersion: v1\nkind: X\nmetadata: {name: y, namespace: default}\n")


INJECTED = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team-x, labels: {istio-injection: enabled, team: x}}\n"


def test_the_injection_label_follows_the_revision() -> None:
    assert one(INJECTED)["metadata"]["labels"] == {"istio-injection": "enabled", "team": "x", **LABELS}
    revised = one(INJECTED, replace(OVERLAY, revision="asm-1157-23"))
    assert revised["metadata"]["labels"] == {"istio.io/rev": "asm-1157-23", "team": "x", **LABELS}


def test_a_namespace_outside_the_mesh_stays_outside() -> None:
    revised = replace(OVERLAY, revision="asm-1157-23")
    for labels in ("{}", "{istio-injection: disabled}"):
        obj = one(f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: team-x, labels: {labels}}}\n", revised)
        assert "istio.io/rev" not in obj["metadata"]["labels"]


def test_images_by_logical_name() -> None:
    pod = "{containers: [{image: meshproof/sleep}, {image: auto}], initContainers: [{image: meshproof/httpbin}]}"
    assert spec(pod) == {
        "containers": [{"image": "localhost/sleep:1"}, {"image": "auto"}],
        "initContainers": [{"image": "localhost/httpbin:2"}],
    }
    with pytest.raises(ManifestError, match=r"lab/x.yaml:1: no image for meshproof/curl; known images: httpbin, sleep"):
        spec("{containers: [{image: meshproof/curl}]}")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{namespaces: [team-x, other]}", {"namespaces": ["w0-team-x", "other"]}),
        ("{notNamespaces: [team-*, '*-x', '*', zzz*]}", {"notNamespaces": ["w0-team-*", "*-x", "*", "zzz*"]}),
        ("{principals: [cluster.local/ns/team-x/sa/test]}", {"principals": ["cluster.local/ns/w0-team-x/sa/test"]}),
        (
            "{principals: ['*/ns/team-x/*', '*', 'x/ns/other/sa/a']}",
            {"principals": ["*/ns/w0-team-x/*", "*", "x/ns/other/sa/a"]},
        ),
        ("{subjectAltNames: ['spiffe://td/ns/team-x/sa/a']}", {"subjectAltNames": ["spiffe://td/ns/w0-team-x/sa/a"]}),
        ("{serviceAccounts: [team-x/test, test]}", {"serviceAccounts": ["w0-team-x/test", "test"]}),
        (
            "{hosts: [istio-egress/*, ./*, team-x/*, '~/*']}",
            {"hosts": ["w0-istio-egress/*", "./*", "w0-team-x/*", "~/*"]},
        ),
        ("{hosts: [team-x/httpbin.team-y.svc]}", {"hosts": ["w0-team-x/httpbin.w0-team-y.svc"]}),
        ("{hosts: ['*/httpbin.team-y.svc', '*']}", {"hosts": ["*/httpbin.w0-team-y.svc", "*"]}),
        (
            "{hosts: [example.com, httpbin.mtls-service:8000]}",
            {"hosts": ["example.com", "httpbin.w0-mtls-service:8000"]},
        ),
        ("{gateways: [istio-egress/egress-gateway, mesh]}", {"gateways": ["w0-istio-egress/egress-gateway", "mesh"]}),
        ("{exportTo: [istio-egress, ., '*']}", {"exportTo": ["w0-istio-egress", ".", "*"]}),
        (
            "{route: [{destination: {host: istio-egressgateway.istio-egress.svc.cluster.local, port: {number: 80}}}]}",
            {
                "route": [
                    {
                        "destination": {
                            "host": "istio-egressgateway.w0-istio-egress.svc.cluster.local",
                            "port": {"number": 80},
                        }
                    }
                ]
            },
        ),
        (
            "{when: [{key: source.namespace, values: [team-x]}]}",
            {"when": [{"key": "source.namespace", "values": ["w0-team-x"]}]},
        ),
        (
            "{when: [{key: source.namespace, notValues: [team-x]}]}",
            {"when": [{"key": "source.namespace", "notValues": ["w0-team-x"]}]},
        ),
        (
            "{when: [{key: destination.port, values: ['8080']}, {key: x, values: [team-x]}]}",
            {"when": [{"key": "destination.port", "values": ["8080"]}, {"key": "x", "values": ["team-x"]}]},
        ),
        (
            "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: team-x, team: team-x}}}",
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "w0-team-x", "team": "team-x"}}},
        ),
        (
            "{matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [team-x, kube-system]}]}",
            {
                "matchExpressions": [
                    {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["w0-team-x", "kube-system"]}
                ]
            },
        ),
        (
            "{subjects: [{kind: ServiceAccount, namespace: team-x}]}",
            {"subjects": [{"kind": "ServiceAccount", "namespace": "w0-team-x"}]},
        ),
        ("{jwksUri: 'http://jwks.api.svc:80/keys'}", {"jwksUri": "http://jwks.w0-api.svc:80/keys"}),
        (
            "{args: ['-c', 'curl http://httpbin.mtls-service:8000/ip; sleep 1']}",
            {"args": ["-c", "curl http://httpbin.w0-mtls-service:8000/ip; sleep 1"]},
        ),
        (
            "{cluster: 'outbound|80||a.team-x.svc.cluster.local'}",
            {"cluster": "outbound|80||a.w0-team-x.svc.cluster.local"},
        ),
        (
            "{paths: [/api/*, /ip], app: team-x, methods: [GET]}",
            {"paths": ["/api/*", "/ip"], "app": "team-x", "methods": ["GET"]},
        ),
        (
            "{requestPrincipals: [testing@secure.istio.io/testing@secure.istio.io]}",
            {"requestPrincipals": ["testing@secure.istio.io/testing@secure.istio.io"]},
        ),
        ("{n: 3, b: true, z: null, e: {}, l: []}", {"n": 3, "b": True, "z": None, "e": {}, "l": []}),
    ],
)
def test_references_in_a_spec(before: str, after: Any) -> None:
    assert spec(before) == after


def test_documents_and_lists_keep_their_order() -> None:
    text = """\
---
# only a comment
---
apiVersion: v1
kind: Namespace
metadata: {name: team-x}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: A, metadata: {name: a}}
- {apiVersion: v1, kind: B, metadata: {name: b}}
"""
    assert [obj["kind"] for obj in OVERLAY.objects(text, "x.yaml")] == ["Namespace", "A", "B"]
    assert OVERLAY.objects("", "x.yaml") == []


ELSEWHERE = replace(OVERLAY, domain="corp.internal")


def test_full_names_have_the_domain_of_the_cluster() -> None:
    """A route to a host in a domain that is not the cluster's leads nowhere (503)."""
    written = """
    host: "httpbin.mtls-service.svc.cluster.local"
    hosts: ["team-x/*.team-x.svc.cluster.local", "mtls-service/*"]
    env: [{name: LOCALDOMAIN, value: svc.cluster.local}, {name: ADDR, value: "web.api.svc.cluster.local:9555"}]
    config: |
      {address: web.api.svc.cluster.local, of: "istiod.istio-system.svc.cluster.local:15012"}
    principals: [cluster.local/ns/mtls-client/sa/sleep]
    namespaces: [team-x]
    """
    assert spec(written, ELSEWHERE) == {
        "host": "httpbin.w0-mtls-service.svc.corp.internal",
        "hosts": ["w0-team-x/*.w0-team-x.svc.corp.internal", "w0-mtls-service/*"],
        "env": [
            {"name": "LOCALDOMAIN", "value": "svc.corp.internal"},
            {"name": "ADDR", "value": "web.w0-api.svc.corp.internal:9555"},
        ],
        "config": '{address: web.w0-api.svc.corp.internal, of: "istiod.istio-system.svc.corp.internal:15012"}\n',
        "principals": ["cluster.local/ns/w0-mtls-client/sa/sleep"],
        "namespaces": ["w0-team-x"],
    }
    assert replace(ELSEWHERE, namespaces=frozenset()).host("a.b.svc.cluster.local") == "a.b.svc.corp.internal"


def test_urls_have_the_domain_of_the_cluster_in_their_host_only() -> None:
    written = "http://httpbin.mtls-service.svc.cluster.local:8000/?of=a.b.svc.cluster.local"
    there = "http://httpbin.w0-mtls-service.svc.corp.internal:8000/?of=a.b.svc.cluster.local"
    assert ELSEWHERE.url(written) == there
    assert ELSEWHERE.url(there) == there


def test_what_the_mesh_says_is_read_in_the_domain_of_the_manifests() -> None:
    said = "outbound_.80_._.gw.w0-istio-egress.svc.corp.internal cluster.local/ns/w0-team-x/sa/a"
    assert ELSEWHERE.plain(said) == "outbound_.80_._.gw.istio-egress.svc.cluster.local cluster.local/ns/team-x/sa/a"


def test_a_marker_has_the_domain_of_the_cluster() -> None:
    """Its host is that of a Service: a scope that lets in its own namespace would refuse any other."""
    items, authority = marker_objects.answer(ELSEWHERE, "w0-team-x", "word")
    assert authority.startswith("word.w0-team-x.svc.corp.internal:")
    assert [item.body["spec"]["hosts"] for item in items] == [["word.w0-team-x.svc.corp.internal"]] * 2
    assert ELSEWHERE.url(f"http://{authority}/") == f"http://{authority}/"


def test_template_values() -> None:
    text = "apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec:\n  jwks: '{{ jwks }}'\n  issuer: '{{ issuer }}'\n"
    assert one(text)["spec"] == {"jwks": '{"keys":[]}', "issuer": "testing@secure.istio.io"}
    with pytest.raises(ManifestError, match=r"lab/x.yaml:5: template value: 'jwks' is undefined; known values: none"):
        one(text, replace(OVERLAY, values={}))


def test_other_signs_of_templates_stay() -> None:
    text = "apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec: {format: '{%REQ(:PATH)%} {# %}'}\n"
    assert one(text)["spec"] == {"format": "{%REQ(:PATH)%} {# %}"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("apiVersion: v1\nkind: X\nkind: Y\nmetadata: {name: x}\n", r"x.yaml:3: key 'kind' twice"),
        ("apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec:\n  a: {b: 1, b: 2}\n", r"x.yaml:5: key 'b' twice"),
        ("apiVersion: v1\nkind: X\nmetadata: {name: x}\n bad\n", r"x.yaml:\d: "),
        ("a: [1\n", r"x.yaml:2: "),
        ("a: \x01\n", r"x.yaml:1: (special|control) characters"),
        ("- 1\n", r"x.yaml:1: not a Kubernetes object"),
        ("\n---\nkind: X\nmetadata: {name: x}\n", r"x.yaml:3: object without apiVersion"),
        ("apiVersion: v1\nmetadata: {name: x}\n", r"x.yaml:1: object without kind"),
        ("apiVersion: v1\nkind: X\n", r"x.yaml:1: object without metadata.name"),
        ("apiVersion: v1\nkind: X\nmetadata: {name: 3}\n", r"x.yaml:1: object without metadata.name"),
        ("apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec: '{{ jwks'\n", r"x.yaml:\d: template: "),
        ("a: !!python/object:os.system {}\n", r"x.yaml:1: could not determine a constructor"),
    ],
)
def test_a_broken_manifest_is_named_with_its_line(text: str, error: str) -> None:
    with pytest.raises(ManifestError, match=f"^lab/{error}"):
        OVERLAY.objects(text, "lab/x.yaml")


def test_dates_stay_text_and_anchors_are_no_shared_objects() -> None:
    text = (
        "apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec: {at: 2026-11-22, a: &a {n: 1}, b: {<<: *a, m: 2}, c: *a}\n"
    )
    made = one(text)["spec"]
    assert made == {"at": "2026-11-22", "a": {"n": 1}, "b": {"n": 1, "m": 2}, "c": {"n": 1}}
    assert made["a"] is not made["c"]


def test_names_of_the_manifests_namespaces() -> None:
    named = "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {}}}\n---\n"
    first = named.format("a") + "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n"
    second = named.format("b") + "{apiVersion: v1, kind: X, metadata: {name: x}, spec: '{{ jwks }}'}"
    assert namespaces_in([("1.yaml", first), ("2.yaml", second)]) == {"a", "b"}
    with pytest.raises(ManifestError, match=r"^3.yaml:1"):
        namespaces_in([("3.yaml", "kind: Namespace")])


@pytest.mark.parametrize(
    "wrong",
    [
        {"run": ""},
        {"run": "a b"},
        {"run": "x" * 64},
        {"worker": "-a"},
        {"revision": "a/b"},
        {"prefix": "-a"},
        {"prefix": "W0-"},
        {"prefix": "w_"},
        {"prefix": "x" * 50},
    ],
)
def test_what_cannot_be_a_name_or_label_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        replace(OVERLAY, **wrong)  # type: ignore[arg-type]


def test_the_longest_prefixed_name_is_allowed() -> None:
    longest = max(map(len, KNOWN))
    overlay = replace(OVERLAY, prefix="x" * (63 - longest))
    assert max(len(overlay.namespace(name)) for name in KNOWN) == 63


def test_a_namespace_of_the_users_stands_in_for_one_of_the_manifests() -> None:
    overlay = replace(OVERLAY, given={"team-x": "their-gateway"})
    assert overlay.namespace("team-x") == "their-gateway"
    assert overlay.host("gateway.team-x.svc.cluster.local:80") == "gateway.their-gateway.svc.cluster.local:80"
    route = one(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: r, namespace: team-x}\n"
        "spec: {gateways: [team-x/g], exportTo: [team-x], hosts: [g.team-x.svc.cluster.local]}\n",
        overlay,
    )
    assert route["metadata"]["namespace"] == "their-gateway"
    assert route["spec"] == {
        "gateways": ["their-gateway/g"],
        "exportTo": ["their-gateway"],
        "hosts": ["g.their-gateway.svc.cluster.local"],
    }


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: team-x}\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: g, namespace: team-x}\n",
        "apiVersion: v1\nkind: Service\nmetadata: {name: g, namespace: team-x}\n",
    ],
)
def test_workloads_of_the_users_are_not_made(text: str) -> None:
    assert OVERLAY.objects(text, "x.yaml")
    assert replace(OVERLAY, given={"team-x": "their-gateway"}).objects(text, "x.yaml") == []


def test_names_of_the_run_read_as_the_documents_have_them() -> None:
    real = OVERLAY.host("outbound|80||istio.team-x.svc.cluster.local")
    assert real == "outbound|80||istio.w0-team-x.svc.cluster.local"
    assert OVERLAY.plain(real) == "outbound|80||istio.team-x.svc.cluster.local"
    assert OVERLAY.plain("example.com") == "example.com"


def test_only_whole_names_read_as_the_documents_have_them() -> None:
    """A user's own namespace may be called by a word that other names hold: logs were read as of another gateway."""
    theirs = replace(OVERLAY, given={"team-x": "gateway"})
    said = "outbound|80||egressgateway.gateway.svc.cluster.local gateway/gateway-1 spiffe://x/ns/gateway/sa/my-gateway"
    read = "outbound|80||egressgateway.team-x.svc.cluster.local team-x/gateway-1 spiffe://x/ns/team-x/sa/my-gateway"
    assert theirs.plain(said) == read
