"""What proxies say at the end of a phase, and pods that do not start; the faults are real in `test_upgrade.py`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clients.hold.held import HOME, SERVERS, Held
from clients.kube.api import RequestError
from clients.kube.pods import SIDECAR, Pod
from clients.mesh import sidecar
from clients.model.errors import InfrastructureError
from runner.upgrade import proxies, stalled
from runner.upgrade.plan import PhaseName
from runner.upgrade.proxies import Proxies
from runner.upgrade.record import Event, UpgradeSide

pytestmark = pytest.mark.unit
NEW = UpgradeSide("next", "1-31-1", "1.31.1")
HELD = Held("hold-1", {HOME: "clients", SERVERS: "servers"})
WHY = "Didn't find a registered implementation for 'of-the-new-proxy'"


def certs(*roots: str, uri: str = "spiffe://cluster.local/ns/a/sa/b") -> str:
    chain = [{"serial_number": "1", "subject_alt_names": [{"uri": uri}]}]
    own = {"ca_cert": [{"serial_number": root} for root in roots], "cert_chain": chain}
    other = {"ca_cert": [{"serial_number": "of another TLS"}], "cert_chain": [{"subject_alt_names": [{"dns": "a"}]}]}
    return json.dumps({"certificates": [own, other]})


class _MeshOfProxies:
    """Two namespaces with a pod each; the answers of their proxies by pod and the beginning of the path."""

    def __init__(self) -> None:
        self.rejected = {"clients/one": 0, "servers/one": 0}
        self.certs = dict.fromkeys(self.rejected, certs("a"))
        self.silent = ""

    def pods(self, namespace: str) -> list[Pod]:
        plain = Pod(namespace, "plain", ready=True)
        return [plain, Pod(namespace, "one", ready=True, containers=(SIDECAR,)), Pod(namespace, "starts")]

    def admin(self, _: Any, pod: Pod, path: str) -> str:
        assert pod.injected
        if str(pod) == self.silent:
            raise InfrastructureError(f"sidecar of {pod} did not answer {path}")
        if path == "certs":
            return self.certs[str(pod)]
        if path.startswith("stats"):
            counts = {"cluster_manager.cds": 0, "listener_manager.lds": self.rejected[str(pod)]}
            return "".join(f"{name}.update_rejected: {count}\n" for name, count in counts.items())
        return json.dumps({"configs": [{}, {"error_state": {"details": WHY}}]})


@pytest.fixture
def mesh(monkeypatch: pytest.MonkeyPatch) -> _MeshOfProxies:
    made = _MeshOfProxies()
    monkeypatch.setattr(sidecar, "admin", made.admin)
    return made


def looks(mesh: Any) -> Proxies:
    return Proxies(mesh, HELD)


def test_proxies_that_accept_and_trust_the_same_are_fine(mesh: _MeshOfProxies) -> None:
    assert looks(mesh).events("mixed") == []


def test_a_proxy_that_rejects_is_named_once_with_its_reason(mesh: _MeshOfProxies) -> None:
    own = looks(mesh)
    mesh.rejected["servers/one"] = 2
    (event,) = own.events("canary")
    assert (event.phase, event.kind, event.what) == ("canary", "rejected", "servers/one")
    assert event.text == f"its proxy rejects the configuration of its control plane: {WHY}"
    assert own.events("mixed") == [], "nothing more was rejected"
    mesh.rejected["servers/one"] = 3
    assert [event.phase for event in own.events("moved")] == ["moved"]


def test_what_is_rejected_before_anything_moved_is_not_the_upgrades_doing(mesh: _MeshOfProxies) -> None:
    mesh.rejected["servers/one"] = 1
    assert [event.kind for event in looks(mesh).events(PhaseName.BEFORE)] == ["not known"]


def test_a_proxy_that_does_not_answer_is_not_known(mesh: _MeshOfProxies) -> None:
    mesh.silent = "clients/one"
    (event,) = looks(mesh).events("mixed")
    assert (event.kind, event.what) == ("not known", "clients/one")


@pytest.mark.parametrize(
    ("roots", "found"),
    [
        (("b",), [("root", "servers/one")]),
        (("b", "a"), []),  # a bundle in the course of a rotation
    ],
)
def test_proxies_without_a_common_root_are_named(
    roots: tuple[str, ...], found: list[tuple[str, str]], mesh: _MeshOfProxies
) -> None:
    mesh.certs["servers/one"] = certs(*roots)
    events = looks(mesh).events("mixed")
    assert [(event.kind, event.what) for event in events] == found
    assert all("are not those of clients/one" in event.text for event in events)


def test_certificates_of_other_authorities_are_not_the_meshs() -> None:
    assert proxies.roots_of(certs("a", uri="https://elsewhere")) == frozenset()
    assert proxies.apart("mixed", {"a": frozenset(), "b": frozenset("1"), "c": frozenset("1")}) == []


def test_two_proxies_that_trust_different_roots_of_a_third_are_apart() -> None:
    """In the course of a rotation one has both; the others cannot verify each other."""
    events = proxies.apart("mixed", {"both": frozenset("12"), "old": frozenset("1"), "new": frozenset("2")})
    assert [(event.what, event.text.endswith("are not those of old")) for event in events] == [("new", True)]


@pytest.mark.parametrize(
    "text", ["not JSON", "[]", "", '{"certificates": [1]}', '{"certificates": [{"cert_chain": 1}]}']
)
def test_a_proxy_that_lists_no_certificates_is_not_known(text: str, mesh: _MeshOfProxies) -> None:
    mesh.certs["servers/one"] = text
    assert [(event.kind, event.what) for event in looks(mesh).events("mixed")] == [("not known", "servers/one")]


def test_a_proxy_that_does_not_say_what_it_rejects_is_not_known() -> None:
    with pytest.raises(InfrastructureError, match="does not say whether"):
        proxies.rejected("")


def test_a_proxy_that_has_started_again_counts_from_the_beginning(mesh: _MeshOfProxies) -> None:
    own = looks(mesh)
    mesh.rejected["servers/one"] = 3
    own.events("canary")
    mesh.rejected["servers/one"] = 1
    assert [event.kind for event in own.events("mixed")] == ["rejected"]
    mesh.rejected["servers/one"] = 0
    assert own.events("moved") == []


# -- pods that do not start


def pod(name: str = "server-1", revision: str = "1-31-1", waiting: str = "", *, ready: bool = False) -> dict[str, Any]:
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    return {
        "metadata": {
            "name": name,
            "namespace": "servers",
            "annotations": {"sidecar.istio.io/status": json.dumps({"revision": revision})},
        },
        "status": {"initContainerStatuses": [{"name": SIDECAR, "ready": ready, "state": state}]},
    }


class _Stuck:
    """Pods, Deployments and the log of proxies."""

    def __init__(self, *pods: dict[str, Any], log: str = "", conditions: tuple[dict[str, str], ...] = ()) -> None:
        self.pods, self.log = pods, log
        self.deployments = [{"metadata": {"name": "server"}, "status": {"conditions": list(conditions)}}]

    def objects(self, _: str, kind: str, namespace: str) -> list[dict[str, Any]]:
        assert namespace == "servers"
        return list(self.pods) if kind == "Pod" else self.deployments

    def logs(self, _: Pod, container: str, *, tail: int) -> str:
        if not self.log:
            raise RequestError("GET /log", 400, "has not started")
        return self.log


def stuck(cluster: Any) -> list[Event]:
    return stalled.events("mixed", cluster, "servers", NEW)


def test_a_proxy_that_does_not_become_ready_is_named_with_the_last_trouble_of_its_log() -> None:
    log = "t1\tinfo\tstarting\nt2\twarn\tca\tx509: certificate signed by unknown authority\nt3\tinfo\twaiting\n"
    (event,) = stuck(_Stuck(pod(), log=log))
    assert (event.phase, event.kind, event.what) == ("mixed", "not ready", "servers/server-1")
    assert event.text.startswith("its proxy of revision 1-31-1 does not become ready: t2 warn ca x509: ")


def test_without_a_log_the_proxy_is_named_too() -> None:
    (event,) = stuck(_Stuck(pod(waiting="CrashLoopBackOff")))
    assert event.text == "its proxy of revision 1-31-1 does not become ready"


@pytest.mark.parametrize(
    "other",
    [
        pod(ready=True),  # the application is what is not ready
        pod(revision="1-29-1"),
        pod(waiting="ImagePullBackOff"),
        {**pod(), "status": {}},
        {**pod(), "metadata": {**pod()["metadata"], "deletionTimestamp": "now"}},
    ],
)
def test_other_reasons_do_not_speak_against_the_upgrade(other: dict[str, Any]) -> None:
    quota = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    assert stuck(_Stuck(other, log="x", conditions=(quota,))) == []


def test_a_webhook_that_does_not_answer_is_named() -> None:
    text = 'Internal error occurred: failed calling webhook "rev.namespace.sidecar-injector.istio.io"'
    failure = {"type": "ReplicaFailure", "status": "True", "message": text}
    (event,) = stuck(_Stuck(conditions=(failure,)))
    assert (event.kind, event.what, event.text) == ("not ready", "servers/server", text)
