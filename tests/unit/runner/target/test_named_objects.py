"""What the settings name on the cluster is looked for before anything starts: one line, and exit code 2."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from cluster_fakes import FakeCluster

from clients.mesh import discovery
from clients.model.errors import AccessError, ClusterError, SettingsError
from runner.config.settings import Settings
from runner.target import named

pytestmark = pytest.mark.unit

INJECTING = {
    "kind": "MutatingWebhookConfiguration",
    "metadata": {"name": "istio-sidecar-injector", "labels": {"app": "sidecar-injector"}},
    "webhooks": [],
}
POD = {
    "kind": "Pod",
    "metadata": {"name": "a", "namespace": "team-egress", "labels": {"istio": "egressgateway"}},
    "status": {},
}


def gateway(*ports: tuple[int, int | str]) -> dict[str, Any]:
    """The user's egress gateway, with these ports and what is behind them."""
    stated = [{"port": port, "targetPort": target} for port, target in ports]
    meta = {"name": "istio-egressgateway", "namespace": "team-egress"}
    return {"kind": "Service", "metadata": meta, "spec": {"ports": stated}}


WHOLE = gateway((80, 8080), (443, "https"), (15021, 15021))


def meshed(*more: dict[str, Any]) -> Any:
    cluster = FakeCluster()
    cluster.put(INJECTING, *more)
    return cluster


def settings(**given: Any) -> Settings:
    return Settings.model_validate(given)


def require(cluster: Any, given: Settings) -> None:
    named.require(named.survey_of(cluster, given), given)


EGRESS = {"egress": {"namespace": "team-egress"}}


def test_a_cluster_that_has_all_of_them_is_taken() -> None:
    require(meshed(), settings())
    require(meshed(WHOLE, POD), settings(**EGRESS))


@pytest.mark.parametrize(
    ("given", "there", "message"),
    [
        ({"revision": "nope"}, (), "the mesh has no revision or tag nope"),
        ({"root_namespace": "nope"}, (), "root_namespace names nope, a namespace that does not exist"),
        ({"pods": {"pull_secret": "ci/nope"}}, (), "pods.pull_secret names ci/nope, which does not exist"),
        (EGRESS, (POD,), "the egress gateway team-egress/istio-egressgateway, a Service that does not exist"),
        (EGRESS, (WHOLE,), "no pod in team-egress has the label istio=egressgateway"),
        (EGRESS, (POD, gateway((80, 8080))), "the egress gateway team-egress/istio-egressgateway has no port 443"),
        (
            EGRESS,
            (POD, gateway((80, 8081), (443, 8443))),
            "port 80 of the egress gateway team-egress/istio-egressgateway leads to 8081, and egress.http_port is 8080",
        ),
    ],
)
def test_what_does_not_exist_is_bad_input(given: dict[str, Any], there: tuple[dict[str, Any], ...], message: str):
    """All cases of egress, or all of a run, ended inconclusive for it."""
    with pytest.raises(SettingsError) as caught:
        require(meshed(*there), settings(**given))
    assert message in str(caught.value)
    assert caught.value.hint


def test_a_cluster_without_a_mesh_is_no_matter_of_settings() -> None:
    with pytest.raises(ClusterError, match="no service mesh was found"):
        require(FakeCluster(), settings(root_namespace="nope"))


def test_a_gateway_that_may_not_be_looked_at_is_left_to_the_run() -> None:
    cluster = meshed()
    seen = cluster.get

    def get(version: str, kind: str, name: str, namespace: str = "") -> Any:
        if kind == "Service":
            raise AccessError("services is forbidden")
        return seen(version, kind, name, namespace)

    cluster.get = get
    require(cluster, settings(**EGRESS))


class CountedReads(FakeCluster):
    """Counts what is read of the cluster."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[tuple[str, ...]] = Counter()

    def get(self, version: str, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        self.reads[kind, namespace, name] += 1
        return super().get(version, kind, name, namespace)

    def objects(
        self, version: str, kind: str, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[dict[str, Any]]:
        self.reads[f"list of {kind}", namespace, labels, fields] += 1
        return super().objects(version, kind, namespace, labels, fields)


def test_what_the_settings_name_and_what_is_found_there_are_read_once() -> None:
    """The command looks at what the settings name, then pytest at that and at all else; it read ConfigMaps 4 times."""
    cluster, given = CountedReads(), settings(pods={"pull_secret": "ci/pull"})
    istiod = {"service": {"name": "istiod", "namespace": "istio-system"}}
    cluster.put(
        {**INJECTING, "webhooks": [{"name": "rev.namespace.sidecar-injector.istio.io", "clientConfig": istiod}]},
        {"kind": "Secret", "metadata": {"name": "pull", "namespace": "ci"}},
        {"kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "istio-system"}, "data": {"mesh": "{}"}},
    )
    survey = named.survey_of(cluster, given)  # type: ignore[arg-type]
    named.require(survey, given)
    assert discovery.seen(survey).name == "istio"
    assert {what: count for what, count in cluster.reads.items() if count > 1} == {}
