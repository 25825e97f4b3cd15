"""Mutants of injection: sidecars that are missing, or that traffic passes by."""

from __future__ import annotations

import copy

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Object, document_namespace, of_kind
from tests.mutants.places import MESH, STRICT

_INJECT = "sidecar.istio.io/inject"


def _template(objects: list[Object], namespace: str, name: str) -> list[Object]:
    """Pod templates of a Deployment."""
    found = (body for body in of_kind(objects, "Deployment", name) if document_namespace(body) == namespace)
    return [body["spec"]["template"]["metadata"] for body in found]


def _annotate(objects: list[Object], namespace: str, name: str, **annotations: str) -> None:
    for meta in _template(objects, namespace, name):
        meta.setdefault("annotations", {}).update(
            {f"traffic.sidecar.istio.io/{key}": value for key, value in annotations.items()}
        )


@mutant(
    "one-replica-not-injected",
    Area.INJECTION,
    STRICT,
    cases("LAB-NSMTLS-03", FAIL),
    nightly=True,
)
def one_replica_not_injected(objects: list[Object]) -> None:
    """A second replica of the strict server has no sidecar: every other request meets no policy."""
    for body in list(of_kind(objects, "Deployment", "httpbin")):
        if document_namespace(body) == "strict-mtls-service":
            bare = copy.deepcopy(body)
            bare["metadata"]["name"] = "httpbin-bare"
            labels = {"app": "httpbin", "variant": "bare"}
            bare["spec"]["selector"]["matchLabels"] = labels
            bare["spec"]["template"]["metadata"]["labels"] |= {**labels, _INJECT: "false"}
            objects.append(bare)


@mutant("opted-out-by-pod", Area.INJECTION, STRICT, cases("LAB-NSMTLS-03", FAIL), nightly=True)
def opted_out_by_pod(objects: list[Object]) -> None:
    """The strict server's pod opts out of injection in a namespace that is injected."""
    for meta in _template(objects, "strict-mtls-service", "httpbin"):
        meta["labels"][_INJECT] = "false"


@mutant("inbound-port-excluded", Area.INJECTION, STRICT, cases("LAB-NSMTLS-03", FAIL), nightly=True)
def inbound_port_excluded(objects: list[Object]) -> None:
    """An annotation takes the server's port out of the sidecar, and so out of STRICT."""
    _annotate(objects, "strict-mtls-service", "httpbin", excludeInboundPorts="8080")


@mutant("inbound-ports-forgotten", Area.INJECTION, STRICT, cases("LAB-NSMTLS-03", FAIL), nightly=True)
def inbound_ports_forgotten(objects: list[Object]) -> None:
    """The list of ports that the sidecar handles lacks the server's."""
    _annotate(objects, "strict-mtls-service", "httpbin", includeInboundPorts="9999")


@mutant(
    "outbound-ranges-excluded",
    Area.CLIENT,
    MESH,
    cases("LAB-PERM-01", PASS) | cases("LAB-XFCC-01", FAIL),
    nightly=True,
)
def outbound_ranges_excluded(objects: list[Object]) -> None:
    """The client's annotation takes all addresses out of its sidecar: it shows no identity."""
    _annotate(objects, "mtls-client", "sleep", excludeOutboundIPRanges="0.0.0.0/0")


@mutant(
    "outbound-port-excluded",
    Area.CLIENT,
    MESH,
    cases("LAB-MTLS-01 03", FAIL) | cases("LAB-MTLS-02", PASS),
    nightly=True,
)
def outbound_port_excluded(objects: list[Object]) -> None:
    """The client's annotation takes the server's port out of its sidecar, so it calls in plaintext."""
    _annotate(objects, "mtls-client", "sleep", excludeOutboundPorts="8000")
