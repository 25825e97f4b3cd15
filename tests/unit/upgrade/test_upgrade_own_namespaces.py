"""Namespaces of the user that move with an upgrade, and prompts; `test_upgrade.py` moves one on a real cluster."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from clients.kube import readiness
from clients.kube.api import RequestError
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER
from clients.mesh.survey.injection import Injector
from clients.model.errors import SettingsError
from runner.upgrade import asking, moving, own_namespaces
from runner.upgrade.plan import PhaseName
from runner.upgrade.record import OwnNamespace, PhaseRecord, UpgradeRecord, UpgradeSide

pytestmark = pytest.mark.unit
BEFORE, AFTER = UpgradeSide("stable", "1-29-1", "1.29.1"), UpgradeSide("next", "1-31-1", "1.31.1")
INJECTORS = (Injector("1-29-1"), Injector("1-29-1", "stable"), Injector("1-31-1"), Injector("1-29-1", "default"))


class _Mesh:
    """Namespaces with labels, and pods by namespace."""

    def __init__(self, pods: list[dict[str, Any]] | None = None, **namespaces: dict[str, str]) -> None:
        self.namespaces, self.pods = namespaces, pods or []
        self.patched: list[Any] = []
        self.refused = ""

    def get(self, _: str, kind: str, name: str) -> dict[str, Any] | None:
        assert kind == "Namespace"
        return {"metadata": {"name": name, "labels": self.namespaces[name]}} if name in self.namespaces else None

    def objects(self, _: str, kind: str, namespace: str) -> list[dict[str, Any]]:
        return self.pods if kind == "Pod" else [{"metadata": {"name": "till"}}]

    def apply(self, body: dict[str, Any], *, manager: str, dry_run: bool) -> None:
        assert dry_run
        if body["kind"] == self.refused:
            raise RequestError("PATCH /api", 403, "is forbidden: writes in its own only")

    def patch(self, _: str, kind: str, name: str, namespace: str, body: Any) -> None:
        self.patched.append((name, body["metadata"]["labels"]) if kind == "Namespace" else name)


def find(cluster: Any, *names: str) -> tuple[OwnNamespace, ...]:
    return own_namespaces.find(cluster, names, BEFORE, INJECTORS, "istio-system")


def test_the_labels_of_before_are_kept_for_the_way_back() -> None:
    mesh = _Mesh(a={"istio.io/rev": "1-29-1"}, b={"istio.io/rev": "stable"}, c={"istio-injection": "enabled"})
    assert find(mesh, "a", "b", "c", "a") == (
        OwnNamespace("a", "1-29-1"),
        OwnNamespace("b", "stable"),
        OwnNamespace("c", "", "enabled"),
    )


@pytest.mark.parametrize(
    ("name", "labels", "text"),
    [
        ("none", None, "there is no namespace none"),
        ("istio-system", {"istio.io/rev": "stable"}, "the namespace istio-system cannot be moved"),
        ("ours", {"istio.io/rev": "stable", MANAGED_BY_LABEL: MANAGER}, "the namespace ours cannot be moved"),
        ("there", {"istio.io/rev": "1-31-1"}, "the namespace there is on 1-31-1, and not on 1-29-1"),
        ("plain", {}, "the namespace plain is injected by no revision"),
        ("off", {"istio.io/rev": "stable", "istio-injection": "disabled"}, "off is injected by no revision"),
        ("lost", {"istio.io/rev": "1-28-0"}, "lost is injected by no revision"),
    ],
)
def test_a_namespace_that_cannot_be_moved_is_refused(name: str, labels: dict[str, str] | None, text: str) -> None:
    mesh = _Mesh(**{name: labels} if labels is not None else {})
    with pytest.raises(SettingsError, match=text):
        find(mesh, name)


@pytest.mark.parametrize("kind", ["Namespace", "Deployment"])
def test_without_the_right_to_move_it_nothing_begins(kind: str) -> None:
    """The shipped admission policy is for namespaces of a run's own."""
    mesh = _Mesh(shop={"istio.io/rev": "stable"})
    mesh.refused = kind
    with pytest.raises(SettingsError, match="may not move the namespace shop: is forbidden: writes in its own only"):
        find(mesh, "shop")


def test_a_namespace_gets_the_label_and_the_old_ones_back(monkeypatch: pytest.MonkeyPatch) -> None:
    mesh: Any = _Mesh(shop={"istio-injection": "enabled"})
    monkeypatch.setattr(readiness, "wait", lambda *_: None)
    (one,) = find(mesh, "shop")
    own_namespaces.move(mesh, one, AFTER)
    own_namespaces.put_back(mesh, one)
    assert mesh.patched == [
        ("shop", {"istio.io/rev": "next", "istio-injection": None}),
        "till",
        ("shop", {"istio.io/rev": None, "istio-injection": "enabled"}),
        "till",
    ]


def pod(name: str, revision: str, phase: str = "Running", **more: Any) -> dict[str, Any]:
    status = {"sidecar.istio.io/status": json.dumps({"revision": revision})} if revision else {}
    return {"metadata": {"name": name, "annotations": status, **more}, "status": {"phase": phase}}


@pytest.mark.parametrize("phases", range(len(PhaseName) + 1))
def test_an_upgrade_that_goes_on_knows_what_is_on_the_new_revision(phases: int) -> None:
    finished = tuple(PhaseRecord(name, 1.0, 2.0) for name in list(PhaseName)[:phases])
    record = UpgradeRecord("upgrade-1", BEFORE, AFTER, namespaces=(OwnNamespace("shop"),), phases=finished)
    assert record.away == (["shop"] if phases == list(PhaseName).index(PhaseName.MOVED) + 1 else [])


def test_a_proxy_that_did_not_move_is_named() -> None:
    """Pods without a proxy are no concern of an upgrade; nor are those that end, or have ended."""
    pods = [pod("one", "1-31-1"), pod("set-0", "1-29-1"), pod("plain", ""), pod("job", "1-29-1", "Succeeded")]
    mesh: Any = _Mesh([*pods, pod("gone", "1-29-1", deletionTimestamp="now")])
    (event,) = own_namespaces.strays("moved", mesh, [OwnNamespace("shop")], AFTER)
    assert (event.kind, event.what, event.phase) == ("revision", "shop/set-0", "moved")


def test_a_prompt_says_what_there_is_to_do_and_waits() -> None:
    said: list[str] = []
    answers = io.StringIO("\n\nrest")
    for phase in PhaseName:
        asking.ask(phase, BEFORE, AFTER, said.append, answers)
    assert [line.split(";")[0].strip() for line in said] == [
        "now install the control plane of next next to stable, if it is not there",
        "now move what else is to move from stable to next",
        "now move it back from next to stable",
    ]
    assert all(line.endswith("then press Return") for line in said)
    assert answers.read() == "", "one line for each phase that has something to do"


def test_a_prompt_without_an_answer_is_one_line() -> None:
    with pytest.raises(SettingsError, match="the prompt of the phase moved has no answer: the input has ended; answer"):
        asking.ask("moved", BEFORE, AFTER, print, io.StringIO(""))


# -- namespaces that the user's own step has forgotten


class _Whole:
    """A whole cluster: its pods, and the namespaces of the harness."""

    def __init__(self, *pods: dict[str, Any], refused: bool = False) -> None:
        self.pods, self.refused = pods, refused

    def objects(self, _: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        if kind == "Namespace":
            assert labels == f"{MANAGED_BY_LABEL}={MANAGER}"
            return [{"metadata": {"name": "hold-client"}}]
        if self.refused:
            raise RequestError("GET /api/v1/pods", 403, "is forbidden")
        return list(self.pods)


def of_namespace(namespace: str, revision: str, phase: str = "Running") -> dict[str, Any]:
    status = {"sidecar.istio.io/status": json.dumps({"revision": revision})} if revision else {}
    return {"metadata": {"name": "a", "namespace": namespace, "annotations": status}, "status": {"phase": phase}}


def forgotten(cluster: Any) -> list[tuple[str, str, str]]:
    found = own_namespaces.forgotten("moved", cluster, [OwnNamespace("named")], BEFORE)
    return [(one.kind, one.what, one.text) for one in found]


def test_namespaces_that_are_still_on_the_old_revision_are_named() -> None:
    pods = [of_namespace(*one) for one in (
        ("shop", "1-29-1"), ("shop", "1-29-1"), ("shop", "1-31-1"), ("bank", "1-31-1"), ("plain", ""),
        ("named", "1-29-1"), ("hold-client", "1-29-1"), ("jobs", "1-29-1", "Succeeded"),
    )]  # fmt: skip
    text = "it was not moved: proxies of 2 of its pods are of 1-29-1"
    assert forgotten(_Whole(*pods)) == [("not known", "shop", text)]


def test_where_pods_may_not_be_listed_it_is_not_known() -> None:
    text = "whether a namespace is still on the old revision cannot be seen: is forbidden"
    assert forgotten(_Whole(refused=True)) == [("not known", "namespaces", text)]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "1", '"1-29-1"', "{}", '{"revision": null}'])
def test_a_pod_whose_status_is_no_revision_has_none(text: str) -> None:
    """All pods of the cluster are looked at: the annotation is anybody's to write."""
    assert moving.revision_of({"metadata": {"annotations": {"sidecar.istio.io/status": text}}}) == ""
    assert moving.revision_of({"metadata": {"annotations": None}}) == ""
