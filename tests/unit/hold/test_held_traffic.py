"""The manifests of held traffic, as a run's settings and the cluster have them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cluster_fakes import FakeCluster
from cryptography import x509

from clients.hold.held import MANIFESTS
from runner.config.settings import Settings
from runner.target.access import Access
from runner.target.held_traffic import applier

pytestmark = pytest.mark.unit

IMAGES = dict.fromkeys(("traffic", "httpbin", "envoy"), "a/b:1")


@pytest.mark.parametrize(
    ("address", "expected"), [("10.96.0.1", "10.96.0.1/32"), ("fd00::1", "fd00::1/128")], ids=["IPv4", "IPv6"]
)
def test_only_the_api_server_is_kept_out_of_the_sidecars(address: str, expected: str) -> None:
    """A range of 32 bits of an IPv6 address has all Services of the cluster, whose traffic would pass by the mesh."""
    cluster: Any = FakeCluster()
    service = {"kind": "Service", "metadata": {"name": "kubernetes", "namespace": "default"}}
    cluster.put({"apiVersion": "v1", **service, "spec": {"clusterIP": address}})
    made = applier(cluster, Settings(), Access(images=IMAGES), "", own=True)
    found = [
        stated
        for item in made.load([MANIFESTS])
        for name, stated in pod_annotations(item.body).items()
        if name.endswith("excludeOutboundIPRanges")
    ]
    assert set(found) == {expected}


def test_its_names_have_the_domain_of_the_cluster() -> None:
    """Also those in the list of flows that the generator reads, and in the gateway's certificate."""
    cluster: Any = FakeCluster()
    service = {"kind": "Service", "metadata": {"name": "kubernetes", "namespace": "default"}}
    cluster.put({"apiVersion": "v1", **service, "spec": {"clusterIP": "10.96.0.1"}})
    made = applier(cluster, Settings(), Access(images=IMAGES), "", own=True, domain="corp.internal").load([MANIFESTS])
    assert "svc.cluster.local" not in str([item.body for item in made])
    [pair] = [item.body for item in made if item.body.get("type") == "kubernetes.io/tls"]
    certificate = x509.load_pem_x509_certificate(base64.b64decode(pair["data"]["tls.crt"]))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert all(one.endswith(".svc.corp.internal") for one in names.get_values_for_type(x509.DNSName))


def pod_annotations(body: dict[str, Any]) -> dict[str, str]:
    template = body.get("spec", {}).get("template", {}) if body["kind"] == "Deployment" else {}
    return dict(template.get("metadata", {}).get("annotations") or {})
