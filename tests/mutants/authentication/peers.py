"""Mutants of mutual TLS: modes at the wrong level, and policies that another one overrides."""

from __future__ import annotations

import copy
from typing import Any

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Mutant, Object, document_namespace, networking, of_kind, run_labels
from tests.mutants.places import BOUTIQUE, EGRESS, MESH, STRICT

_PEERS = "PeerAuthentication"
_NOT_REFUSED = {"LAB-NSMTLS-03": "saw 200"}


def _add_another(
    objects: list[Object], name: str, spec: dict[str, Any], *, before: bool = False, called: str = ""
) -> None:
    """Add a PeerAuthentication to each manifest that has the one of this name."""
    for body in list(of_kind(objects, _PEERS, name)):
        made = copy.deepcopy(body)
        made["metadata"]["name"] = called or f"{name}-too"
        made["spec"] = spec
        objects.insert(0 if before else len(objects), made)


@mutant("mode-permissive", Area.MTLS, STRICT, cases("LAB-NSMTLS-03", FAIL), _NOT_REFUSED, nightly=True)
def mode_permissive(objects: list[Object]) -> None:
    """PERMISSIVE where STRICT is meant."""
    for body in of_kind(objects, _PEERS, "restricted-mtls"):
        body["spec"]["mtls"]["mode"] = "PERMISSIVE"


@mutant("mode-unset", Area.MTLS, STRICT, cases("LAB-NSMTLS-03", FAIL), _NOT_REFUSED, nightly=True)
def mode_unset(objects: list[Object]) -> None:
    """The namespace's mode is UNSET, so that of the mesh counts: PERMISSIVE."""
    for body in of_kind(objects, _PEERS, "restricted-mtls"):
        body["spec"]["mtls"]["mode"] = "UNSET"


@mutant("workload-permissive", Area.MTLS, STRICT, cases("LAB-NSMTLS-03", FAIL), _NOT_REFUSED, nightly=True)
def workload_permissive(objects: list[Object]) -> None:
    """A workload's own PERMISSIVE overrides its namespace's STRICT."""
    spec = {"selector": {"matchLabels": {"app": "httpbin"}}, "mtls": {"mode": "PERMISSIVE"}}
    _add_another(objects, "restricted-mtls", spec)


@mutant("workload-disabled", Area.MTLS, STRICT, cases("LAB-NSMTLS-03", FAIL), _NOT_REFUSED, nightly=True)
def workload_disabled(objects: list[Object]) -> None:
    """A workload's own DISABLE overrides its namespace's STRICT: its traffic is plaintext only."""
    spec = {"selector": {"matchLabels": {"app": "httpbin"}}, "mtls": {"mode": "DISABLE"}}
    _add_another(objects, "restricted-mtls", spec)


@mutant("port-level-of-the-service", Area.MTLS, STRICT, cases("LAB-NSMTLS-03", FAIL), _NOT_REFUSED, nightly=True)
def port_level_of_the_service(objects: list[Object]) -> None:
    """STRICT is set for the Service's port, where only that of the container counts."""
    for body in of_kind(objects, _PEERS, "restricted-mtls"):
        body["spec"] = {
            "selector": {"matchLabels": {"app": "httpbin"}},
            "portLevelMtls": {"8000": {"mode": "STRICT"}},
        }


@mutant("selector-misspelt", Area.MTLS, STRICT, cases("LAB-NSMTLS-03", FAIL), _NOT_REFUSED, nightly=True)
def selector_misspelt(objects: list[Object]) -> None:
    """STRICT selects a label that no pod has."""
    for body in of_kind(objects, _PEERS, "restricted-mtls"):
        body["spec"]["selector"] = {"matchLabels": {"app": "httpbim"}}


@mutant("an-older-one-wins", Area.MTLS, STRICT, cases("LAB-NSMTLS-03", FAIL), _NOT_REFUSED, nightly=True)
def an_older_one_wins(objects: list[Object]) -> None:
    """The namespace has an older policy without selector, PERMISSIVE: of two of one level the older one counts."""
    _add_another(objects, "restricted-mtls", {"mtls": {"mode": "PERMISSIVE"}}, before=True, called="a-mtls")


@mutant(
    "mesh-wide-with-selector", Area.MTLS, MESH, cases("LAB-MTLS-03", FAIL), {"LAB-MTLS-03": "saw 200"}, nightly=True
)
def mesh_wide_with_selector(objects: list[Object]) -> None:
    """The mesh-wide policy has a selector, which makes it one of the root namespace's own workloads."""
    for body in of_kind(objects, _PEERS, "mesh-wide-mtls"):
        body["spec"]["selector"] = {"matchLabels": {"app": "httpbin"}}


@mutant(
    "mesh-wide-in-one-namespace",
    Area.MTLS,
    BOUTIQUE,
    {f"X-BTQ-TABLE-06[outside to {name}]": FAIL for name in ("ad", "cart", "payment")}
    | {"X-BTQ-TABLE-06[outside to frontend]": PASS},
    nightly=True,
)
class MeshWideInOneNamespace(Mutant):
    """The policy for the whole mesh is in one namespace, the one that the stage's own probe looks at."""

    def __init__(self) -> None:
        self._there = ""

    def objects(self, objects: list[Object]) -> None:
        for body in of_kind(objects, "Namespace"):  # the environment comes before the stage
            if document_namespace(body) == "frontend":
                self._there = body["metadata"]["name"]
        for body in of_kind(objects, _PEERS, "mesh-wide"):
            body["metadata"]["namespace"] = self._there


@mutant(
    "plaintext-from-the-client",
    Area.CLIENT,
    MESH,
    cases("LAB-MTLS-01 03", FAIL) | cases("LAB-MTLS-02", PASS),
    nightly=True,
)
def plaintext_from_the_client(objects: list[Object]) -> None:
    """A destination rule makes the client's sidecar call in plaintext."""
    for body in list(of_kind(objects, "Namespace")):
        if body["metadata"]["name"].endswith("mtls-client"):
            meta = {**copy.deepcopy(body["metadata"]), "name": "plaintext", "namespace": body["metadata"]["name"]}
            spec = {"host": "*.svc.cluster.local", "trafficPolicy": {"tls": {"mode": "DISABLE"}}}
            objects.append(networking("DestinationRule", {**meta, "labels": run_labels(meta)}, spec))


@mutant("override-elsewhere", Area.MTLS, EGRESS, cases("EGR-MTLS-02", FAIL), nightly=True)
def override_elsewhere(objects: list[Object]) -> None:
    """The namespace's PERMISSIVE, which should override STRICT, selects a workload that does not exist."""
    for body in of_kind(objects, _PEERS):
        if body["spec"].get("mtls", {}).get("mode") == "PERMISSIVE":
            body["spec"]["selector"] = {"matchLabels": {"app": "no-pod"}}


@mutant("mesh-wide-permissive", Area.MTLS, EGRESS, cases("EGR-MTLS-01", FAIL), nightly=True)
def mesh_wide_permissive(objects: list[Object]) -> None:
    """The policy of the whole mesh is PERMISSIVE."""
    for body in of_kind(objects, _PEERS):
        if body["metadata"]["namespace"] == "istio-system":
            body["spec"]["mtls"]["mode"] = "PERMISSIVE"


@mutant(
    "strict-misses-one-workload",
    Area.MTLS,
    BOUTIQUE,
    {"X-BTQ-TABLE-04[outside to ad]": FAIL, "X-BTQ-TABLE-04[outside to cart]": PASS} | cases("BTQ-NS-08", FAIL),
    nightly=True,
)
def strict_misses_one_workload(objects: list[Object]) -> None:
    """One namespace's policy selects the namespace's other workload only."""
    for body in of_kind(objects, _PEERS, "namespace-policy"):
        if body["metadata"]["namespace"].endswith("-ad"):
            body["spec"]["selector"] = {"matchLabels": {"app": "echo"}}
