"""Issuers of an upgrade's faults: a server that has the keys of tokens, and another authority for a control plane."""

from __future__ import annotations

import base64
import os
import time
import tomllib
from pathlib import Path
from typing import Any

import trustme

from clients.kube import readiness
from clients.kube.cluster import Cluster
from clients.kube.labels import MANAGER
from clients.model.polling import poll

NAMESPACE, SERVER = "keys-of-an-issuer", "keys"
AUTHORITY, ROOT = "cacerts-of-the-new", "istio-system"
REQUESTS = ("security.istio.io/v1", "RequestAuthentication", "server")
PORT, START_S = 8080, 120.0


def serve_keys(cluster: Cluster, namespace: str) -> None:
    """The policy of the servers names a server, which answers with the keys that the policy has stated so far."""
    image = tomllib.loads(Path(os.environ["MESHPROOF_CONFIG"]).read_text(encoding="utf-8"))["images"]["httpbin"]
    labels = {"app": SERVER}
    container = {"name": SERVER, "image": image, "readinessProbe": {"httpGet": {"path": "/status/200", "port": PORT}}}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    deployment = {
        **_named("apps/v1", "Deployment", SERVER, NAMESPACE),
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    service = {**_named("v1", "Service", SERVER, NAMESPACE), "spec": {"selector": labels, "ports": [{"port": PORT}]}}
    for body in (_named("v1", "Namespace", NAMESPACE), deployment, service):
        cluster.apply(body, manager=MANAGER)
    readiness.wait(cluster, deployment, time.monotonic() + START_S)
    issuer, stated = _rule(cluster, namespace)
    encoded = base64.urlsafe_b64encode(stated["jwks"].encode()).decode()
    address = f"http://{SERVER}.{NAMESPACE}.svc.cluster.local:{PORT}/base64/{encoded}"
    _state(cluster, namespace, {"issuer": issuer, "jwksUri": address})


def end_server(cluster: Cluster) -> None:
    """The server is gone; its address stays."""
    cluster.delete("apps/v1", "Deployment", SERVER, NAMESPACE)
    gone = lambda: not cluster.objects("v1", "Pod", NAMESPACE)  # noqa: E731
    assert poll(gone, time.monotonic() + START_S)


def state_keys(cluster: Cluster, namespace: str) -> None:
    """The policy states the keys again, and the server's namespace is removed."""
    issuer, stated = _rule(cluster, namespace)
    encoded = stated["jwksUri"].rpartition("/")[2]
    _state(cluster, namespace, {"issuer": issuer, "jwks": base64.urlsafe_b64decode(encoded).decode()})
    cluster.delete("v1", "Namespace", NAMESPACE)


def new_authority(cluster: Cluster) -> None:
    """A Secret with an authority of its own, in the form of Istio's `cacerts`."""
    made = trustme.CA(organization_name="the new control plane")
    certificate, key = made.cert_pem.bytes().decode(), made.private_key_pem.bytes().decode()
    data = dict.fromkeys(("ca-cert.pem", "root-cert.pem", "cert-chain.pem"), certificate)
    body = {**_named("v1", "Secret", AUTHORITY, ROOT), "stringData": {**data, "ca-key.pem": key}}
    cluster.apply(body, manager=MANAGER)


def remove_authority(cluster: Cluster) -> None:
    """Undo `new_authority`."""
    cluster.delete("v1", "Secret", AUTHORITY, ROOT)


def _rule(cluster: Cluster, namespace: str) -> tuple[str, dict[str, Any]]:
    body = cluster.get(*REQUESTS, namespace)
    assert body is not None
    (rule,) = body["spec"]["jwtRules"]
    return str(rule["issuer"]), rule


def _state(cluster: Cluster, namespace: str, rule: dict[str, Any]) -> None:
    cluster.patch(*REQUESTS, namespace, {"spec": {"jwtRules": [rule]}})


def _named(api_version: str, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta}
