"""What was tried corrects what was detected; what was not found out leaves it as it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
import yaml
from cluster_fakes import FakeCluster

from clients.apply.item import Item
from clients.apply.open_mesh import NOTHING_NEEDED, OpenMesh
from clients.kube.pods import Pod
from clients.mesh.discovery import MeshInfo
from clients.mesh.survey.prior_note import NoteKind, NoteState, PriorNote
from clients.model.errors import AccessError, ClusterError, InfrastructureError
from clients.probe.way_in import WaysIn
from clients.proof.preflight import mesh_checks, network_checks
from clients.proof.preflight.canary import Canary
from clients.proof.preflight.cluster_checks import pod_security
from clients.proof.preflight.door import with_all_ports
from clients.proof.preflight.network_checks import (
    enforced,
    guarding,
    load_balancer,
    not_alone,
    opened,
    origin,
)
from clients.proof.preflight.shown import Shown, Tried
from runner.config.settings import ROOT, Settings
from runner.target.access import Access
from runner.target.capabilities import Capabilities
from runner.target.held_target import HeldTarget
from runner.target.preflight import canary, corrected, end_where_blocked, in_force
from runner.target.preflight import opened as opened_mesh

pytestmark = pytest.mark.unit
DETECTED = Capabilities(("client-address", "load-balancer", "metrics"), {"network-policy": "no known agent"})


def test_nothing_that_was_not_found_out_is_changed() -> None:
    assert corrected(DETECTED, Shown()) == DETECTED


def test_network_policies_that_are_enforced_are_a_capability_whatever_enforces_them() -> None:
    made = corrected(DETECTED, Shown(network_policy=True))
    assert "network-policy" in made.names
    assert "network-policy" not in made.lacks
    lines = (Tried("network policies", False, "a denied request got 200", "use Calico"),)
    made = corrected(made, Shown(lines, network_policy=False))
    assert "network-policy" not in made.names
    assert made.lacks["network-policy"] == "tried: a denied request got 200; use Calico"


def test_a_way_in_that_hides_the_client_is_a_reason_to_skip() -> None:
    lines = (Tried("way in", False, "127.0.0.1:4711, where this machine is seen as 127.0.0.1"),)
    made = corrected(DETECTED, Shown(lines, client_address=False))
    assert "client-address" not in made.names
    assert "seen as 127.0.0.1" in made.lacks["client-address"]


def test_a_load_balancer_that_is_slow_is_not_lacking_where_it_was_detected() -> None:
    late = Shown((Tried("load balancer", False, "no address within 45 s"),), load_balancer=False, late=True)
    assert "load-balancer" in corrected(DETECTED, late).names
    for never in (replace(late, late=False), replace(late, late=None)):
        assert corrected(DETECTED, never).lacks["load-balancer"] == "tried: no address within 45 s"
    unknown = Capabilities((), {"load-balancer": "no Service has an external address"})
    assert corrected(unknown, late).lacks == {"load-balancer": "tried: no address within 45 s"}
    assert corrected(unknown, Shown(load_balancer=True)).names == ("load-balancer",)


class SecondBySecond:
    """Time goes on only while one waits; each second something may have happened to the Service."""

    def __init__(self, cluster: FakeCluster, changes: dict[int, dict[str, Any]]) -> None:
        self.now = 0.0
        self._cluster, self._changes = cluster, changes

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for second in [one for one in self._changes if one <= self.now]:
            self._cluster.put(door(**self._changes.pop(second)))


def door(**more: Any) -> dict[str, Any]:
    meta = {"name": "door", "namespace": "mp-canary", "managedFields": [{"manager": "meshproof"}]}
    spec = {"ports": [{"port": port} for port in (80, 443, 15021)]}
    return {
        "kind": "Service",
        "metadata": {**meta, **more.get("metadata", {})},
        "spec": spec,
        "status": more.get("status", {}),
    }


ADDRESS = {"status": {"loadBalancer": {"ingress": [{"ip": "198.18.0.9"}]}}}
CLEANED = {"metadata": {"finalizers": ["service.kubernetes.io/load-balancer-cleanup"]}}
ANNOTATED = {"metadata": {"managedFields": [{"manager": "meshproof"}, {"manager": "neg-controller"}]}}
CONDITION = {"status": {"conditions": [{"type": "cilium.io/IPAMRequestSatisfied"}]}}


@pytest.mark.parametrize(
    ("changes", "shown", "waited", "words"),
    [
        ({}, False, 10.0, "no address within 10 s, and nothing has begun to give it one"),
        ({3: ADDRESS}, True, 3.0, "198.18.0.9 answers"),
        ({20: ADDRESS}, False, 10.0, "nothing has begun"),
        ({2: CLEANED, 40: ADDRESS}, True, 40.0, "198.18.0.9 answers"),
        ({2: ANNOTATED, 40: ADDRESS}, True, 40.0, "198.18.0.9 answers"),
        ({2: CONDITION}, False, 45.0, "no address within 45 s"),
    ],
)
def test_a_load_balancer_is_waited_for_as_long_as_something_may_give_an_address(
    changes: dict[int, dict[str, Any]], shown: bool, waited: float, words: str
) -> None:
    """Each run on a cluster without one waited for 45 s."""
    cluster = FakeCluster()
    cluster.put(door())
    clock = SecondBySecond(cluster, changes)
    ways = WaysIn(cluster, answers=lambda *_: True)
    found = load_balancer(cluster, ways, "mp-canary", 0.0, lambda: True, clock, clock.sleep)
    assert isinstance(found, Shown)
    assert found.load_balancer is shown
    assert found.late is (None if shown else waited == 45.0)
    assert clock.now == waited
    assert words in found.lines[0].detail


def test_a_load_balancer_that_no_selected_test_needs_is_not_waited_for() -> None:
    cluster = FakeCluster()
    cluster.put(door())
    clock = SecondBySecond(cluster, {})
    ways = WaysIn(cluster, answers=lambda *_: True)
    assert load_balancer(cluster, ways, "mp-canary", 0.0, lambda: False, clock, clock.sleep) is None
    cluster.put(door(**ADDRESS))
    found = load_balancer(cluster, ways, "mp-canary", 0.0, lambda: pytest.fail("asked"), clock, clock.sleep)
    assert isinstance(found, Shown)
    assert found.load_balancer
    assert clock.now == 0.0


def test_ports_that_nothing_comes_through_to_are_named() -> None:
    """Port 80 alone was asked, and the run's gateways have others too."""
    cluster = FakeCluster()
    cluster.put(door(**ADDRESS))
    clock = SecondBySecond(cluster, {})
    ways = WaysIn(cluster, answers=lambda _, port: port in (80, 15021))
    found = load_balancer(cluster, ways, "mp-canary", 0.0, lambda: True, clock, clock.sleep)
    assert isinstance(found, Shown)
    assert (found.load_balancer, found.shut_ports, clock.now) == (True, (443,), network_checks.PORTS_S)
    assert found.lines[0].detail == "198.18.0.9 answers at port 80, and not at 443"
    assert "firewall" in found.lines[0].hint


def test_the_canarys_door_has_every_port_of_a_runs_load_balancers() -> None:
    ports = {
        port["port"]
        for file in (ROOT / "manifests").rglob("*.yaml")
        for body in yaml.safe_load_all(re.sub(r"\{\{.*?\}\}", "x", file.read_text(encoding="utf-8")))
        if body and body["kind"] == "Service" and body["spec"].get("type") == "LoadBalancer"
        for port in body["spec"]["ports"]
    }
    [made] = with_all_ports([item for item in _Admission().load(["canary/1-pairs.yaml"]) if item.name == "door"])
    assert {port["port"] for port in made.body["spec"]["ports"]} == ports
    assert {port["targetPort"] for port in made.body["spec"]["ports"]} == {8080}, "something listens there"
    assert len({port["name"] for port in made.body["spec"]["ports"]}) == len(ports)


def test_policies_that_others_put_into_new_namespaces_are_seen_and_set_aside() -> None:
    """They denied the requests of every baseline, and the mesh was blamed."""
    cluster = FakeCluster()
    own = {"app.kubernetes.io/managed-by": "meshproof"}
    for name, labels in (("bank-default-deny", {}), ("meshproof-open-network", own)):
        cluster.put({"kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "mp-canary", "labels": labels}})
    found = guarding(cluster, "mp-canary")
    assert found == ("bank-default-deny",)
    assert guarding(cluster, "another") == ()
    shown = Shown().plus(opened(found)).plus(not_alone(found))
    assert shown.guarding == found
    lacks = corrected(Capabilities(("network-policy",), {}), shown).lacks
    assert lacks["network-policy"].startswith("tried: new namespaces get bank-default-deny")


@pytest.mark.parametrize(
    ("refusal", "skipped"),
    [
        (None, False),
        (AccessError('pods "x" is forbidden: violates PodSecurity "restricted:latest": seccompProfile'), True),
        (AccessError('pods "x" is forbidden: bank: no'), False),
    ],
)
def test_gateways_that_istio_deploys_need_namespaces_that_accept_their_pods(
    refusal: Exception | None, skipped: bool
) -> None:
    """They state no seccomp profile, so on a hardened cluster no pod of theirs ever started."""
    cluster = FakeCluster()
    if refusal:
        cluster.refuse["Pod"] = refusal
    spec = {"securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}}
    deployment = {"metadata": {"name": "plain", "namespace": "mp-canary"}, "spec": {"template": {"spec": spec}}}
    secured = pod_security(cluster, deployment)
    assert "seccompProfile" in spec["securityContext"], "the canary's own is left as it is"
    found = corrected(Capabilities(("gateway-api",), {}), secured or Shown())
    assert ("gateway-api" in found.lacks) is skipped


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"origin": "198.18.0.1"}', "198.18.0.1"),
        ('{"origin": "198.18.0.1:4711"}', "198.18.0.1"),
        ('{"origin": "fd00::1"}', "fd00::1"),
        ('{"origin": "[fd00:0::1]:4711"}', "fd00::1"),
        ('{"origin": "::ffff:198.18.0.1"}', "198.18.0.1"),
        ("<html>", ""),
        ("{}", ""),
        ("[]", ""),
    ],
)
def test_the_address_that_a_server_sees(body: str, expected: str) -> None:
    assert origin(body) == expected


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["200", "200", "000", "000"], True),
        (["000", "200"], False),  # lost once, then answered
        (["200"], False),
        (["000", "curl did not run"], None),
        (["curl did not run"], None),  # the harness's own failure is no denial
        (["503"], None),
    ],
)
def test_only_a_request_that_stays_without_an_answer_shows_that_policies_are_enforced(
    answers: list[str], expected: bool | None
) -> None:
    left, now = list(answers), [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    found, _ = enforced(lambda: left.pop(0) if len(left) > 1 else left[0], lambda: now[0], sleep)
    assert found is expected


class _Admission:
    """Takes down what is asked to be admitted, and refuses it, so that nothing more is tried."""

    def __init__(self) -> None:
        self.asked: list[Item] = []
        self.applied: list[Item] = []

    def load(self, paths: Sequence[str]) -> list[Item]:
        text = "".join((ROOT / "manifests" / path).read_text(encoding="utf-8") for path in paths)
        return [Item(paths[0], body) for body in yaml.safe_load_all(text)]

    def admit(self, items: Sequence[Item]) -> None:
        self.asked += items
        raise ClusterError("refused")

    def ask_to_delete(self, items: Sequence[Item]) -> Callable[[], None]:
        return lambda: None


class _Deploying(_Admission):
    """Accepts everything but what is named, and waits as long as it takes for what is not named either."""

    def __init__(
        self,
        cluster: FakeCluster,
        *,
        refused: str = "",
        late: Sequence[str] = (),
        opens: bool = True,
        inside: Sequence[str] = (),
        relabels: Mapping[str, str] = MappingProxyType({}),
        unless: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._unless = unless
        self._inside, self._relabels = inside, relabels
        self._cluster, self._refused, self._late, self._opens = cluster, refused, late, opens

    def admit(self, items: Sequence[Item]) -> None:
        self.asked += items
        for item in items:
            named = self._refused in (f"{item.kind} {item.name}", item.kind)
            if named and item.body.get("spec", {}).get("type") not in self._unless:
                raise ClusterError(f"{item.kind} {item.name} is refused")

    def apply(self, items: Sequence[Item]) -> list[Any]:
        if not self._opens and any(item.kind in ("NetworkPolicy", "AuthorizationPolicy") for item in items):
            raise AccessError("may not create networkpolicies")
        self.applied += items
        for item in items:
            if item.kind == "Namespace":
                self._cluster.put({**item.body, "metadata": {**item.body["metadata"], **self._relabelled(item)}})
            if item.kind == "Deployment" and item.name not in self._late:
                self._start(item.namespace, item.name)
        return []

    def _relabelled(self, item: Item) -> dict[str, Any]:
        return {"labels": {**item.body["metadata"].get("labels", {}), **self._relabels}}

    def _start(self, namespace: str, name: str) -> None:
        plain = name in ("plain", "outsider") and name not in self._inside
        containers = (name,) if plain else (name, "istio-proxy")
        pod = Pod(namespace, f"{name}-1", ready=True, containers=containers, labels={"app": name})
        self._cluster.pods_of.setdefault(namespace, []).append(pod)

    def wait_ready(self, items: Sequence[Item]) -> None:
        for item in items:
            if item.name in self._late:
                raise ClusterError(f"Deployment {item.name} is not ready in time: 0 of 1 replicas available: why")


def tried(
    monkeypatch: pytest.MonkeyPatch,
    *,
    execs: Sequence[object] = (),
    seen: str = "200",
    gets: Sequence[dict[str, Any]] = (),
    against: OpenMesh = NOTHING_NEEDED,
    **how: Any,
) -> Shown:
    """What the canary has seen of a cluster that does `how`, and whose new namespaces get these objects."""
    left = list(execs)

    def exec_once(*_: Any, **__: Any) -> Any:
        if left and isinstance(error := left.pop(0), Exception):
            raise error
        return SimpleNamespace(exit_code=0, stdout="curl 8.16.0", stderr="")

    for name, stand_in in (("exec_once", exec_once), ("curl", lambda *_: seen), ("_logs", lambda *_: True)):
        monkeypatch.setattr(mesh_checks, name, stand_in)
    for name in ("SENT_S", "POLL_S"):
        monkeypatch.setattr(mesh_checks, name, 0.01)
    monkeypatch.setattr(network_checks, "load_balancer", lambda *_, **__: Tried("", True, ""))
    monkeypatch.setattr(network_checks, "way_in", lambda *_, **__: Tried("way in", True, "tried"))
    monkeypatch.setattr(network_checks, "enforced", lambda *_: (True, "000"))
    cluster = FakeCluster()
    if "opens" in how:
        meta = {"name": "bank-default-deny", "namespace": "canary", "labels": {}}
        cluster.put({"kind": "NetworkPolicy", "metadata": meta})
    cluster.put(*gets)
    deploying = _Deploying(cluster, **how)
    return Canary(cluster, deploying, "canary", WaysIn(cluster, {}), against).look()  # type: ignore[arg-type]


def put_there(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": "canary", "labels": {}}, "spec": spec}


DEFAULT_DENY = put_there("AuthorizationPolicy", "default-deny", {})
STRICT = put_there("PeerAuthentication", "default", {"mtls": {"mode": "STRICT"}})


def test_the_canary_starts_from_the_mesh_that_a_run_opens() -> None:
    """A root policy that allows nothing refused its request, and that was called a fault."""
    cluster = FakeCluster()
    deploying = _Deploying(cluster, late=["client"])
    against = OpenMesh({}, permissive=True, allow=True, open=True, provider="log")
    Canary(cluster, deploying, "canary", WaysIn(cluster, {}), against).look()  # type: ignore[arg-type]
    made = {item.kind for item in deploying.applied if item.namespace == "canary"}
    assert made >= {"PeerAuthentication", "AuthorizationPolicy", "Sidecar", "Telemetry"}
    allow = next(item for item in deploying.applied if item.kind == "AuthorizationPolicy")
    assert allow.body["spec"]["rules"] == [{}]


LOST = InfrastructureError("exec in canary/client-1: lost")
SELECTORS = PriorNote(
    NoteKind.DISCOVERY_SELECTORS,
    NoteState.IN_FORCE,
    "MeshConfig discoverySelectors",
    "the run's namespaces must match ([namespaces] labels)",
)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"refused": "Deployment client"}, "admission: Deployment client is refused"),
        ({"late": ["client"]}, "workloads: Deployment client is not ready in time: .*: why"),
        ({"late": ["server", "plain"]}, "workloads: Deployment server is not ready in time"),
        ({"execs": [LOST] * 9}, "exec: exec in canary/client-1: lost"),
        (
            {"opens": False, "seen": "000"},
            "new namespaces: bank-default-deny denies, and: may not create networkpolicies; "
            "request in the mesh: from client to server: expected 200, saw 000",
        ),
        ({"seen": "403"}, "request in the mesh: from client to server: expected 200, saw 403"),
        (
            {"seen": "403", "gets": [DEFAULT_DENY], "opens": False},
            ".*; policies of new namespaces: each gets AuthorizationPolicy default-deny, and: may not create .*"
            "request in the mesh: from client to server: expected 200, saw 403",
        ),
        (
            {"gets": [STRICT]},
            "policies of new namespaces: each gets PeerAuthentication default, in the place of what a run applies",
        ),
    ],
)
def test_a_run_ends_where_nothing_can_be_proven(
    monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], says: str
) -> None:
    """Each environment waited for all its time again, and without sidecars the mesh was blamed."""
    shown = tried(monkeypatch, **how)
    with pytest.raises(ClusterError, match=f"^nothing can be proven on this cluster: {says}") as caught:
        end_where_blocked(
            shown,
            (SELECTORS, PriorNote(NoteKind.TELEMETRY, NoteState.IN_FORCE, "Telemetry istio-system/other", "in force")),
        )
    assert "--skip-preflight" in caught.value.hint
    assert "other" not in str(caught.value)


def test_what_the_mesh_selects_is_named_where_pods_do_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = tried(monkeypatch, late=["client"])
    with pytest.raises(ClusterError, match=re.escape(SELECTORS.text)):
        end_where_blocked(shown, (SELECTORS,))
    shown = tried(monkeypatch, refused="Deployment client")
    with pytest.raises(ClusterError) as caught:
        end_where_blocked(shown, (SELECTORS,))
    assert SELECTORS.text not in str(caught.value)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"late": ["plain"]},  # without a sidecar: other stages can be proven
        {"late": ["outsider"]},
        {"refused": "Service door"},  # some clusters refuse load balancers
        {"execs": [LOST, LOST]},  # a single lost connection is none
        {"gets": [DEFAULT_DENY]},
        {"inside": ["outsider"], "relabels": {"istio-injection": "enabled"}},
        {"gets": [put_there("EnvoyFilter", "limits", {})]},
        {"opens": False},  # what was put there lets the run's requests through
    ],
)
def test_a_run_goes_on_where_something_can_be_proven(monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]) -> None:
    shown = tried(monkeypatch, **how)
    assert {"injection", "exec", "request in the mesh"} <= {line.name for line in shown.lines}
    end_where_blocked(shown, (SELECTORS,))


def test_policies_of_new_namespaces_that_allow_nothing_are_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kyverno generates one in each; every state before a change was 403, and the mesh was blamed."""
    shown = tried(monkeypatch, gets=[DEFAULT_DENY])
    assert shown.denying == ("AuthorizationPolicy default-deny",)
    assert opened_mesh(MeshInfo(), shown).prior.allow
    (note,) = in_force(shown)
    assert note.startswith("AuthorizationPolicy default-deny of new namespaces: set aside")
    assert opened_mesh(MeshInfo(), Shown()) == MeshInfo()
    assert in_force(Shown()) == ()


def test_the_canary_sets_them_aside_as_a_run_does() -> None:
    cluster = FakeCluster()
    cluster.put(DEFAULT_DENY)
    deploying = _Deploying(cluster, late=["client"])
    Canary(cluster, deploying, "canary", WaysIn(cluster, {}), OpenMesh({}, permissive=True)).look()  # type: ignore[arg-type]
    policies = [item for item in deploying.applied if item.kind == "AuthorizationPolicy"]
    assert {item.namespace for item in policies} == {"canary", "canary-plain"}
    assert all(item.body["spec"] == {"action": "ALLOW", "rules": [{}]} for item in policies)


def test_judges_of_tokens_in_new_namespaces_are_a_reason_to_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = put_there("RequestAuthentication", "bank", {"jwtRules": [{"issuer": "bank.example"}]})
    shown = tried(monkeypatch, gets=[judge])
    end_where_blocked(shown, ())
    lacks = corrected(Capabilities(("own-tokens", "own-iap-tokens"), {}), shown).lacks
    assert list(lacks) == ["own-tokens"]
    assert lacks["own-tokens"].startswith("tried: each gets RequestAuthentication bank, which stays in force; exempt")


def test_root_policies_are_named_where_the_request_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    kind, text = NoteKind.AUTHORIZATION_POLICY, "in force; its refusals count as the mesh's"
    refusing = PriorNote(kind, NoteState.IN_FORCE, "AuthorizationPolicy istio-system/no-anonymous (DENY)", text)
    opened_up = PriorNote(kind, NoteState.SET_ASIDE, "AuthorizationPolicy istio-system/allow-nothing", ": in force")
    with pytest.raises(ClusterError, match=re.escape(f"saw 403; {refusing.text}")) as caught:
        end_where_blocked(tried(monkeypatch, seen="403"), (opened_up, refusing))
    assert "allow-nothing" not in str(caught.value)
    assert "exempt namespaces with the label meshproof.dev/run" in caught.value.hint


@pytest.mark.parametrize(
    ("accepted", "way"), [(("NodePort", "ClusterIP"), "NodePort"), (("ClusterIP",), "ClusterIP"), ((), "")]
)
def test_a_cluster_that_refuses_load_balancers_is_asked_for_less(
    monkeypatch: pytest.MonkeyPatch, accepted: tuple[str, ...], way: str
) -> None:
    """The preflight coped, but every environment with a gateway was refused as a whole."""
    shown = tried(monkeypatch, refused="Service door", unless=accepted)
    assert (shown.load_balancer, shown.service_type) == (False, way)
    why = f"Service door is refused; {way} is accepted" if way else "Service door is refused"
    assert [line.detail for line in shown.lines if line.name == "load balancer"] == [why]
    assert [line.detail for line in shown.lines if line.name == "way in"] == (["tried"] if way else [])
    assert next(line for line in shown.lines if line.name == "admission").ok


@pytest.mark.parametrize(
    ("way", "kind"), [("node-port", "NodePort"), ("port-forward", "ClusterIP"), ("auto", "LoadBalancer")]
)
def test_the_canary_asks_for_no_load_balancer_where_the_way_in_uses_none(way: str, kind: str) -> None:
    given = Settings.model_validate({"ingress": {"way": way}})
    made = canary(FakeCluster(), given, Access(images={"sleep": "s", "httpbin": "h"}), MeshInfo(), "run-1")  # type: ignore[arg-type]
    [door] = [item for item in made.applier.load(["canary/1-pairs.yaml"]) if item.name == "door"]
    assert door.body["spec"]["type"] == kind


def test_pods_without_a_sidecar_end_a_run() -> None:
    pods = {name: Pod("canary", f"{name}-1", containers=(name,)) for name in ("client", "server")}
    with pytest.raises(ClusterError, match="injection: client and server got no sidecar"):
        end_where_blocked(Shown((mesh_checks.injected(pods),)), ())


def test_the_target_of_a_run_ends_it_and_says_the_rest() -> None:
    lines = (Tried("nodes", False, "2, of amd64 and arm64"), Tried("exec", False, "lost", needed=True, blocks=True))
    held = SimpleNamespace(descriptor=SimpleNamespace(mesh=SimpleNamespace(prior=SimpleNamespace(notes=()))))
    lines_shown: list[str] = []
    with pytest.raises(ClusterError, match="nothing can be proven on this cluster: exec: lost"):
        HeldTarget._try(held, SimpleNamespace(look=lambda: Shown(lines)), DETECTED, lines_shown.append)  # type: ignore[arg-type]
    assert lines_shown[1:] == ["preflight: nodes: 2, of amd64 and arm64"]


def test_workloads_get_the_time_that_those_of_a_run_get() -> None:
    cluster = FakeCluster()
    for seconds, expected in ((300.0, 300.0), (10.0, 60.0)):
        made = canary(cluster, Settings(ready_s=seconds), Access(), MeshInfo(), "run-1")  # type: ignore[arg-type]
        assert made.applier.timeout_s == expected
