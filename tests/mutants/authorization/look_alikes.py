"""Mutants that take one thing for another that looks like it, or treat all but one of several things as they should."""

from __future__ import annotations

from typing import Any

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import FRONT, IAP

_POLICY = "AuthorizationPolicy"
_AS_SUFFIX = "health path's last element"


def _first_operation(objects: list[Object], name: str) -> list[dict[str, Any]]:
    return [body["spec"]["rules"][0]["to"][0]["operation"] for body in of_kind(objects, _POLICY, name)]


def _exempt(objects: list[Object], name: str, path: str) -> None:
    for operation in _first_operation(objects, name):
        operation["notPaths"] = [path]


@mutant(
    "exempt-suffix",
    Area.AUTHORIZATION,
    FRONT,
    cases("CRA-AUTH-05", PASS) | {f"CRA-AUTH-09[{_AS_SUFFIX}]": FAIL, "CRA-AUTH-09[query]": PASS},
    {f"CRA-AUTH-09[{_AS_SUFFIX}]": "saw 404"},
)
def exempt_suffix(objects: list[Object]) -> None:
    """Every path that ends like the exempt one needs no token."""
    _exempt(objects, "api-origin-auth", "*/healthz")


@mutant(
    "exempt-suffix-of-a-gateway",
    Area.AUTHORIZATION,
    FRONT,
    cases("X-GWAPI-AUTH-05", PASS) | {f"X-GWAPI-AUTH-09[{_AS_SUFFIX}]": FAIL, "X-GWAPI-AUTH-09[query]": PASS},
    {f"X-GWAPI-AUTH-09[{_AS_SUFFIX}]": "saw 404"},
    nightly=True,
)
def exempt_suffix_of_a_gateway(objects: list[Object]) -> None:
    """At the Gateway of Kubernetes' API, every path that ends like the exempt one needs no token."""
    _exempt(objects, "front-door", "*/healthz")


@mutant(
    "exempt-suffix-of-iap",
    Area.AUTHORIZATION,
    IAP,
    {"IAP-RCT-04[exactly]": PASS, "X-IAP-EVERY[another path]": PASS, "X-IAP-EVERY[exempt path at its end]": FAIL},
    {"X-IAP-EVERY[exempt path at its end]": "saw 200"},
    nightly=True,
)
def exempt_suffix_of_iap(objects: list[Object]) -> None:
    """Every path that ends like the readiness path needs no token of IAP's."""
    _exempt(objects, "ingressgateway", "*/healthz/ready")


@mutant(
    "ext-authz-not-for-a-suffix",
    Area.AUTHORIZATION,
    FRONT,
    {"X-CUSTOM-02[another path]": PASS, f"X-CUSTOM-02[{_AS_SUFFIX}]": FAIL},
    {f"X-CUSTOM-02[{_AS_SUFFIX}]": "saw 404"},
    nightly=True,
)
def ext_authz_not_for_a_suffix(objects: list[Object]) -> None:
    """The external authorization server is not asked about paths that end like the exempt one."""
    _exempt(objects, "ext-authz", "*/healthz")


@mutant(
    "origin-that-begins-alike",
    Area.GATEWAY,
    FRONT,
    {
        "X-DOOR-CORS-01[preflight]": PASS,
        "X-DOOR-CORS-02[preflight of an origin that begins like the allowed one]": FAIL,
        "X-DOOR-CORS-02[preflight of the allowed origin at another port]": FAIL,
        "X-DOOR-CORS-02[preflight of another origin]": PASS,
    },
    nightly=True,
)
def origin_that_begins_alike(objects: list[Object]) -> None:
    """Pages of every origin that begins like the allowed one may call the API."""
    for body in of_kind(objects, "VirtualService", "cors"):
        body["spec"]["http"][0]["corsPolicy"]["allowOrigins"] = [{"prefix": "https://app.example.com"}]


@mutant("cookies-of-other-pages", Area.GATEWAY, FRONT, {"X-DOOR-CORS-01[*]": FAIL}, nightly=True)
def cookies_of_other_pages(objects: list[Object]) -> None:
    """Pages of the allowed origin may also send the user's cookies."""
    for body in of_kind(objects, "VirtualService", "cors"):
        body["spec"]["http"][0]["corsPolicy"]["allowCredentials"] = True


@mutant("other-pages-may-write", Area.GATEWAY, FRONT, {"X-DOOR-CORS-01[preflight]": FAIL}, nightly=True)
def other_pages_may_write(objects: list[Object]) -> None:
    """Pages of the allowed origin may call the API by more methods than the allowed one."""
    for body in of_kind(objects, "VirtualService", "cors"):
        body["spec"]["http"][0]["corsPolicy"]["allowMethods"] = ["GET", "POST"]


@mutant(
    "one-element-of-the-template",
    Area.AUTHORIZATION,
    FRONT,
    {"X-DOOR-AUTHZ-01[template of the path]": PASS, "X-DOOR-AUTHZ-01[template of the path, another element]": FAIL},
    {"X-DOOR-AUTHZ-01[template of the path, another element]": "saw 404"},
    nightly=True,
)
def one_element_of_the_template(objects: list[Object]) -> None:
    """The rule by a template names one path of it."""
    for body in of_kind(objects, _POLICY, "who-and-what"):
        body["spec"]["rules"][2]["to"][0]["operation"]["paths"] = ["/api/v1/secure.json"]


def _prefix_of_claim(number: int, name: str, says: str, variant: str, twin: str) -> None:
    def change(objects: list[Object]) -> None:
        for body in of_kind(objects, _POLICY, "context-aware"):
            values = body["spec"]["rules"][0]["when"][number]["values"]
            values[:] = [f"{value}*" for value in values]

    change.__doc__ = says
    verdicts = {f"X-IAP-CLAIM-02[{variant}]": FAIL, f"X-IAP-CLAIM-02[{twin}]": PASS}
    mutant(name, Area.AUTHORIZATION, IAP, verdicts, nightly=True)(change)


_prefix_of_claim(
    0,
    "group-by-prefix",
    "Every group whose name begins like the administrators' has access.",
    "a group whose name begins like the administrators'",
    "staff, but no administrator",
)
_prefix_of_claim(
    1,
    "level-by-prefix",
    "Every access level whose name begins like the right one counts.",
    "an access level of others",
    "no access level",
)
_prefix_of_claim(
    2,
    "device-by-prefix",
    "Every device whose name begins like the trusted one's has access.",
    "a device whose name begins like the trusted one's",
    "another device",
)


def _without_ports(name: str, host: str, says: str, control: str) -> None:
    def change(objects: list[Object]) -> None:
        for operation in _first_operation(objects, "channels"):
            operation["hosts"].remove(f"{host}:*")

    change.__doc__ = says
    port = f"{control}[host with its port]"
    verdicts = {control: PASS, f"{control}[over TLS]": PASS, port: FAIL}
    mutant(name, Area.GATEWAY, FRONT, verdicts, nightly=True)(change)


_without_ports("grpc-at-any-port", "cart.example.com", "A port in the host needs no token for gRPC.", "X-GRPC-02")
_without_ports("websocket-at-any-port", "echo.example.com", "A port in the host opens a WebSocket.", "X-WS-02")


@mutant(
    "one-of-iaps-headers-kept",
    Area.GATEWAY,
    IAP,
    {
        "X-IAP-HEADER-02[X-Goog-Authenticated-User-Email]": PASS,
        "X-IAP-HEADER-02[X-Goog-IAP-JWT-Assertion]": FAIL,
    },
    nightly=True,
)
def one_of_iaps_headers_kept(objects: list[Object]) -> None:
    """One of the headers of IAP that a client sends itself reaches the workload."""
    for body in of_kind(objects, "VirtualService", "bookinfo"):
        body["spec"]["http"][0]["headers"]["request"]["remove"].remove("x-goog-iap-jwt-assertion")


@mutant("token-handed-on", Area.JWT, FRONT, cases("CRA-AUTH-03", PASS) | {"X-FRONT-TOKEN-04": FAIL}, nightly=True)
def token_handed_on(objects: list[Object]) -> None:
    """The back end receives the user's token, and could use it."""
    for body in of_kind(objects, "RequestAuthentication", "api-origin-auth"):
        body["spec"]["jwtRules"][0]["forwardOriginalToken"] = True
