"""Settings of the ways in: by gateway, by the names that its Service has in the manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.model.entrance import Entrance, Way
from clients.model.errors import SettingsError
from runner.config import settings
from runner.config.ingress_settings import SERVICES, Ingress

pytestmark = pytest.mark.unit
MANIFESTS = Path(__file__).parents[4] / "manifests"


def test_each_gateway_has_an_address_of_its_own_and_the_ingress_address_is_that_of_the_others() -> None:
    made = Ingress.model_validate({"front": {"address": "front.internal"}, "iap": {"way": "port-forward"}})
    found = made.entrances("192.168.7.7")
    assert found["gke-system/istio-ingress"] == Entrance("front.internal")
    assert found["iap-ingress/istio-ingressgateway"] == Entrance("192.168.7.7", Way.PORT_FORWARD)
    assert found["frontend/frontend-external"] == Entrance(), "it is no ingress gateway"
    assert found["gke-system/front-door"] == Entrance()


def test_a_way_for_all_is_that_of_each() -> None:
    assert {one.way for one in Ingress(way=Way.NODE_PORT).entrances().values()} == {Way.NODE_PORT}


@pytest.mark.parametrize(
    ("given", "accepted", "types"),
    [
        ({}, "", set()),
        ({"way": "address"}, "", set()),
        ({"front": {"address": "front.internal"}}, "", set()),
        ({"way": "node-port"}, "", {"NodePort"}),
        ({"way": "port-forward"}, "NodePort", {"ClusterIP"}),
        ({}, "NodePort", {"NodePort"}),
    ],
)
def test_a_gateway_asks_for_a_load_balancer_only_where_its_way_uses_one(
    given: dict[str, Any], accepted: str, types: set[str]
) -> None:
    """`way = "port-forward"` still made public load balancers, and waited for them."""
    made = Ingress.model_validate(given).service_types(accepted)
    assert set(made.values()) == types
    assert made.keys() == (set(SERVICES.values()) if types else set())
    one = Ingress.model_validate({"shop": {"way": "port-forward"}})
    assert one.service_types() == {"frontend/frontend-external": "ClusterIP"}


def test_the_services_are_those_of_the_manifests() -> None:
    made = set()
    for path in MANIFESTS.rglob("*.yaml"):
        for body in filter(None, yaml.safe_load_all(path.read_text().replace("{{", "").replace("}}", ""))):
            if body["kind"] == "Service" and body["spec"].get("type") in ("LoadBalancer", "NodePort"):
                made.add(f"{body['metadata']['namespace']}/{body['metadata']['name']}")
            if body["kind"] == "Gateway" and "infrastructure" in body["spec"]:
                made.add(f"{body['metadata']['namespace']}/{body['metadata']['name']}")
    probed_alone = {"canary/door"}  # the preflight's own: what it finds is no gateway's address
    assert made == set(SERVICES.values()) | probed_alone


def test_the_file_names_a_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "meshproof.toml"
    file.write_text('[ingress]\nway = "address"\n[ingress.front]\naddress = "front.internal"\n')
    monkeypatch.setenv("MESHPROOF_CONFIG", str(file))
    assert settings.load().ingress.front.address == "front.internal"
    file.write_text('[ingress.frnt]\naddress = "front.internal"\n')
    with pytest.raises(SettingsError, match=r"no setting ingress.frnt.*did you mean front\?"):
        settings.load()
