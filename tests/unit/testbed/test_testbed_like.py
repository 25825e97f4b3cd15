"""What of another cluster's mesh the embedded cluster starts with, and what it names as not carried over."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from clients.model.errors import ClusterError, SettingsError
from testbed import api, reached
from testbed.form import Form
from testbed.lifecycle import RunningTestbed, Testbed
from testbed.like import SCHEMA, Carried, carried, load, merged
from testbed.like_amendment import LikeAmendment, changed_objects
from testbed.like_form import misfit
from testbed.versions import istio_release

pytestmark = pytest.mark.unit


def policy(kind: str, name: str, spec: dict[str, Any] | None = None, namespace: str = "istio-root") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec or {}}


FILE: dict[str, Any] = {
    "schema": SCHEMA,
    "revision": {"name": "1-29", "tags": ["prod"], "others": ["1-28"]},
    "meshConfig": {
        "trustDomain": "corp.test",
        "rootNamespace": "istio-system",
        "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
        "defaultConfig": {"discoveryAddress": "istiod-1-29:15012", "image": {"imageType": "debug"}, "concurrency": 4},
        "extensionProviders": [{"name": "opa", "envoyExtAuthzGrpc": {}}, {"name": "meshproof-ext-authz"}],
    },
    "istiod": {
        "PILOT_ENABLE_IP_AUTOALLOCATE": "false",
        "PILOT_ENABLE_ALPN_FILTER": "true",
        "PILOT_ENABLE_METADATA_EXCHANGE": "false",
        "CLUSTER_ID": "prod-eu",
        "CITADEL_SELF_SIGNED_CA_CERT_TTL": "8760h",
    },
    "policies": [
        policy("PeerAuthentication", "default", {"mtls": {"mode": "STRICT"}}),
        policy("EnvoyFilter", "stats"),
        policy("RequestAuthentication", "corp", {"jwtRules": [{"issuer": "x"}]}),
        policy("RequestAuthentication", "gateway", {"selector": {"matchLabels": {"istio": "x"}}}),
    ],
    "notRead": ["istiod MY_TOKEN: its value is not in the Deployment, or is secret"],
}


def test_what_is_carried_over() -> None:
    found = carried(FILE)
    assert set(found.mesh) == {"outboundTrafficPolicy", "defaultConfig", "extensionProviders"}
    assert found.mesh["defaultConfig"] == {"concurrency": 4}
    assert found.variables == {"PILOT_ENABLE_IP_AUTOALLOCATE": "false"}
    assert found.tags == ("1-29", "prod")
    named = [(body["kind"], body["metadata"]["namespace"], body["metadata"]["name"]) for body in found.policies]
    assert named == [
        ("PeerAuthentication", "istio-system", "default"),
        ("RequestAuthentication", "istio-system", "gateway"),
    ]
    assert found.summary == "3 settings of MeshConfig, 1 variable of istiod, 2 tags, 2 policies"


def test_what_is_not_carried_over_is_named_with_the_reason() -> None:
    subjects = [line.partition(":")[0] for line in carried(FILE).left]
    assert subjects == [
        "istiod MY_TOKEN",
        "MeshConfig trustDomain",
        "MeshConfig defaultConfig.image",
        "MeshConfig extensionProviders[opa]",
        "istiod PILOT_ENABLE_ALPN_FILTER",
        "istiod CLUSTER_ID",
        "istiod CITADEL_SELF_SIGNED_CA_CERT_TTL",
        "revision 1-28",
        "EnvoyFilter stats",
        "RequestAuthentication corp",
    ]


def test_a_mesh_like_the_embedded_one_leaves_nothing() -> None:
    same = {"meshConfig": {"trustDomain": "cluster.local", "rootNamespace": "istio-system"},
            "istiod": {"PILOT_JWT_PUB_KEY_REFRESH_INTERVAL": "1s"}, "revision": {"name": "default"}}  # fmt: skip
    assert carried(same) == Carried()


def test_settings_are_merged_and_providers_by_name() -> None:
    own = {"a": {"b": 1, "c": 2}, "extensionProviders": [{"name": "x", "port": 1}, {"name": "y"}], "z": [1]}
    more = {"a": {"c": 3}, "extensionProviders": [{"name": "x", "port": 2}], "z": [2], "n": True}
    assert merged(own, more) == {
        "a": {"b": 1, "c": 3}, "extensionProviders": [{"name": "y"}, {"name": "x", "port": 2}], "z": [2], "n": True,
    }  # fmt: skip


def installed() -> list[dict[str, Any]]:
    env = [{"name": "PILOT_X", "value": "1"}, {"name": "PILOT_ENABLE_IP_AUTOALLOCATE", "value": "true"}]
    return [
        {"kind": "ConfigMap", "metadata": {"name": "istio"},
         "data": {"mesh": "trustDomain: cluster.local\n", "n": "x"}},
        {"kind": "ConfigMap", "metadata": {"name": "other"}},
        {"kind": "Deployment", "metadata": {"name": "istiod"},
         "spec": {"template": {"spec": {"containers": [{"name": "discovery", "env": env}]}}}},
    ]  # fmt: skip


def test_the_installed_mesh_gets_configuration_and_variables() -> None:
    mesh, istiod = changed_objects(installed(), carried(FILE))
    config = yaml.safe_load(mesh["data"]["mesh"])
    assert (config["trustDomain"], config["outboundTrafficPolicy"]) == ("cluster.local", {"mode": "REGISTRY_ONLY"})
    assert mesh["data"]["n"] == "x"
    container = istiod["spec"]["template"]["spec"]["containers"][0]
    assert {one["name"]: one["value"] for one in container["env"]} == {
        "PILOT_X": "1",
        "PILOT_ENABLE_IP_AUTOALLOCATE": "false",
    }
    assert len(list(changed_objects(installed(), Carried()))) == 1
    with pytest.raises(ClusterError):
        list(changed_objects(installed()[:1], carried(FILE)))


class SurveyedApi:
    """Takes what is applied; refuses one name."""

    kubeconfig = Path("kubeconfig")

    def __init__(self) -> None:
        self.applied: list[str] = []

    def apply(self, text: str) -> None:
        if "name: bad" in text:
            raise ClusterError("no such field")
        self.applied.append(text)


def test_a_policy_that_the_version_refuses_is_named_and_the_others_are_in_force() -> None:
    policies = (policy("AuthorizationPolicy", "bad"), policy("AuthorizationPolicy", "good"))
    amendment = LikeAmendment(Carried(policies=policies))
    there = SurveyedApi()
    amendment.finish(SimpleNamespace(api=there, note=lambda _: None))  # type: ignore[arg-type]
    assert amendment.refused == ["AuthorizationPolicy bad: no such field"]
    assert [yaml.safe_load(text)["metadata"]["name"] for text in there.applied] == ["good"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot read"), ("{", "is not YAML"), ("a: 1", "has not the schema"), ("[]", "has not the schema"),
     (f"schema: {SCHEMA}\npolicies: 3", "policies is not of the expected form"),
     (f"schema: {SCHEMA}\nmeshConfig: [1]", "meshConfig is not of the expected form"),
     (f"schema: {SCHEMA}\npolicies: [1]", "policies is not of the expected form"),
     (f"schema: {SCHEMA}\npolicies: [{{kind: X}}]", "policies is not of the expected form"),
     (f"schema: {SCHEMA}\nmeshConfig: {{extensionProviders: x}}", "meshConfig.extensionProviders is not of the expec"),
     (f"schema: {SCHEMA}\nmeshConfig: {{defaultConfig: [x]}}", "meshConfig.defaultConfig is not of the expected form"),
     (f"schema: {SCHEMA}\nmeshConfig: {{1: x}}", "meshConfig is not of the expected form"),
     (f"schema: {SCHEMA}\nistiod: {{A: [1]}}", "istiod.A is not of the expected form"),
     (f"schema: {SCHEMA}\nrevision: {{tags: x}}", "revision.tags is not of the expected form"),
     (f"schema: {SCHEMA}\nnotRead: 3", "notRead is not of the expected form")],
)  # fmt: skip
def test_files_that_cannot_be_used(content: str | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "like.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=message):
        load(file)


ODD = (None, 0, 1.5, True, "x", "", b"x", datetime.date(2026, 1, 1), [], [1], [[]], [None], {}, {"a": 1}, {1: "x"},
       {"metadata": {"name": "x"}}, {None: None})  # fmt: skip


def shapes(value: Any) -> Iterator[Any]:
    """A value with each of its parts replaced by each odd one, and with odd keys."""
    yield from ODD
    if isinstance(value, dict):
        for key, item in value.items():
            yield from ({**value, key: one} for one in shapes(item))
        yield from ({**value, key: "x"} for key in (1, None, True, 2.5, b"x"))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from ([*value[:place], one, *value[place + 1 :]] for one in shapes(item))


def test_a_file_of_any_form_is_carried_over_or_its_part_is_named() -> None:
    """It is plain text, which people change by hand; so is the MeshConfig of the cluster that it was read from."""
    taken, refused = 0, set()
    more = {"outboundTrafficPolicy": {"mode": "X"}, "defaultProviders": {"tracing": ["x"]}, "localityLbSetting": {}}
    whole = {**FILE, "meshConfig": {**FILE["meshConfig"], **more}}
    own = {**more, "defaultConfig": {"image": {"a": 1}}, "extensionProviders": [{"name": "y"}]}
    for shape in shapes(whole):
        if not (isinstance(shape, dict) and shape.get("schema") == SCHEMA):
            continue
        if wrong := misfit(shape):
            refused.add(wrong)
            continue
        taken += 1
        found = carried(shape)
        read = merged(own, found.mesh)
        assert {key: type(read[key]) for key in more} == dict.fromkeys(more, dict)
        assert all(isinstance(one, dict) for one in read["extensionProviders"])
        there: Any = SimpleNamespace(api=SurveyedApi(), note=lambda _: None, parts=Tags())
        LikeAmendment(found).finish(there)
    assert taken > 100
    assert refused > {"meshConfig.extensionProviders", "meshConfig.defaultConfig", "istiod.CLUSTER_ID", "policies"}


class Tags:
    """In place of istioctl, which makes a tag's webhook."""

    release = SimpleNamespace(module="istio")

    def program(self, _: str) -> None:
        """None is needed."""

    def get(self, _: None) -> Path:
        raise ClusterError("no istioctl")


def test_a_testbed_that_is_up_with_another_mesh_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "like.yaml"
    file.write_text(yaml.safe_dump(FILE))
    found = load(file)
    release = istio_release(None)
    there = RunningTestbed(release.version, "1.34.4", "key", "tag", "kubeconfig", like=found.identity)
    monkeypatch.setattr(Testbed, "running", lambda _: there)
    monkeypatch.setattr(Testbed, "changed", lambda _: ())
    like = Testbed(tmp_path / "a", Form(amendment=LikeAmendment(found)))
    other = Testbed(tmp_path / "b", Form(amendment=LikeAmendment(Carried("another"))))
    assert like.up(release, lambda _: None) is there
    assert Testbed(tmp_path / "c").up(release, lambda _: None) is there
    with pytest.raises(ClusterError, match="not with the mesh of this file"):
        other.up(release, lambda _: None)
    monkeypatch.setattr(Testbed, "up", lambda *_, **__: there)
    monkeypatch.setattr(reached, "external", lambda _: None)
    assert api.up(like=file, in_use=lambda _: "").left == found.left
