"""What is in force, read back when the cases of a state are proven: each case gets what concerns it."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, CLIENT_POD, SERVER_POD, FakeCluster, FakeRig, answered, labelled

from clients.apply.item import Accepted, Item
from clients.kube.pods import SIDECAR, Pod
from clients.mesh import sidecar
from clients.model.case import Case
from clients.model.errors import ClusterError, InfrastructureError
from clients.model.evidence import FindingVerdict
from clients.model.expect import status
from clients.model.probe import Workload
from clients.probe.outside import through
from clients.proof import in_force
from clients.proof.in_force import OBJECTS, PROXIES, look

pytestmark = pytest.mark.unit

CASE = Case("X-1", CLIENT.get("http://httpbin.mtls-service:8000/ip"), status(200))
STRICT = Item(
    "m.yaml",
    {**labelled("PeerAuthentication", "strict", "mtls-service"), "spec": {"mtls": {"mode": "STRICT"}}},
)


def listener(*, plain: bool) -> str:
    chains = [{"filter_chain_match": {"destination_port": 8080}, "transport_socket": {}, "filters": []}]
    chains += [{"filter_chain_match": {"destination_port": 8080}, "filters": []}] if plain else []
    return json.dumps({"configs": [{"active_state": {"listener": {"filter_chains": chains}}}]})


class Looks:
    """A stage with one policy in force at one server, whose proxy answers so; `asked` are the pods of proxies asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str | Exception) -> None:
        self.asked: list[str] = []
        self.answers = list(answers)
        self.cluster = FakeCluster()
        self.cluster.put(STRICT.body)
        self.rig = FakeRig(lambda _, name: answered(200, name), cluster=self.cluster)
        uid = self.cluster.store["PeerAuthentication", "mtls-service", "strict"]["metadata"]["uid"]
        self.rig.applier = SimpleNamespace(accepted=lambda _: Accepted(uid, None))
        self.running: Any = SimpleNamespace(rig=self.rig, in_force=(STRICT,), settled=(), changed_at=0.0)
        monkeypatch.setattr(sidecar, "admin", self.admin)
        monkeypatch.setattr(in_force, "_POLL_S", 0.0)
        monkeypatch.setattr(in_force, "PATIENCE_S", 0.2)

    def admin(self, _: Any, pod: Pod, path: str) -> str:
        self.asked.append(str(pod))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def findings(self, case: Case = CASE) -> dict[str, tuple[FindingVerdict, str]]:
        return {one.name: (one.verdict, one.text) for one in look(self.running, [case]).findings(case)}


def test_all_is_as_it_was_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Looks(monkeypatch, listener(plain=False)).findings() == {
        OBJECTS: (FindingVerdict.PASS, "1 as applied"),
        PROXIES: (FindingVerdict.PASS, "as applied at mtls-service/httpbin-1"),
    }


def test_an_object_that_another_client_has_deleted_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch, listener(plain=False))
    looks.cluster.store.clear()
    verdict, text = looks.findings()[OBJECTS]
    assert verdict is FindingVerdict.INCONCLUSIVE
    assert text.startswith("PeerAuthentication mtls-service/strict does not exist any more (changed by another client")
    assert PROXIES not in looks.findings(), "what a proxy makes of another client's change is not judged"


def test_a_proxy_that_holds_something_else_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, text = Looks(monkeypatch, listener(plain=True)).findings()[PROXIES]
    assert verdict is FindingVerdict.FAIL
    assert text.startswith("mtls-service/httpbin-1: PeerAuthentication mtls-service/strict is STRICT, but port 8080")


def test_a_proxy_that_only_lags_behind_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch, listener(plain=True), listener(plain=False))
    monkeypatch.setattr(in_force, "PATIENCE_S", 30.0)  # a busy machine may take long between two looks
    assert looks.findings()[PROXIES][0] is FindingVerdict.PASS
    assert len(looks.asked) == 2


def test_a_proxy_has_the_budget_of_a_case_from_the_change_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow control plane may send what no case's outcome depends on after what all of them wait for."""
    answers = listener(plain=True), listener(plain=True), listener(plain=False)
    for changed_at, verdict in ((0.0, FindingVerdict.FAIL), (time.monotonic() + 30.0, FindingVerdict.PASS)):
        looks = Looks(monkeypatch, *answers)
        monkeypatch.setattr(in_force, "PATIENCE_S", 0.0)
        looks.running.changed_at = changed_at
        assert looks.findings()[PROXIES][0] is verdict


@pytest.mark.parametrize(
    "answer",
    [
        InfrastructureError("the sidecar did not answer"),
        '{ torn "filter_chains"',
        '{"configs": "filter_chains"}',
        listener(plain=True).replace("8080", '"a"'),
    ],
)
def test_a_proxy_that_cannot_be_read_is_not_checked(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    assert Looks(monkeypatch, answer).findings()[PROXIES][0] is FindingVerdict.NOT_CHECKED


def test_objects_that_cannot_be_read_are_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch, listener(plain=False))

    def refuse(*_: Any) -> Any:
        raise ClusterError("forbidden")

    monkeypatch.setattr(looks.cluster, "get", refuse)
    assert looks.findings()[OBJECTS] == (FindingVerdict.NOT_CHECKED, "not checked: forbidden")


def test_a_policy_that_the_cluster_no_longer_has_and_the_proxy_still_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    held = json.loads(listener(plain=False))
    rbac = {"@type": "x.RBAC", "rules": {"policies": {"ns[mtls-service]-policy[gone]-rule[0]": {}}}}
    held["configs"][0]["active_state"]["listener"]["filter_chains"][0]["filters"] = [{"typed_config": rbac}]
    looks = Looks(monkeypatch, json.dumps(held))
    verdict, text = looks.findings()[PROXIES]
    assert verdict is FindingVerdict.FAIL
    assert "AuthorizationPolicy mtls-service/gone is still there, which does not exist" in text
    looks.cluster.put(labelled("AuthorizationPolicy", "gone", "mtls-service", run="of another"))
    assert looks.findings()[PROXIES][0] is FindingVerdict.PASS


def test_another_provider_of_the_issuer_that_no_policy_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy of others on the cluster may state it; where none can be read, nothing is known of it."""
    own, other = ({"jwtRules": [{"issuer": "iss.example", "audiences": [one]}]} for one in ("door", "window"))
    tokens = Item("m.yaml", {**labelled("RequestAuthentication", "tokens", "mtls-service"), "spec": own})
    providers = {one: {"issuer": "iss.example", "audiences": [one]} for one in ("door", "window")}
    held = json.loads(listener(plain=False))
    jwt = {"@type": "x.JwtAuthentication", "providers": providers}
    held["configs"][0]["active_state"]["listener"]["filter_chains"][0]["filters"] = [{"typed_config": jwt}]
    looks = Looks(monkeypatch, json.dumps(held))
    looks.cluster.put(tokens.body)
    looks.running.in_force = (STRICT, tokens)
    monkeypatch.setattr(in_force.read_back, "difference", lambda *_: "")
    verdict, text = looks.findings()[PROXIES]
    assert verdict is FindingVerdict.FAIL
    assert "another provider of issuer iss.example is there, which no policy states" in text
    theirs = {**labelled("RequestAuthentication", "theirs", "mtls-service", run="of another"), "spec": other}
    looks.cluster.put(theirs)
    assert looks.findings()[PROXIES][0] is FindingVerdict.PASS
    looks.cluster.put({**theirs, "spec": {**other, "selector": {"matchLabels": {"app": "another"}}}})
    assert looks.findings()[PROXIES][0] is FindingVerdict.FAIL

    def refuse(*_: Any) -> Any:
        raise ClusterError("forbidden")

    monkeypatch.setattr(looks.cluster, "objects", refuse)
    assert looks.findings()[PROXIES][0] is FindingVerdict.PASS


def test_a_gateway_is_asked_for_all_its_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch, "{}", listener(plain=False))
    case = Case("X-1", through(Workload("mtls-client", "gateway", "proxy")).get("http://shop.example/"), status(200))
    monkeypatch.setattr(in_force.applied_policies, "selects", lambda *_: True)
    assert looks.findings(case)[PROXIES] == (FindingVerdict.PASS, f"as applied at {CLIENT_POD}")
    assert looks.asked == [str(CLIENT_POD)] * 2


DRAINING = json.dumps(
    {"configs": [{"draining_state": json.loads(listener(plain=False))["configs"][0]["active_state"]}]}
)
"""What the stage before has left: it ends connections, and takes no new ones."""
GATEWAY = Pod("mtls-service", "gateway-1", containers=(SIDECAR,), ready=True)


def allowing(monkeypatch: pytest.MonkeyPatch, answer: str, *servers: Pod) -> Looks:
    """A look at servers whose namespace has a policy that allows all, besides the one of mutual TLS."""
    allow = Item("m", {**labelled("AuthorizationPolicy", "open", "mtls-service"), "spec": {"rules": [{}]}})
    looks = Looks(monkeypatch, answer)
    looks.rig.servers = list(servers)
    looks.running.in_force = (STRICT, allow)
    looks.cluster.put(allow.body)
    looks.rig.applier = SimpleNamespace(
        accepted=lambda item: Accepted(
            looks.cluster.get("v1", item.kind, item.name, item.namespace)["metadata"]["uid"], None
        )
    )
    return looks


@pytest.mark.parametrize("nothing", [json.dumps({"configs": []}), DRAINING])
def test_a_gateway_that_takes_nothing_in_is_not_checked(monkeypatch: pytest.MonkeyPatch, nothing: str) -> None:
    """A policy of its namespace was missed at an egress gateway before the first Gateway opens a port there."""
    looks = allowing(monkeypatch, nothing, GATEWAY)
    verdict, text = looks.findings()[PROXIES]
    assert verdict is FindingVerdict.NOT_CHECKED
    assert "mtls-service/gateway-1: no Gateway opens a port of it" in text
    looks.answers = [listener(plain=False)]
    verdict, text = looks.findings()[PROXIES]
    assert verdict is FindingVerdict.FAIL, "one that takes something in is compared"
    assert "AuthorizationPolicy" in text


@pytest.mark.parametrize("nothing", [json.dumps({"configs": []}), DRAINING])
def test_a_sidecar_that_takes_nothing_in_fails(monkeypatch: pytest.MonkeyPatch, nothing: str) -> None:
    """Nothing is between its server and a client that passes it by; a gateway's is no excuse for it."""
    looks = allowing(monkeypatch, nothing, GATEWAY, SERVER_POD)
    verdict, text = looks.findings()[PROXIES]
    assert verdict is FindingVerdict.FAIL
    assert text.startswith("mtls-service/httpbin-1: ")


def test_a_gateway_that_lacks_policies_makes_no_pass_of_others_full() -> None:
    found = in_force.InForce(checked=frozenset({SERVER_POD, GATEWAY}), unread={GATEWAY: "no Gateway"})
    found.backends[CASE.id] = (SERVER_POD, GATEWAY)
    assert [one.verdict for one in found.findings(CASE)] == [FindingVerdict.NOT_CHECKED]


def test_a_gateway_that_takes_nothing_in_lacks_no_mode_of_mutual_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no port at which the mode could be another one."""
    looks = Looks(monkeypatch, listener(plain=False))
    looks.rig.servers = [SERVER_POD, GATEWAY]
    monkeypatch.setattr(
        sidecar, "admin", lambda _, pod, path: DRAINING if pod == GATEWAY else looks.admin(_, pod, path)
    )
    assert looks.findings()[PROXIES][0] is FindingVerdict.PASS


def test_at_most_a_few_proxies_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch, listener(plain=False))
    looks.rig.servers = [Pod("mtls-service", f"httpbin-{n}", containers=SERVER_POD.containers) for n in range(9)]
    text = looks.findings()[PROXIES][1]
    assert len(looks.asked) == in_force.MAX_PROXIES == text.count("mtls-service/")


def test_without_policies_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch, listener(plain=False))
    other = Item("m.yaml", labelled("ConfigMap", "c", "mtls-service"))
    looks.cluster.put(other.body)
    looks.rig.applier.accepted = lambda _: None
    looks.running.in_force = (other,)
    assert list(looks.findings()) == [OBJECTS]
    assert looks.asked == []


def test_a_stage_that_changes_nothing_or_has_not_settled_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch, listener(plain=True))
    looks.running.settled = (SimpleNamespace(problem="saw 200"),)
    assert looks.findings() == {}
    looks.running.settled, looks.running.in_force = (), ()
    assert looks.findings() == {}


def inbound(*filters: dict[str, Any], name: str = "virtualInbound", plain: bool = False) -> str:
    """A sidecar whose inbound chains have these filters of HTTP."""
    dump = json.loads(listener(plain=plain))
    held = dump["configs"][0]["active_state"]["listener"]
    held["name"] = name
    held["filter_chains"][0]["filters"] = [
        {"typed_config": {"@type": "x.HttpConnectionManager", "http_filters": filters}}
    ]
    return json.dumps(dump)


def rbac(*names: str) -> dict[str, Any]:
    return {"typed_config": {"@type": "x.RBAC", "rules": {"policies": {name: {} for name in names}}}}


def apart(*types: str) -> dict[str, Any]:
    """A filter whose configuration is not in the listener."""
    return {"name": "f", "config_discovery": {"type_urls": [f"type.googleapis.com/envoy.{one}" for one in types]}}


WASM = apart("wasm.v3.Wasm", "rbac.v3.RBAC")
"""As istiod sends a WasmPlugin (`WasmPlugin`, `failStrategy`)."""


@pytest.mark.parametrize(
    ("dump", "why"),
    [
        (inbound(rbac("projects/1/policies/a")), "rules named as by another control plane than istiod (projects/1/"),
        (inbound(apart("rbac.v3.RBAC")), "filters that are not in its listeners"),
        (inbound(apart()), "filters that are not in its listeners"),
    ],
)
def test_policies_in_a_form_that_is_not_istiods_are_not_checked(
    monkeypatch: pytest.MonkeyPatch, dump: str, why: str
) -> None:
    """Each policy was said not to be there, of every selected sidecar, whatever the requests had shown."""
    verdict, text = allowing(monkeypatch, dump, SERVER_POD).findings()[PROXIES]
    assert verdict is FindingVerdict.NOT_CHECKED
    assert f"mtls-service/httpbin-1: {why}" in text


def test_a_sidecar_whose_listeners_are_not_istiods_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = inbound(name="TRAFFICDIRECTOR_INTERCEPTION", plain=True)
    looks = allowing(monkeypatch, foreign, SERVER_POD)
    monkeypatch.setattr(sidecar, "admin", lambda _, __, path: "{}" if "name_regex" in path else foreign)
    verdict, text = looks.findings()[PROXIES]
    assert verdict is FindingVerdict.NOT_CHECKED
    assert "mtls-service/httpbin-1: its listeners are named as by another control plane than istiod" in text


@pytest.mark.parametrize(
    "dump",
    [
        inbound(),  # no filter at all
        inbound(WASM),  # nor one that could hold policies
        inbound(rbac("ns[mtls-service]-policy[another]-rule[0]", "projects/1")),
        inbound(rbac("projects/1"), plain=True),  # a mode is read from the listener
        inbound(name="virtualOutbound"),  # istiod's, without an inbound one
        inbound(name="10.96.0.1_443"),
    ],
)
def test_a_sidecar_of_istiods_form_that_lacks_a_policy_fails(monkeypatch: pytest.MonkeyPatch, dump: str) -> None:
    looks = allowing(monkeypatch, dump, SERVER_POD)
    if "virtualInbound" not in dump:
        monkeypatch.setattr(sidecar, "admin", lambda _, __, path: "{}" if "name_regex" in path else dump)
    assert looks.findings()[PROXIES][0] is FindingVerdict.FAIL


def test_what_does_not_differ_passes_in_any_form(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch, inbound(apart("rbac.v3.RBAC")))
    assert looks.findings()[PROXIES][0] is FindingVerdict.PASS


def test_rules_of_tokens_are_none_of_authorization(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are a list; each case of a stage with tokens was inconclusive by an error of our own."""
    tokens = {"typed_config": {"@type": "x.JwtAuthentication", "rules": [{"match": {"prefix": "/"}}]}}
    held = inbound(tokens, rbac("ns[mtls-service]-policy[open]-rule[0]"))
    assert allowing(monkeypatch, held, SERVER_POD).findings()[PROXIES][0] is FindingVerdict.PASS


def test_a_gateway_that_a_pod_dials_is_asked_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where another case asks the same Service without a gateway between."""
    looks = Looks(monkeypatch, listener(plain=False))
    monkeypatch.setattr(in_force.applied_policies, "selects", lambda *_: True)
    monkeypatch.setattr(
        FakeRig, "backends", lambda _, probe: [GATEWAY] if "door." in probe.destination else [SERVER_POD]
    )
    by_door = Case("X-2", CLIENT.get("http://door.edge/ip", behind="httpbin.mtls-service"), status(200))
    found = look(looks.running, [CASE, by_door])
    texts = [found.findings(case)[-1].text for case in (CASE, by_door)]
    assert texts == ["as applied at mtls-service/httpbin-1", f"as applied at mtls-service/httpbin-1, {GATEWAY}"]
