"""Mutants that answer a request as they should, and send a copy of it by a way of its own."""

from __future__ import annotations

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.filters import GATEWAY, OUTBOUND, lua
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import EGRESS, FRONT, TOKENS

_PAST_THE_PROXY = """
function envoy_on_request(handle)
  local headers = handle:headers()
  if headers:get("authorization") == nil then
    local copy = {[":method"] = "GET", [":path"] = headers:get(":path"), [":authority"] = "httpbin"}
    handle:httpCall("application", copy, "", 1000, true)
  end
end
"""
_ADDRESS = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 8080}}}
_APPLICATION = {
    "name": "application",
    "type": "STATIC",
    "connect_timeout": "1s",
    "load_assignment": {
        "cluster_name": "application",
        "endpoints": [{"lb_endpoints": [{"endpoint": _ADDRESS}]}],
    },
}
_ANOTHER_PATH = """
function envoy_on_request(handle)
  local headers = handle:headers()
  if headers:get("authorization") == nil then
    local host = "httpbin.<namespace>.svc.cluster.local"
    local copy = {[":method"] = "GET", [":path"] = "/anything" .. headers:get(":path"), [":authority"] = host}
    copy["x-mutant"] = "1"
    handle:httpCall("outbound|8000||" .. host, copy, "", 1000, true)
  end
end
"""
_AT_THE_GATEWAY = """
function envoy_on_request(handle)
  local headers = handle:headers()
  if headers:get("authorization") == nil then
    local host = "backend.<namespace>.svc.cluster.local"
    local copy = {[":method"] = "GET", [":path"] = headers:get(":path"), [":authority"] = host}
    copy["x-request-id"] = headers:get("x-request-id")
    handle:httpCall("outbound|80||" .. host, copy, "", 1000, true)
  end
end
"""
_STATES = 'copy["x-forwarded-for"] = "100.64.0.9"'
"""An address that is none of the run's: a proxy takes it for the client's."""
_OUT = """
function envoy_on_request(handle)
  local authority = handle:headers():get(":authority") or ""
  if string.find(authority, "httpbin.org", 1, true) then
    local copy = {[":method"] = "GET", [":path"] = "/status/200", [":authority"] = "httpbin.org"}
    handle:httpCall("outbound|80||httpbin.org", copy, "", 1000, true)
  end
end
"""
_ELSEWHERE = (
    _OUT.replace("/status/200", "/get")
    .replace('[":authority"] = "httpbin.org"', '[":authority"] = "example.com"')
    .replace("outbound|80||httpbin.org", "outbound|80||example.com")
)
"""After the policies, so that only what they allow is copied."""


@mutant(
    "copied-past-the-servers-log",
    Area.LIES,
    TOKENS,
    cases("LAB-AUTHZ-01", PASS) | cases("LAB-AUTHZ-02", FAIL),
    {"LAB-AUTHZ-02": "backend count: "},
    nightly=True,
)
def copied_past_the_servers_log(objects: list[Object]) -> None:
    """The request is refused, but the server's own sidecar hands the application a copy, which it does not log."""
    policies = list(of_kind(objects, "AuthorizationPolicy", "require-jwt"))
    copying = [lua(body, _PAST_THE_PROXY, namespace="mtls-service", app="httpbin", name="copies") for body in policies]
    for one in copying:  # the mesh's own cluster for this port needs a connection from a client
        added = {"operation": "ADD", "value": _APPLICATION}
        patch = {"applyTo": "CLUSTER", "match": {"context": "SIDECAR_INBOUND"}, "patch": added}
        one["spec"]["configPatches"].append(patch)
    objects += copying


@mutant(
    "copied-under-another-path",
    Area.CLIENT,
    TOKENS,
    cases("LAB-AUTHZ-01", PASS) | cases("LAB-AUTHZ-02", FAIL),
    {"LAB-AUTHZ-02": "backend count: "},
    nightly=True,
)
def copied_under_another_path(objects: list[Object]) -> None:
    """The request is refused, but the client's sidecar sends a copy under another id and path, which a rule lets in."""
    for body in list(of_kind(objects, "AuthorizationPolicy", "require-jwt")):
        body["spec"]["rules"].append({"when": [{"key": "request.headers[x-mutant]", "values": ["1"]}]})
        code = _ANOTHER_PATH.replace("<namespace>", body["metadata"]["namespace"])
        objects.append(lua(body, code, namespace="mtls-client", app="sleep", context=OUTBOUND, name="copies"))


@mutant(
    "copied-by-the-gateway",
    Area.GATEWAY,
    FRONT,
    cases("CRA-AUTH-01", FAIL),
    {"CRA-AUTH-01": "backend count: "},
    nightly=True,
)
def copied_by_the_gateway(objects: list[Object]) -> None:
    """The gateway refuses the request, and sends the back end a copy of it."""
    for body in list(of_kind(objects, "AuthorizationPolicy", "api-origin-auth")):
        code = _AT_THE_GATEWAY.replace("<namespace>", body["metadata"]["namespace"].replace("gke-system", "api"))
        objects.append(lua(body, code, namespace="gke-system", app="istio-ingress", context=GATEWAY, name="copies"))


@mutant(
    "copied-with-another-client",
    Area.CLIENT,
    TOKENS,
    cases("LAB-AUTHZ-01", PASS) | cases("LAB-AUTHZ-02", FAIL),
    {"LAB-AUTHZ-02": "backend count: "},
    nightly=True,
)
def copied_with_another_client(objects: list[Object]) -> None:
    """As `copied-under-another-path`, and each copy states another client."""
    copied_under_another_path(objects)
    for body in of_kind(objects, "EnvoyFilter", "copies"):
        config = body["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]
        code = config["default_source_code"]["inline_string"]
        config["default_source_code"]["inline_string"] = code.replace(
            'copy["x-mutant"] =', f'{_STATES}\n    copy["x-mutant"] ='
        )


@mutant(
    "copied-by-the-gateway-with-another-client",
    Area.GATEWAY,
    FRONT,
    cases("CRA-AUTH-01", FAIL),
    {"CRA-AUTH-01": "backend count: "},
    nightly=True,
)
def copied_by_the_gateway_with_another_client(objects: list[Object]) -> None:
    """As `copied-by-the-gateway`, under another id, and each copy states another client."""
    for body in list(of_kind(objects, "AuthorizationPolicy", "api-origin-auth")):
        code = _AT_THE_GATEWAY.replace('copy["x-request-id"] = headers:get("x-request-id")', _STATES)
        code = code.replace("<namespace>", body["metadata"]["namespace"].replace("gke-system", "api"))
        objects.append(lua(body, code, namespace="gke-system", app="istio-ingress", context=GATEWAY, name="copies"))


@mutant(
    "copied-by-the-egress-gateway",
    Area.EGRESS,
    EGRESS,
    cases("EGR-AUTHZ-01", PASS) | cases("EGR-AUTHZ-02", FAIL),
    {"EGR-AUTHZ-02": "requests of the gateway arrived that it did not let in"},
    nightly=True,
)
def copied_by_the_egress_gateway(objects: list[Object]) -> None:
    """The egress gateway refuses the request, and sends the external server a copy of it."""
    for body in list(of_kind(objects, "AuthorizationPolicy", "egress-team-x-to-example-com")):
        made = lua(body, _OUT, namespace="istio-egress", app="", context=GATEWAY, name="copies")
        del made["spec"]["workloadSelector"]  # as the policy: every gateway of the namespace
        objects.append(made)


@mutant(
    "allowed-requests-mirrored",
    Area.EGRESS,
    EGRESS,
    cases("EGR-AUTHZ-05", FAIL),
    {"EGR-AUTHZ-05": "which is not an address of httpbin.org"},
    nightly=True,
)
def allowed_requests_mirrored(objects: list[Object]) -> None:
    """The gateway sends what it allows to the right host, and a copy to another one."""
    for body in of_kind(objects, "VirtualService", "httpbin-org-through-egress-gateway"):
        body["spec"]["http"][1]["mirror"] = {"host": "example.com", "port": {"number": 80}}


@mutant(
    "allowed-requests-copied-under-another-id",
    Area.EGRESS,
    EGRESS,
    cases("EGR-AUTHZ-05", PASS) | {"EGR-AUTHZ-04[/]": FAIL},
    {"EGR-AUTHZ-04[/]": "requests of the gateway arrived that it did not let in"},
    nightly=True,
)
def allowed_requests_copied_under_another_id(objects: list[Object]) -> None:
    """The gateway sends what it allows to the right host, and to another one a request of its own about it."""
    for body in list(of_kind(objects, "AuthorizationPolicy", "egress-team-y-to-httpbin-teapot")):
        made = lua(body, _ELSEWHERE, namespace="istio-egress", app="", context=GATEWAY, name="copies")
        del made["spec"]["workloadSelector"]
        made["spec"]["configPatches"][0]["patch"]["operation"] = "INSERT_BEFORE"
        made["spec"]["configPatches"][0]["match"]["listener"]["filterChain"]["filter"]["subFilter"] = {
            "name": "envoy.filters.http.router"
        }
        objects.append(made)
