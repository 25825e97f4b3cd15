"""Names of the security lab: its clients, its servers, its manifests."""

from __future__ import annotations

from clients.model.decision import Proxy
from clients.model.expect import Check, echoes_header, echoes_no_header
from clients.model.log_expectations import AccessLogExpectation
from clients.model.probe import Workload

ENVIRONMENT = ("lab/environment",)

MTLS_CLIENT = Workload("mtls-client", "sleep", "sleep")
"""Inside the mesh: its sidecar uses mutual TLS where the server's does."""
LEGACY_CLIENT = Workload("legacy-client", "sleep", "sleep")
"""Outside the mesh: plaintext only."""

MTLS_SERVICE = "http://httpbin.mtls-service:8000"
LEGACY_SERVICE = "http://httpbin.legacy-service:8000"
STRICT_SERVICE = "http://httpbin.strict-mtls-service:8000"

XFCC = "X-Forwarded-Client-Cert"
"""Envoy's header with the identity of the client that called by mutual TLS."""


def spiffe(namespace: str, account: str) -> str:
    """Pattern of a workload's identity, in any trust domain and with any prefix of the run."""
    return rf"spiffe://[^/;]+/ns/(?:[a-z0-9-]+-)?{namespace}/sa/{account}"


def client_cert_of_sleep() -> Check:
    """The server received the certificate of sleep in mtls-client."""
    server, client = spiffe("mtls-service", "httpbin"), spiffe("mtls-client", "sleep")
    return echoes_header(XFCC, rf'By={server};Hash=[0-9a-f]{{64}};Subject="[^"]*";URI={client}')


def no_client_cert() -> Check:
    """The server received no client certificate: its list of received headers lacks this one."""
    return echoes_no_header(XFCC)


ARRIVES = echoes_header("Authorization", "Bearer .+")
"""The application received the token."""
KEPT_BACK = echoes_no_header("Authorization")
"""The server's sidecar kept the token that it had verified: the application could use it elsewhere."""

BY_NO_RULE = AccessLogExpectation(Proxy.SERVER, details="rbac_access_denied_matched_policy[none]")
"""The server's sidecar refused, as no rule allows the request."""
