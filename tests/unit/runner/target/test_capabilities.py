"""The table of capabilities: whole, agreeing with the catalogue, and the source of what people read."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from clients.mesh.capabilities.capabilities import OF_MESH, CapabilityName
from clients.mesh.discovery import MeshInfo
from runner.config import catalogue
from runner.config.egress_settings import Egress
from runner.config.ingress_settings import Ingress
from runner.config.settings import Identity, Settings
from runner.target import capabilities, targets
from runner.target.access import Access, ExternalHostsRecord
from runner.target.browsers import Found
from runner.target.capabilities import TABLE, Surroundings, found
from runner.target.live import PUBLIC_IMAGES

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[4]
DERIVED = {"own-tokens", "own-iap-tokens", "auto-mtls"}
"""No suite asks for them: whatever sends tokens does (`runner.session.needs.token_needs`)."""
REAL = Identity(issuer="https://accounts.example.com", audience="door", token="env:TOKEN")


def modules() -> Iterator[ModuleType]:
    for path in sorted((ROOT / "suites").rglob("test_*.py")):
        yield importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def asked_by(module: ModuleType) -> set[str]:
    """What a module's stage, cases, tables and marks need."""
    stage = getattr(module, "STAGE", None)
    cases = [*getattr(module, "CASES", ()), *(case for table in getattr(module, "TABLES", ()) for case in table.cases)]
    names = set(stage.needs if stage else ()).union(*(case.needs for case in cases))
    names |= {name for case in cases for pair in getattr(case, "substitutes", ()) for name in pair}
    for value in vars(module).values():
        for mark in getattr(value, "pytestmark", ()) if callable(value) else ():
            names |= set(mark.kwargs.get("needs", ()))
    return names


def test_what_is_needed_is_in_the_table_and_all_of_the_table_is_needed() -> None:
    asked = {name for control in catalogue.load().controls.values() for name in control.needs}
    for module in modules():
        asked |= asked_by(module)
    assert asked | DERIVED == set(TABLE)


def test_every_name_has_one_entry() -> None:
    assert set(TABLE) == {name.value for name in CapabilityName}
    assert len(TABLE) == len(OF_MESH) + len(capabilities.OF_SURROUNDINGS)


def test_descriptions_are_those_of_the_catalogue() -> None:
    stated = yaml.safe_load((ROOT / "suites" / "catalogue.yaml").read_text())["capabilities"]
    assert {name: TABLE[name].description for name in stated} == stated
    assert "capabilities" not in yaml.safe_load((ROOT / "suites" / "own.yaml").read_text()), "they are in the table"


def test_the_page_is_made_of_the_table() -> None:
    page = (ROOT / "docs" / "capabilities.md").read_text()
    assert page == capabilities.document(), "write it again: python -m runner.target.capabilities"


def of(access: Access = Access(), browser: Found = Found(), **given: Any) -> capabilities.Capabilities:  # noqa: B008
    return found(
        MeshInfo("istio", lacks={"load-balancer": "none"}), Surroundings(targets.of(Settings(**given)), access, browser)
    )


def test_what_a_target_gives_is_there_whatever_is_detected() -> None:
    embedded, live = of(), of(target="live")
    assert {"load-balancer", "iap", "istiod-restart"} <= set(embedded.names)
    assert live.lacks["load-balancer"] == "none"
    assert "istiod-restart" in live.lacks
    assert not set(embedded.names) & embedded.lacks.keys()


def test_the_stand_in_of_iap_needs_nothing_but_the_run_s_own_key() -> None:
    assert "iap" in of(target="live").names
    assert of(target="live", iap=REAL).lacks["iap"] == "the issuer is https://accounts.example.com"


GOOGLES = {"metadata.google.internal": "198.51.100.210", "storage.googleapis.com": "198.51.100.200"}


@pytest.mark.parametrize(
    ("outside", "there"),
    [
        (ExternalHostsRecord(), False),
        (ExternalHostsRecord(dict.fromkeys(GOOGLES, ""), log="a"), False),
        (ExternalHostsRecord(GOOGLES), False),
        (ExternalHostsRecord(GOOGLES, log="a"), True),
    ],
)
def test_stand_ins_are_hosts_of_ones_own_in_the_place_of_google_s(outside: ExternalHostsRecord, there: bool) -> None:
    assert ("stand-ins" in of(Access(outside=outside), target="live").names) is there


def test_every_capability_that_is_not_there_has_a_reason() -> None:
    mesh = MeshInfo("istio", capabilities=frozenset(one.name.value for one in OF_MESH))
    made = found(mesh, Surroundings(targets.of(Settings()), Access(), Found(why_not="none is on the PATH")))
    assert set(made.names) | made.lacks.keys() == set(TABLE)
    assert made.lacks["chromium"] == "none is on the PATH"
    assert all(made.lacks.values())


HOSTS = {"example.com": ""}


@pytest.mark.parametrize(
    ("outside", "blocked", "has"),
    [
        (ExternalHostsRecord(), False, set()),
        (ExternalHostsRecord(), True, {"external-block"}),
        (ExternalHostsRecord(HOSTS), False, {"external-hosts", "external-open"}),
        (ExternalHostsRecord(HOSTS), True, {"external-hosts", "external-block"}),
        (
            ExternalHostsRecord(HOSTS | {"open.example.com": "198.51.100.138"}, log="a", blocked=True),
            False,
            {"external-hosts", "external-log", "external-block", "external-open"},
        ),
        (ExternalHostsRecord(HOSTS, ports=True), False, {"external-hosts", "external-open", "external-ports"}),
    ],
)
def test_what_the_network_lets_through(outside: ExternalHostsRecord, blocked: bool, has: set[str]) -> None:
    made = of(Access(outside=outside), target="live", egress=Egress(blocked=blocked))
    assert {name for name in made.names if name.startswith("external-")} == has


def test_the_key_of_a_real_issuer_is_what_the_run_lacks() -> None:
    assert {"front-key", "iap-key"} <= set(of().names)
    made = of(identity=REAL)
    assert "iap-key" in made.names
    assert made.lacks["front-key"] == "the issuer is https://accounts.example.com"


@pytest.mark.parametrize(("image", "counts"), [(PUBLIC_IMAGES["loadgenerator"], False), ("own:1", True)])
def test_a_load_generator_of_ones_own_counts(image: str, counts: bool) -> None:
    assert ("load-count" in of(Access(images={"loadgenerator": image})).names) is counts


@pytest.mark.parametrize(
    ("access", "browser", "name"),
    [(Access(istioctl="/bin/istioctl"), Found(), "analyze"), (Access(), Found("/bin/chromium"), "chromium")],
)
def test_programs_of_this_machine(access: Access, browser: Found, name: str) -> None:
    assert name in of(access, browser).names
    assert name in of().lacks


def test_a_forwarded_port_hides_the_address_of_the_client() -> None:
    assert "client-address" in of(context="x").names
    hidden = of(context="x", ingress=Ingress(way="port-forward"))
    assert "see a client at 127.0.0.1" in hidden.lacks["client-address"]


@pytest.mark.parametrize(
    ("ingress", "there"),
    [
        (Ingress(), True),
        (Ingress(way="address"), True),
        (Ingress(way="node-port"), False),
        (Ingress.model_validate({"shop": {"way": "port-forward"}}), False),
        (Ingress.model_validate({"iap": {"way": "node-port"}}), True),
    ],
)
def test_a_way_without_load_balancers_lacks_them(ingress: Ingress, there: bool) -> None:
    made = of(ingress=ingress)
    assert ("load-balancer" in made.names) is there
    assert there or "frontend/frontend-external" in made.lacks["load-balancer"]
