"""From a failed case to its line: which request went wrong, at which workload, by whose log."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, FakeCluster
from why_samples import STRICT, TESTING, TOKENS, WORKLOADS, authorization, closed, network, pod, policy, source

from clients.apply import marker_objects
from clients.identity.tokens import TokenIssuer
from clients.kube.pods import Pod
from clients.mesh.discovery import MeshInfo
from clients.model.attempt import Attempt, Phase
from clients.model.case import Case
from clients.model.errors import AccessError
from clients.model.evidence import Applied, Evidence, Subject, TwinProof, Verdict
from clients.model.expect import body_contains, no_reply, rbac_denied, reset, status
from clients.model.outcome import OutcomeKind
from clients.model.probe import Dial, Probe, Workload
from clients.model.stage import Observation
from clients.model.token import Token
from clients.proof import why as why_of
from clients.proof.why import Explainer

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries of fakes are there at once, or never."""
    monkeypatch.setattr(why_of, "LOG_S", 0.0)


ISSUER = TokenIssuer()
URL = "http://httpbin.mtls-service:8000/ip"
PLAIN = Workload("legacy-client", "sleep", "sleep")
IP = CLIENT.get(URL)
REQUIRE = authorization("require-jwt", "ALLOW", source(requestPrincipals=[f"{TESTING}/{TESTING}"]))


class Refusing(FakeCluster):
    """Refuses to list some kinds."""

    def __init__(self, *kinds: str) -> None:
        super().__init__()
        self.kinds = kinds
        self.asked: list[str] = []

    def objects(self, api: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        self.asked.append(f"{kind} {namespace}")
        if kind in self.kinds:
            raise AccessError(f"the cluster refuses {kind}")
        return super().objects(api, kind, namespace, labels)


def running(*objects: Any, cluster: FakeCluster | None = None, stage: Sequence[Any] = ()) -> Any:
    cluster = cluster or FakeCluster()
    for body in (*WORKLOADS, *objects):
        cluster.put({"apiVersion": "v1", **body})

    def pods(workload: Workload) -> list[Pod]:
        found = cluster.objects("v1", "Pod", workload.namespace, f"app={workload.app}")
        return [Pod.from_json(body) for body in found]

    workloads = SimpleNamespace(
        pods=pods,
        backends=lambda probe: pods(Workload("mtls-service", "httpbin", "httpbin")),
        egress_pods_for=lambda probe: [],
        connect_host=lambda probe: probe.destination,
    )
    overlay = SimpleNamespace(
        host=lambda host: host, namespace=lambda name: name, plain=lambda text: text.replace("mp-1-", "")
    )
    rig = SimpleNamespace(
        cluster=cluster,
        workloads=workloads,
        overlay=overlay,
        tokens=ISSUER,
        mesh=MeshInfo("istio", capabilities=frozenset({"access-log"})),
        writes_access_log=True,
        environments=SimpleNamespace(namespaces={"mtls-service", "mtls-client", "legacy-client"}),
    )
    applied = tuple(
        Applied("a.yaml", one["kind"], one["metadata"]["namespace"], one["metadata"]["name"], "") for one in stage
    )
    return SimpleNamespace(
        rig=rig, applied=applied, baselines={}, settled=(), changed_at=1.0, since_s=lambda: 5, worker="gw0"
    )


def attempt(code: int | None, *, phase: Phase = Phase.CONVERGE, kind: OutcomeKind = OutcomeKind.STATUS) -> Attempt:
    return Attempt(1.0, phase, False, str(code), "mp-run-1", "wrong", kind=kind, status=code)


def failed(*attempts: Attempt, verdict: Verdict = Verdict.FAIL, **more: Any) -> Evidence:
    return Evidence.of(Subject(control="X-1", id="X-1"), verdict, attempts=attempts, **more)


def why(stage: Any, case: Case, evidence: Evidence) -> str:
    return Explainer(stage, sleep=lambda _: None).explained(case, evidence).why


def deny(probe: Probe = IP, **more: Any) -> Case:
    return Case("X-1", probe, rbac_denied(), **more)


def test_request_that_was_let_in() -> None:
    canary = authorization("require-jwt", "ALLOW", labels={"istio.io/rev": "canary"})
    stage = running(canary)
    stage.rig.cluster.put(
        {
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "istio", "labels": {"app": "sidecar-injector", "istio.io/rev": "default"}},
        }
    )
    assert why(stage, deny(), failed(attempt(200))) == (
        "AuthorizationPolicy mtls-service/require-jwt carries istio.io/rev=canary; the proxies of "
        "mtls-service/httpbin run revision default and never see it"
    )


def test_a_client_without_a_ready_pod_is_explained_by_what_keeps_it_from_getting_ready() -> None:
    """None of the probes ran, so no outcome says anything; other inconclusive cases are not explained so."""
    body = copy.deepcopy(pod("sleep", "mtls-client"))
    states = [{"name": "istio-proxy", "state": {"running": {}}, "ready": False}]
    body["status"] |= {"containerStatuses": states, "conditions": [{"type": "Ready", "status": "False"}]}
    shut = network("shut", {"podSelector": {}, "policyTypes": ["Egress"], "egress": []})
    stage = running(body, shut)
    lost = attempt(None, kind=OutcomeKind.INFRASTRUCTURE)
    for attempts in ((), (lost,)):
        found = why(stage, deny(), failed(*attempts, verdict=Verdict.INCONCLUSIVE))
        assert found.startswith("NetworkPolicy mtls-client/shut let nothing out of mtls-client/sleep to port 53")
    refused = attempt(None, kind=OutcomeKind.REFUSED)
    for answer in (attempt(503), refused):  # a server that has no ready pod
        found = why(stage, Case("X-1", IP, status(200)), failed(answer))
        assert found.startswith("NetworkPolicy mtls-client/shut let nothing out"), answer
    assert why(stage, Case("X-1", IP, status(200, body_contains("x"))), failed(attempt(200))) == ""
    ran = replace(attempt(403), matched=True, problem="")
    assert why(stage, deny(), failed(ran, verdict=Verdict.INCONCLUSIVE, time_to_stable_s=1.0)) == ""


def test_markers_are_no_policies() -> None:
    """They are in force with every stage, and match no request of a case."""
    overlay: Any = SimpleNamespace(labels={"app.kubernetes.io/managed-by": "meshproof"})
    item = marker_objects.refusal(overlay, "mtls-service", {"app": "httpbin"}, {}, 8080, "word")
    text = why(running(item.body), deny(), failed(attempt(200)))
    assert text == "no AuthorizationPolicy selects mtls-service/httpbin"


def test_names_are_those_of_the_documents() -> None:
    stage = running(REQUIRE)
    stage.rig.overlay.plain = lambda text: text.replace("mtls-service", "shop")
    text = why(stage, Case("X-1", IP, status(200)), failed(attempt(403)))
    assert text.startswith("AuthorizationPolicy shop/require-jwt does not allow it: requestPrincipals")


def test_token_of_the_request_counts() -> None:
    case = Case("X-1", CLIENT.get(URL, token="other-subject"), status(200))
    text = why(running(TOKENS, REQUIRE), case, failed(attempt(403)))
    assert text.endswith("the token's is testing@secure.istio.io/other@secure.istio.io")


SCOPES = Token(issuer="scopes", claims={"sub": "a"})


@pytest.mark.parametrize(
    "probe",
    [
        CLIENT.get(URL, token="valid", tokens=(SCOPES,)),
        CLIENT.get(URL, token="valid", token_as="x-token: {}"),
        CLIENT.get(URL, headers=(("x-scope-token", "abc"),)),
        Probe(CLIENT, "tcp://httpbin.mtls-service:8000", body="GET /ip HTTP/1.1\r\n\r\n"),
    ],
    ids=["two tokens", "another place", "by hand", "raw bytes"],
)
def test_what_a_request_carries_may_not_be_known(probe: Probe) -> None:
    methods = authorization("post", "ALLOW", {"to": [{"operation": {"methods": ["POST"], "paths": ["/x"]}}]})
    rules = REQUIRE if probe.protocol != "TCP" else methods
    assert why(running(TOKENS, rules), Case("X-1", probe, status(200)), failed(attempt(403))) == ""


def test_the_identity_at_a_pods_own_address_is_not_known() -> None:
    keep_out = authorization("keep-out", "DENY", source(namespaces=["mtls-client"]))
    probe = CLIENT.get("http://httpbin.mtls-service:8080/ip", dial=Dial.POD)
    assert why(running(keep_out), Case("X-1", probe, status(200)), failed(attempt(403))) == ""
    assert why(running(keep_out), Case("X-1", IP, status(200)), failed(attempt(403))).endswith("rule 0 matches")


def test_the_log_of_the_proxy_names_the_rule() -> None:
    stage, sample = running(authorization("deny-all", "DENY", {})), closed("")
    line = (
        '[2026-11-27T10:00:01.123Z] "GET /ip HTTP/1.1" 403 - '
        'rbac_access_denied_matched_policy[ns[mtls-service]-policy[deny-all]-rule[0]] - "-" 0 19 0 - "-" "curl/8.5.0" '
        '"mp-run-1" "httpbin:8000" "-" inbound|8080|| - - - - default'
    )
    stage.rig.cluster.logs_of["httpbin-6c9f7b8d5-x2x7p", "istio-proxy"] = [line.replace("mp-run-1", "another"), line]
    assert sample.effect == "closed"
    assert why(stage, Case("X-1", IP, status(200)), failed(attempt(403))) == (
        "AuthorizationPolicy mtls-service/deny-all refused it at mtls-service/httpbin by its rule 0 (the proxy's log)"
    )


def test_what_did_not_settle_comes_before_the_case() -> None:
    stage = running(policy("PeerAuthentication", "default", {"mtls": {"mode": "PERMISSIVE"}}))
    stage.settled = (Observation(PLAIN.get(URL), reset(), 1.0, (attempt(200),), problem="saw 200"),)
    assert why(stage, Case("X-1", IP, status(200)), failed()) == (
        "mutual TLS at mtls-service/httpbin port 8080 is PERMISSIVE by PeerAuthentication mtls-service/default"
    )


def test_state_before_the_change() -> None:
    stage = running(STRICT)
    reset_56 = attempt(None, kind=OutcomeKind.RESET)
    stage.baselines = {"X-1": Observation(PLAIN.get(URL), status(200), 1.0, (reset_56,), problem="saw 000")}
    assert why(stage, deny(), failed()).endswith("and legacy-client/sleep has no sidecar")


def test_twin_that_was_refused() -> None:
    twin = TwinProof("X-2", Verdict.FAIL, "200", "403", "mp-run-1")
    evidence = failed(attempt(403, phase=Phase.TWIN), twin=twin, time_to_stable_s=1.0)
    text = why(running(TOKENS, REQUIRE), deny(twin=IP), evidence)
    assert text.endswith("the request has no token that is verified")


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        (Case("X-1", IP, status(200)), attempt(504)),
        (Case("X-1", IP, status(200)), attempt(None, kind=OutcomeKind.TIMEOUT)),
        (Case("X-1", IP, status(200)), attempt(None, kind=OutcomeKind.DNS)),
        (Case("X-1", IP, status(200)), attempt(None, kind=OutcomeKind.INFRASTRUCTURE)),
        (Case("X-1", IP, status(200, body_contains("x"))), attempt(200)),
        (deny(), attempt(403)),
    ],
)
def test_an_outcome_that_no_policy_makes_has_no_why(asked: Case, seen: Attempt) -> None:
    assert why(running(TOKENS, REQUIRE), asked, failed(seen)) == ""


@pytest.mark.parametrize(
    "kinds",
    [(OutcomeKind.CONNECT_TIMEOUT,), (OutcomeKind.CONNECT_TIMEOUT, OutcomeKind.REFUSED), (OutcomeKind.REFUSED,)],
)
def test_what_the_network_lets_through_is_not_a_matter_of_sidecars(kinds: tuple[OutcomeKind, ...]) -> None:
    """A network may drop connections or refuse them; `refused` next to `timeout` made a missing sidecar the reason."""
    idle = network("only-dns", {"podSelector": {}, "policyTypes": ["Ingress"], "egress": [{}]}, "legacy-client")
    case = Case("X-1", PLAIN.get(URL), no_reply(*kinds), twin=IP)
    assert why(running(idle, stage=(idle,)), case, failed(attempt(200))) == (
        "NetworkPolicy legacy-client/only-dns has rules for egress that do nothing: its policyTypes leave Egress out"
    )


def test_a_pass_costs_nothing() -> None:
    cluster = Refusing()
    assert why(running(cluster=cluster), deny(), failed(attempt(200), verdict=Verdict.PASS)) == ""
    assert cluster.asked == []


@pytest.mark.parametrize("kind", ["AuthorizationPolicy", "Pod", "MutatingWebhookConfiguration"])
def test_with_few_rights_the_verdict_stays_and_nothing_is_guessed(kind: str) -> None:
    evidence = failed(attempt(200))
    canary = authorization("require-jwt", "ALLOW", labels={"istio.io/rev": "canary"})
    seen = Explainer(running(canary, cluster=Refusing(kind))).explained(deny(), evidence)
    assert seen == evidence


def test_the_cluster_is_read_once_for_a_state() -> None:
    cluster = Refusing()
    stage = running(cluster=cluster)
    explainer = Explainer(stage)
    assert (
        explainer.explained(deny(), failed(attempt(200))).why == "no AuthorizationPolicy selects mtls-service/httpbin"
    )
    read = len([one for one in cluster.asked if one.startswith("AuthorizationPolicy")])
    explainer.explained(deny(), failed(attempt(200)))
    assert len([one for one in cluster.asked if one.startswith("AuthorizationPolicy")]) == read
    stage.changed_at = 2.0
    explainer.explained(deny(), failed(attempt(200)))
    assert len([one for one in cluster.asked if one.startswith("AuthorizationPolicy")]) == 2 * read


def test_a_broken_detector_costs_no_verdict_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> list[Any]:
        raise KeyError("a shape that is not known")

    monkeypatch.setattr("clients.proof.why.detectors.of_case", broken)
    evidence = failed(attempt(200))
    why = "internal error: KeyError in clients.proof.why; please report it"
    assert Explainer(running()).explained(deny(), evidence) == replace(evidence, why=why)


@pytest.mark.parametrize(("dial", "host"), [(Dial.HOST, "httpbin.mtls-service:8000"), (Dial.POD, "")])
def test_a_pods_own_address_takes_the_place_of_the_host(dial: Dial, host: str) -> None:
    probe = Workload("mtls-client", "sleep", "sleep").get("http://httpbin.mtls-service:8000/ip", dial=dial)
    assert why_of._request(probe).host == host
