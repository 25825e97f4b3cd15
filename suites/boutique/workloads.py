"""Names of the shop: its services, its clients, and what a good page looks like."""

from __future__ import annotations

import re
from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import Check, Expectation, no_reply, status
from clients.model.outcome import Outcome, OutcomeKind
from clients.model.probe import Probe, Workload
from clients.model.stage import Stage
from clients.probe.outside import through
from clients.proof.table import Table

ENVIRONMENT = ("boutique/environment",)
EVERY_NAMESPACE_STRICT = ("boutique/namespace-strict",)

SERVICES = {
    "ad": "adservice",
    "cart": "cartservice",
    "checkout": "checkoutservice",
    "currency": "currencyservice",
    "email": "emailservice",
    "frontend": "frontend",
    "loadgenerator": "loadgenerator",
    "payment": "paymentservice",
    "product-catalog": "productcatalogservice",
    "recommendation": "recommendationservice",
    "shipping": "shippingservice",
}
"""Namespace → the service in it. Eleven."""

GATEWAY_NAMESPACE = "boutique-ingress"
GATEWAY = "istio-ingressgateway"
TABLE_PORT = 7001
"""HTTP, in addition to each service's own port and behind the same sidecar."""

OUTSIDE = Workload("outside", "client", "client")
"""A pod without sidecar: not in the mesh, and plaintext only."""
NAMESPACES = (*SERVICES, GATEWAY_NAMESPACE, OUTSIDE.namespace)
"""All of the topic's environment: the eleven, the ingress gateway's, and that of the client without sidecar."""
CATALOG = Workload("product-catalog", "productcatalogservice", "client")
"""Through the sidecar of productcatalogservice."""
CATALOG_PLAIN = Workload("product-catalog", "productcatalogservice", "plain")
"""From the same pod, under the sidecar's user id: not redirected, so plaintext."""

ECHO = "echo"
"""A second workload in the namespaces of ad, frontend, payment, recommendation and shipping: ports only, no shop."""
FRONTEND = "http://frontend.frontend.svc.cluster.local:80/"
VISITOR_AT_SHOP = replace(through(Workload("frontend", "frontend", "server")), service="frontend-external")
"""Outside the cluster, at the public address that bypasses the ingress gateway."""
VISITOR_AT_GATEWAY = through(Workload(GATEWAY_NAMESPACE, GATEWAY, "istio-proxy"))
"""Outside the cluster, at the ingress gateway."""

DIRECT = Probe(VISITOR_AT_SHOP, "http://frontend-external.frontend/")
THROUGH_GATEWAY = Probe(VISITOR_AT_GATEWAY, "http://shop.example/", behind="frontend.frontend")
DIRECT_IN_MESH = CATALOG.get("http://frontend-external.frontend.svc.cluster.local/")
"""The direct service again, but called through a sidecar: the same pods, by mutual TLS."""
NOT_REACHED = no_reply(OutcomeKind.EMPTY_REPLY, OutcomeKind.RESET)
"""Outcome at a load balancer in front of a pod that accepts mutual TLS only: curl's exit code 52 or 56."""
PLAIN = CATALOG_PLAIN.get(FRONTEND)
MUTUAL = CATALOG.get(FRONTEND)


def client(namespace: str) -> Workload:
    """The client in a namespace's service pod, which calls through its sidecar."""
    return Workload(namespace, SERVICES[namespace], "client")


def url(namespace: str, port: int = TABLE_PORT, app: str = "") -> str:
    """URL of an HTTP port: of a namespace's service, or of another workload in the namespace."""
    return f"http://{app or SERVICES[namespace]}.{namespace}.svc.cluster.local:{port}/"


def home_page() -> Check:
    """The shop's own page, whole: products, each with its image and its price."""
    return Check("the shop's page with products, images and prices", _shows_products)


def _shows_products(outcome: Outcome, _name: str, _pattern: str) -> str | None:
    images = re.findall(r'src="[^"]*/static/img/products/[^"]+"', outcome.body)
    prices = re.findall(r"\$\d+\.\d\d", outcome.body)
    if len(images) < 4 or len(prices) < len(images):
        return f"the page shows {len(images)} product images and {len(prices)} prices: {outcome.body[:120]!r}"
    return None


def shop() -> Expectation:
    """200 with the whole page."""
    return status(200, home_page())


def direct_refused(control: str, state: str) -> list[Case]:
    """A visitor at the direct service is refused, the ingress gateway's visitor and a workload of the mesh are not.

    The twin goes through the gateway, to the same pods, whose log shows its requests too.
    """
    return [
        Case(control, DIRECT, NOT_REACHED, before=shop(), twin=THROUGH_GATEWAY, twin_expect=shop()),
        Case("X-BTQ-DIRECT-01", DIRECT_IN_MESH, shop(), before=shop(), variant=state),
    ]


def everyone_to_everyone(control: str) -> Table:
    """Each of the eleven, through its sidecar, to each of the eleven: 200."""
    return Table(
        control,
        tuple(
            Case(control, client(source).get(url(target)), status(200), variant=f"{source} to {target}")
            for source in SERVICES
            for target in SERVICES
        ),
    )


def outside_to_everyone(control: str, expect: Expectation, before: Expectation | None = None) -> Table:
    """A client without sidecar to each of the eleven; where that is refused, the twin calls through a sidecar."""
    refused = expect.status is None
    return Table(
        control,
        tuple(
            Case(
                control,
                OUTSIDE.get(url(target)),
                expect,
                before=before,
                twin=CATALOG.get(url(target)) if refused else None,
                variant=f"outside to {target}",
            )
            for target in SERVICES
        ),
    )


def strict_stage(name: str, *, title: str, removed: bool = False) -> Stage:
    """STRICT in each of the eleven namespaces, deleted again where `removed`."""
    return Stage(
        name,
        title=title,
        environment=ENVIRONMENT,
        apply=EVERY_NAMESPACE_STRICT,
        removed=EVERY_NAMESPACE_STRICT if removed else (),
    )
