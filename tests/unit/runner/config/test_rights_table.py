"""The table of rights: what is generated from it, that the manifests need no more, and how `doctor` reports it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from clients.kube.labels import MANAGED_BY_LABEL, MANAGER
from clients.mesh.upgrade.view import KINDS
from clients.model.errors import ClusterError
from runner.commands import doctor_rights
from runner.config import rbac
from runner.config.right import Condition, Right
from runner.config.rights import MAKES, RBAC, RIGHTS, made, unknown, wanted
from runner.config.settings import ROOT
from runner.target import held_target
from runner.target.granted import granted
from tests.rights.covers import covers
from tests.rights.requests import Asked, asked

pytestmark = pytest.mark.unit

LEASE = "right to get, list, create, update, delete leases (coordination.k8s.io) in default"
BOTH = pytest.mark.parametrize("mesh_wide", [False, True], ids=["namespaced", "mesh-wide"])


def shipped(*, mesh_wide: bool) -> list[dict[str, Any]]:
    text = (ROOT / rbac.file_for(mesh_wide=mesh_wide)).read_text(encoding="utf-8")
    return list(yaml.safe_load_all(text))


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object that a suite applies, with its file; templates are no values here."""
    for file in sorted((ROOT / "manifests").rglob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        for body in yaml.safe_load_all(text):
            if body:
                yield str(file.relative_to(ROOT)), body


def plural(kind: str) -> str:
    return f"{kind.lower()[:-1]}ies" if kind.endswith(("cy", "ry")) else f"{kind.lower()}s"


def allowed(rights: tuple[Right, ...], *what: str) -> bool:
    return any(covers(right, *what) for right in rights)


def test_the_prechecks_of_an_upgrade_may_list_what_they_look_at() -> None:
    """A kind that the shipped roles do not let them list made every upgrade `not known` where the cluster has it."""
    looked_at = [(version.rpartition("/")[0], plural(kind)) for version, kind in KINDS.values()]
    assert [kind for group, kind in looked_at if not allowed(RIGHTS, "list", group, kind, "")] == []


# -- what is generated from it


@BOTH
def test_the_shipped_files_are_those_of_the_table(mesh_wide: bool) -> None:
    text = (ROOT / rbac.file_for(mesh_wide=mesh_wide)).read_text(encoding="utf-8")
    assert text == rbac.manifest(mesh_wide=mesh_wide), "write them by python -m runner.config.rbac"
    assert max(map(len, text.splitlines())) <= 120


def test_readme_has_the_table() -> None:
    text = (ROOT / rbac.README).read_text(encoding="utf-8")
    assert rbac.in_readme(text) == text, "write it by python -m runner.config.rbac"


@pytest.mark.parametrize(
    "text",
    ["# another text", rbac.BEGIN, rbac.END, f"{rbac.END}\n{rbac.BEGIN}", f"{rbac.BEGIN}\n{rbac.END}\n{rbac.END}"],
    ids=["none", "no end", "no beginning", "wrong order", "two ends"],
)
def test_a_readme_without_its_markers_is_noticed(text: str) -> None:
    with pytest.raises(ValueError, match="not found"):
        rbac.in_readme(text)


@pytest.mark.parametrize("between", ["", "\n", "\n| an old table |\n\nand words\n"])
def test_only_the_text_between_the_markers_changes(between: str) -> None:
    before, after = "# Title \n\n  indented\n\n", "\n\n## Next  \n\ttext without an end of line"
    text = rbac.in_readme(f"{before}{rbac.BEGIN}{between}{rbac.END}{after}")
    assert text == f"{before}{rbac.readme_list()}{after}"
    assert rbac.in_readme(text) == text


@BOTH
def test_the_roles_grant_the_table_and_nothing_else(mesh_wide: bool) -> None:
    granted_by_role = {
        (body["metadata"].get("namespace", ""), group, resource, verb)
        for body in shipped(mesh_wide=mesh_wide)
        for rule in body.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    of_table = {
        (right.namespace, right.group, resource, verb)
        for right in wanted(mesh_wide=mesh_wide)
        for resource in right.resources
        for verb in right.verbs
    }
    assert granted_by_role == of_table
    assert not [one for one in granted_by_role if "*" in one]


@BOTH
def test_every_role_is_bound_to_the_account_that_the_policy_confines(mesh_wide: bool) -> None:
    objects = shipped(mesh_wide=mesh_wide)
    of_kind = {kind: [b for b in objects if b["kind"] == kind] for kind in {body["kind"] for body in objects}}
    for kind in ("Role", "ClusterRole"):
        roles = {(b["metadata"].get("namespace"), b["metadata"]["name"]) for b in of_kind[kind]}
        bound = {(b["metadata"].get("namespace"), b["roleRef"]["name"]) for b in of_kind[f"{kind}Binding"]}
        assert roles == bound
        for binding in of_kind[f"{kind}Binding"]:
            assert binding["subjects"] == [{"kind": "ServiceAccount", "name": rbac.NAME, "namespace": rbac.NAME}]
    [policy] = of_kind["ValidatingAdmissionPolicy"]
    [condition] = policy["spec"]["matchConditions"]
    assert f'"system:serviceaccount:{rbac.NAME}:{rbac.NAME}"' in condition["expression"]
    assert ("istio-system" in policy["spec"]["validations"][0]["expression"]) == mesh_wide


@BOTH
def test_a_clean_up_spares_what_is_shipped(mesh_wide: bool) -> None:
    for body in shipped(mesh_wide=mesh_wide):
        assert body["metadata"].get("labels", {}).get(MANAGED_BY_LABEL) != MANAGER


def test_an_optional_right_names_what_is_lost_without_it() -> None:
    for right in RIGHTS:
        assert bool(right.without) == (right.condition is Condition.OPTIONAL), right.kinds
    assert {right.condition for right in RIGHTS} == set(Condition)


def test_a_right_on_some_objects_names_them() -> None:
    """To use any security context constraints would be to run pods as root on any node."""
    [one] = [right for right in RIGHTS if "use" in right.verbs]
    assert one.names == ("nonroot-v2",)
    rules = [rule for body in shipped(mesh_wide=False) for rule in body.get("rules", ()) if "use" in rule["verbs"]]
    assert [rule["resourceNames"] for rule in rules] == [["nonroot-v2"]]
    assert "securitycontextconstraints` (security.openshift.io) `nonroot-v2`" in " ".join(rbac.readme_list().split())


# -- what the manifests need


def test_every_kind_that_is_applied_may_be_made_found_and_removed() -> None:
    kinds = {(body["apiVersion"].rpartition("/")[0], body["kind"]): file for file, body in manifests()}
    assert len(kinds) > 15
    missing = {
        f"{verb} {plural(kind)}.{group} for {file}"
        for (group, kind), file in kinds.items()
        for verb in MAKES
        if not allowed(wanted(mesh_wide=False), verb, group, plural(kind), "any")
    }
    assert missing == set()
    assert {(group, plural(kind)) for group, kind in kinds} <= made().keys()


def test_what_a_role_of_the_suites_grants_the_identity_holds() -> None:
    """Kubernetes refuses a Role that grants more than its creator has."""
    roles = [(file, body) for file, body in manifests() if body["kind"] in {"Role", "ClusterRole"}]
    assert roles
    for file, body in roles:
        for rule in body["rules"]:
            for verb in rule["verbs"]:
                for group, resource in ((g, r) for g in rule["apiGroups"] for r in rule["resources"]):
                    assert allowed(wanted(mesh_wide=False), verb, group, resource, "any"), f"{file}: {verb} {resource}"


def test_the_lease_can_be_taken_over_and_renewed() -> None:
    for verb in ("get", "create", "update", "delete"):
        assert allowed(RIGHTS, verb, "coordination.k8s.io", "leases", "default")
        assert not allowed(RIGHTS, verb, "coordination.k8s.io", "leases", "kube-node-lease")


# -- what the search for leftovers asks for


@dataclass
class Searched:
    """A cluster whose kinds are those of the table and some that no run makes; remembers every list."""

    lists: list[tuple[str, str, str, str]] = field(default_factory=list)

    @property
    def api(self) -> Any:
        return SimpleNamespace(json=self._json)

    def resources(self) -> set[tuple[str, str]]:
        in_table = {(right.group, name) for right in RIGHTS for name in right.resources if "/" not in name}
        return {*in_table, ("", "endpoints"), ("apps", "replicasets"), ("batch", "jobs"), (RBAC, "clusterroles")}

    def _json(self, _: str, path: str) -> dict[str, Any]:
        groups = {group for group, _ in self.resources()}
        if path == "/apis":
            return {"groups": [{"preferredVersion": {"groupVersion": f"{group}/v1"}} for group in groups if group]}
        group = path.split("/")[2] if path.startswith("/apis/") else ""
        names = sorted(name for its_group, name in self.resources() if its_group == group)
        return {"resources": [{"kind": name, "name": name, "verbs": ["list", "delete"]} for name in names]}

    def objects(self, api_version: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        assert MANAGED_BY_LABEL in labels
        self.lists.append(("list", api_version.rpartition("/")[0], kind, namespace))
        return []


def test_an_identity_with_the_shipped_role_may_search_for_what_is_left() -> None:
    cluster: Any = Searched()
    assert held_target.left_by(cluster, "run-1") == []
    assert ("list", "", "secrets", "") in cluster.lists
    assert [one for one in cluster.lists if not allowed(wanted(mesh_wide=False), *one)] == []


# -- how doctor reports it


@dataclass
class Reviewing:
    """A cluster that answers access reviews. `denied` holds (verb, resource)."""

    denied: set[tuple[str, str]] = field(default_factory=set)
    knows_gateways: bool = True
    confined: bool = False
    reviews: list[tuple[str, str, str, str]] = field(default_factory=list)

    def can_i(self, verb: str, resource: str, namespace: str = "", *, group: str = "", subresource: str = "", **_: str):
        name = f"{resource}/{subresource}" if subresource else resource
        self.reviews.append((verb, group, name, namespace))
        return (verb, name) not in self.denied

    def has_kind(self, _: str, kind: str) -> bool:
        assert kind in ("HTTPRoute", "SecurityContextConstraints")
        return self.knows_gateways

    def apply(self, body: dict[str, Any], *, manager: str, dry_run: bool = False) -> None:
        assert dry_run, "doctor changes nothing"
        if self.confined:
            raise ClusterError("ValidatingAdmissionPolicy 'meshproof' denied request")


def diagnosed(cluster: Reviewing, *, mesh_wide: bool = False) -> dict[str, tuple[bool, bool, str, str]]:
    found, _ = doctor_rights.diagnoses(cluster, mesh_wide=mesh_wide)  # type: ignore[arg-type]
    return {one.name: (one.ok, one.optional, one.detail, one.hint) for one in found}


@BOTH
def test_doctor_asks_for_every_verb_of_the_table_where_it_is_needed(mesh_wide: bool) -> None:
    cluster = Reviewing()
    assert all(ok for ok, *_ in diagnosed(cluster, mesh_wide=mesh_wide).values())
    assert set(cluster.reviews) == {
        (verb, right.group, resource, right.namespace)
        for right in wanted(mesh_wide=mesh_wide)
        for resource in right.resources
        for verb in right.verbs
    }


def test_what_is_missing_is_named_with_the_file_that_grants_it() -> None:
    cluster = Reviewing(denied={("update", "leases"), ("patch", "deployments"), ("delete", "secrets")})
    found = diagnosed(cluster)
    wrong = {name: rest for name, (ok, *rest) in found.items() if not ok}
    assert wrong.keys() == {
        LEASE,
        "right to get, list, create, patch, delete deployments (apps)",
        "right to get, list, create, patch, delete, watch secrets",
    }
    for optional, detail, hint in wrong.values():
        assert not optional
        assert detail.startswith("may not ")
        assert "needed for: " in detail
        assert hint == "kubectl apply -f deploy/rbac/namespaced.yaml"
    assert "may not update leases" in wrong[LEASE][1]


def test_what_is_optional_names_its_cost() -> None:
    ok, optional, detail, _ = diagnosed(Reviewing(denied={("list", "events")}))["right to list events"]
    assert (ok, optional) == (False, True)
    assert detail == "may not list events (without it, a failure's diagnostics have no events)"


def test_the_gateway_api_is_asked_for_where_the_cluster_has_it() -> None:
    assert not [name for name in diagnosed(Reviewing(knows_gateways=False)) if "gateway.networking.k8s.io" in name]
    assert [name for name in diagnosed(Reviewing()) if "gateway.networking.k8s.io" in name]


def test_the_role_for_namespaces_is_not_enough_for_the_whole_mesh() -> None:
    """Its roles would be enough; the admission policy that comes with them refuses."""
    name = "right to get, list, create, patch, delete peerauthentications (security.istio.io) in istio-system"
    assert name not in diagnosed(Reviewing(confined=True))
    ok, optional, detail, hint = diagnosed(Reviewing(confined=True), mesh_wide=True)[name]
    assert (ok, optional) == (False, False)
    assert "denied request" in detail
    assert hint == "kubectl apply -f deploy/rbac/mesh-wide.yaml"


def test_what_cannot_be_detected_is_not_called_lacking() -> None:
    cluster = Reviewing(denied={("list", "daemonsets"), ("list", "nodes")})
    missing = tuple(one.right for one in granted(cluster, wanted(mesh_wide=False)) if not one.whole)  # type: ignore[arg-type]
    details = {one.name: one.detail for one in doctor_rights.not_known({"load-balancer"}, missing)}
    assert details == {
        "capability network-policy": "not known: may not list daemonsets (apps) in kube-system",
        "capability node-pool": "not known: may not get and list nodes",
    }
    assert unknown("gateway-api", without=missing) == ""


# -- what a request is for


@pytest.mark.parametrize(
    ("method", "url", "what"),
    [
        ("GET", "https://x/api/v1/namespaces", Asked("list", "", "namespaces", "")),
        ("PATCH", "https://x/api/v1/namespaces/a?fieldManager=m", Asked("patch", "", "namespaces", "")),
        ("GET", "/api/v1/namespaces/a/pods?labelSelector=app%3Dx", Asked("list", "", "pods", "a")),
        ("GET", "/api/v1/namespaces/a/pods/p/log", Asked("get", "", "pods/log", "a")),
        ("GET", "/api/v1/namespaces/a/pods/p/exec", Asked("get", "", "pods/exec", "a")),
        ("DELETE", "/api/v1/namespaces/a/pods", Asked("deletecollection", "", "pods", "a")),
        ("GET", "/apis/apps/v1/deployments", Asked("list", "apps", "deployments", "")),
        (
            "PUT",
            "/apis/coordination.k8s.io/v1/namespaces/default/leases/meshproof",
            Asked("update", "coordination.k8s.io", "leases", "default"),
        ),
        ("POST", "/apis/apps/v1/namespaces/a/deployments", Asked("create", "apps", "deployments", "a")),
        ("GET", "/version", None),
        ("GET", "/apis/apps/v1", None),
        ("GET", "/api", None),
    ],
)
def test_a_request_is_taken_apart_as_the_authorizer_does(method: str, url: str, what: Asked | None) -> None:
    assert asked(method, url) == what
