"""What the suites of the shop say agrees with their manifests; no cluster."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.model.errors import InfrastructureError
from clients.model.expect import status
from clients.model.images import SHOP
from runner.config.image_settings import Images
from runner.target.live import PUBLIC_IMAGES
from suites.boutique import inbound, precedence, workloads
from suites.boutique.migration import Tally
from suites.boutique.outbound import rule_of
from suites.boutique.precedence import DISABLE, PERMISSIVE, PORTS, STRICT, UNSET, effective
from testbed import api

pytestmark = pytest.mark.unit

MANIFESTS = Path(__file__).parents[3] / "manifests" / "boutique"


def objects(folder: str, kind: str) -> list[dict[str, Any]]:
    paths = sorted((MANIFESTS / folder).glob("*.yaml"))
    found = [body for path in paths for body in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    return [body for body in found if body["kind"] == kind]


def test_the_shop_has_eleven_namespaces_each_with_its_service_and_account() -> None:
    named = {(body["metadata"]["namespace"], body["metadata"]["name"]) for body in objects("environment", "Service")}
    accounts = {
        (body["metadata"]["namespace"], body["metadata"]["name"]) for body in objects("environment", "ServiceAccount")
    }
    assert len(workloads.SERVICES) == 11
    assert named >= set(workloads.SERVICES.items())
    assert accounts >= set(workloads.SERVICES.items())


def test_every_pod_of_the_shop_runs_under_its_own_account() -> None:
    for body in objects("environment", "Deployment"):
        assert body["spec"]["template"]["spec"]["serviceAccountName"] == body["metadata"]["name"]


def test_each_of_the_eleven_namespaces_has_its_strict_policy() -> None:
    policies = objects("namespace-strict", "PeerAuthentication")
    assert {body["metadata"]["namespace"] for body in policies} == set(workloads.SERVICES)
    assert {body["metadata"]["name"] for body in policies} == {"namespace-policy"}
    assert all(body["spec"] == {"mtls": {"mode": "STRICT"}} for body in policies)


def test_every_image_is_known_to_every_kind_of_target() -> None:
    used = {
        container["image"].removeprefix("meshproof/")
        for body in objects("environment", "Deployment")
        for container in body["spec"]["template"]["spec"]["containers"]
    } - {"auto"}
    assert used <= set(api.IMAGES) & set(PUBLIC_IMAGES) & set(Images.model_fields)
    assert set(SHOP) <= used


def test_the_manifests_of_precedence_are_the_table() -> None:
    modes = {
        (body["metadata"]["namespace"], body["metadata"]["name"]): body["spec"]
        for body in objects("precedence", "PeerAuthentication")
    }
    for (name, app), (namespace, workload) in precedence.LEVELS.items():
        stated = modes.get((name, "namespace"), {}).get("mtls", {}).get("mode", "UNSET")
        spec = modes[(name, workloads.ECHO if app == workloads.ECHO else "workload")]
        assert stated == namespace
        assert spec.get("mtls", {}).get("mode", "UNSET") == workload
        assert spec["selector"]["matchLabels"] == {"app": app}
        ports = {int(port): mode["mode"] for port, mode in spec["portLevelMtls"].items()}
        assert {**dict.fromkeys(PORTS, "UNSET"), **ports} == PORTS


def test_precedence_holds_every_pair_of_modes_for_workloads_that_exist() -> None:
    assert sorted(precedence.LEVELS.values()) == sorted(product((UNSET, STRICT, PERMISSIVE, DISABLE), repeat=2))
    pods = {(body["metadata"]["namespace"], body["metadata"]["name"]) for body in objects("environment", "Deployment")}
    assert set(precedence.LEVELS) <= pods
    assert {name for name, _ in precedence.LEVELS} == set(workloads.SERVICES)


@pytest.mark.parametrize(
    ("folders", "mesh"),
    [(("precedence",), UNSET), (("precedence", "mesh-wide-disable"), DISABLE)],
)
def test_where_a_wider_level_disables_a_rule_makes_sidecars_call_strict_ports_by_mutual_tls(
    folders: tuple[str, ...], mesh: precedence.Mode
) -> None:
    ruled = {
        (body["metadata"]["namespace"], body["metadata"]["name"], setting["port"]["number"])
        for folder in folders
        for body in objects(folder, "DestinationRule")
        for setting in body["spec"]["trafficPolicy"]["portLevelSettings"]
    }
    misled = {
        (name, app, port)
        for ((name, app), (namespace, workload)), (port, own) in product(precedence.LEVELS.items(), PORTS.items())
        if effective(mesh, namespace, UNSET, UNSET) is DISABLE and effective(mesh, namespace, workload, own) is STRICT
    }
    assert misled
    assert {one for one in ruled if one[2] in PORTS} == misled


@pytest.mark.parametrize(
    ("levels", "mode"),
    [
        ((UNSET, UNSET, UNSET, UNSET), PERMISSIVE),
        ((STRICT, UNSET, UNSET, UNSET), STRICT),
        ((STRICT, PERMISSIVE, UNSET, UNSET), PERMISSIVE),
        ((PERMISSIVE, PERMISSIVE, STRICT, UNSET), STRICT),
        ((STRICT, STRICT, STRICT, DISABLE), DISABLE),
    ],
)
def test_the_narrowest_level_counts(levels: tuple[precedence.Mode, ...], mode: precedence.Mode) -> None:
    assert effective(*levels) is mode


def test_a_table_of_precedence_has_every_port_of_every_workload_both_ways() -> None:
    cells = precedence.table("X-BTQ-LEVEL-01", UNSET).cases
    assert len({case.id for case in cells}) == len(cells) == 16 * 4 * 2
    assert all(case.twin for case in cells if case.expect.status is None)


def test_refusals_of_the_outsider_have_a_twin_by_mutual_tls() -> None:
    refused = workloads.outside_to_everyone("X-BTQ-TABLE-04", precedence.reset(), before=status(200)).cases
    assert len(refused) == 11
    assert all(case.twin and case.twin.source == workloads.CATALOG for case in refused)
    assert len(workloads.everyone_to_everyone("X-BTQ-TABLE-01").cases) == 121


@pytest.mark.parametrize("tally", [Tally(100, 0, 200, ""), Tally(20, 0, 3000, "")])
def test_a_migration_without_errors_and_gap_has_no_problem(tally: Tally) -> None:
    assert tally.problem() is None


@pytest.mark.parametrize(
    ("tally", "problem"),
    [
        (Tally(100, 1, 200, "boom"), "1 of 100 requests failed, the last: boom"),
        (Tally(100, 0, 3001, ""), "no good answer for 3001 ms"),
        (Tally(3, 0, 10, ""), "only 3 requests were sent: 3 requests, 0 errors, longest gap 10 ms"),
    ],
)
def test_a_migration_with_errors_with_a_gap_or_without_load_has_a_problem(tally: Tally, problem: str) -> None:
    assert tally.problem() == problem


def test_a_gap_of_a_load_that_was_slow_before_any_change_is_not_the_mesh() -> None:
    """On a machine at a load of 100 there were 126 requests in half a minute, no error, and a gap of 3.6 s."""
    slow = Tally(126, 0, 3564, "", before=4)
    with pytest.raises(InfrastructureError, match=r"no good answer for 3564 ms, and only 4 in the 1\.5 s before"):
        slow.problem()
    assert replace(slow, longest_gap_ms=2000).problem() is None
    assert replace(slow, errors=1, last_error="503").problem() == "1 of 126 requests failed, the last: 503"


def test_an_inbound_listener_tells_how_a_port_is_open() -> None:
    def chain(port: int, **more: Any) -> dict[str, Any]:
        return {"filter_chain_match": {"destination_port": port}, **more}

    chains = [chain(7001, transport_socket={}), chain(7001), chain(7002, transport_socket={}), {}]
    listener = {"name": inbound.LISTENER, "active_state": {"listener": {"filter_chains": chains}}}
    dump = {"configs": [{"dynamic_listeners": [{"name": "other"}, listener]}]}
    assert inbound.accepts(dump, 7001) == {"tls", "plaintext"}
    assert inbound.accepts(dump, 7002) == {"tls"}
    assert inbound.accepts(dump, 7003) == set()


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ([], ""),
        ([(7002, None)], "accepts plaintext and tls on port 7002"),
        ([(None, None)], "accepts plaintext and tls on a port that no Service has"),
        ([(7003, {"common_tls_context": {}})], "accepts tls without a verified certificate on port 7003"),
    ],
)
def test_strict_is_strict_at_every_port(more: list[tuple[int | None, dict[str, Any] | None]], found: str) -> None:
    def chain(port: int | None, socket: dict[str, Any] | None) -> dict[str, Any]:
        match = {"destination_port": port} if port else {}
        return {
            "filter_chain_match": match,
            **({"transport_socket": {"typed_config": socket}} if socket is not None else {}),
        }

    chains = [chain(15006, None), *(chain(port, {}) for port in (7001, 7002, None)), *(chain(*one) for one in more)]
    listener = {"active_state": {"listener": {"name": inbound.LISTENER, "filter_chains": chains}}}
    assert inbound.difference({"configs": [{"dynamic_listeners": [listener]}]}, {"tls"}) == found


def test_a_listener_without_the_tables_port_is_not_strict() -> None:
    assert inbound.difference({"configs": []}, {"tls"}) == "accepts nothing on port 7001"


@pytest.mark.parametrize(("name", "counts"), [("frontend", True), ("meshproof-open-mesh-frontend", False), ("", False)])
def test_a_rule_that_only_sets_the_mesh_s_own_aside_does_not_count(name: str, counts: bool) -> None:
    path = f"/apis/networking.istio.io/v1/namespaces/frontend/destination-rule/{name}" if name else ""
    assert bool(rule_of({"metadata": {"filter_metadata": {"istio": {"config": path}}}})) is counts
