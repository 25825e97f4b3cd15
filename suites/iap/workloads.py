"""Names of the IAP tutorial: Bookinfo, its gateway on node ports, and the token that IAP adds."""

from __future__ import annotations

from clients.model.expect import Check, Expectation, body_contains, has_header, lacks_header, rbac_denied, status
from clients.model.probe import Probe, Workload
from clients.probe.outside import through

ENVIRONMENT = ("iap/environment", "iap/routes")
RCTOKEN = ("iap/rctoken/ingressgateway.yaml",)

GATEWAY = Workload("iap-ingress", "istio-ingressgateway", "istio-proxy")
OUTSIDE = through(GATEWAY)
"""At the place of the load balancer: it reaches the gateway's node ports."""
RATINGS = Workload("bookinfo", "ratings", "ratings")
ELSEWHERE = Workload("elsewhere", "sleep", "sleep")

NAME = "books.example.com"
SITES = {scheme: f"{scheme}://{NAME}" for scheme in ("http", "https")}
SITE = SITES["http"]
INSIDE_SITE = "http://istio-ingressgateway.iap-ingress"
PRODUCTPAGE, ECHO = "productpage.bookinfo", "echo.bookinfo"

IAP_HEADER = "ingress-authorization: Istio {}"
"""How IAP sends its token; Istio 1.4 expected the prefix `Istio` in this header."""

TITLE = body_contains("<title>Simple Bookstore App</title>")
PAGE = status(200, TITLE, has_header("x-served-by", "productpage"))
FROM_GATEWAY = lacks_header("x-served-by")
NO_TOKEN = rbac_denied()


def page(token: str = "", *, token_as: str = IAP_HEADER) -> Probe:
    """A request from outside for the product page, with this kind of IAP's token."""
    return OUTSIDE.get(f"{SITE}/productpage", token=_iap(token), token_as=token_as, behind=PRODUCTPAGE)


def echo(token: str = "", *, headers: tuple[tuple[str, str], ...] = ()) -> Probe:
    """A request to the workload that returns the headers it received."""
    return OUTSIDE.get(f"{SITE}/headers", token=_iap(token), token_as=IAP_HEADER, headers=headers, behind=ECHO)


def _iap(kind: str) -> str:
    return f"{kind}@iap" if kind else ""


def refused(code: int, message: str, *checks: Check) -> Expectation:
    """The gateway itself refuses the token, with the reason."""
    return status(code, body_contains(message), FROM_GATEWAY, *checks)
