"""Mutants of what a proof could take on trust: identities, user agents and clocks."""

from __future__ import annotations

import copy

from tests.mutants.entry import FAIL, Area, cases, mutant
from tests.mutants.filters import lua
from tests.mutants.mutant import Object, document_namespace, networking, of_kind, run_labels
from tests.mutants.places import MESH, TOKENS

_JWT = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
_YEAR_S = 365 * 86_400
_INVENTED = """
function envoy_on_request(handle)
  if handle:headers():get("x-forwarded-client-cert") == nil then
    local by, uri = "By=spiffe://cluster.local/ns/<server>/sa/httpbin", "URI=spiffe://cluster.local/ns/<client>/sa/sleep"
    local hash = "Hash=" .. string.rep("0123456789abcdef", 4)
    handle:headers():add("x-forwarded-client-cert", by .. ";" .. hash .. ";Subject=\\"\\";" .. uri)
  end
end
"""


@mutant(
    "tools-are-refused",
    Area.LIES,
    TOKENS,
    cases("LAB-AUTHZ-02", FAIL),
    {"LAB-AUTHZ-02": "saw 200"},
    nightly=True,
)
def tools_are_refused(objects: list[Object]) -> None:
    """The policy refuses what calls itself curl or the harness, and lets all other programs pass."""
    for body in of_kind(objects, "AuthorizationPolicy", "require-jwt"):
        tools = {"key": "request.headers[user-agent]", "notValues": ["curl/*", "meshproof*"]}
        body["spec"]["rules"].append({"when": [tools]})


@mutant(
    "identity-invented",
    Area.MTLS,
    MESH,
    cases("LAB-XFCC-01", FAIL),
    {"LAB-XFCC-01": "server sidecar log: "},
    nightly=True,
)
def identity_invented(objects: list[Object]) -> None:
    """The client calls in plaintext, and a filter of the server's sidecar adds the header that mutual TLS would."""
    for body in list(of_kind(objects, "Namespace")):
        if document_namespace(body) == "mtls-service":
            prefix = body["metadata"]["name"].removesuffix("mtls-service")
            like = copy.deepcopy(body)
            like["kind"], like["metadata"]["namespace"] = "PeerAuthentication", body["metadata"]["name"]
            like["metadata"]["labels"] = run_labels(like["metadata"])
            code = _INVENTED.replace("<server>", f"{prefix}mtls-service").replace("<client>", f"{prefix}mtls-client")
            objects.append(lua(like, code, namespace="mtls-service", app="httpbin", name="invents"))
            meta = {**copy.deepcopy(like["metadata"]), "name": "plaintext"}
            spec = {"host": "httpbin", "trafficPolicy": {"tls": {"mode": "DISABLE"}}}
            objects.append(networking("DestinationRule", meta, spec))


def _skewed(objects: list[Object], seconds: int) -> None:
    """The server's sidecar allows for a clock that is off by so much."""
    for body in list(of_kind(objects, "RequestAuthentication", "jwt-example")):
        made = lua(body, "", namespace="mtls-service", app="httpbin", name="skewed")
        patch = made["spec"]["configPatches"][0]
        patch["match"]["listener"]["filterChain"]["filter"]["subFilter"] = {"name": "envoy.filters.http.jwt_authn"}
        [rule] = body["spec"]["jwtRules"]
        provider = {
            "issuer": rule["issuer"],
            "local_jwks": {"inline_string": rule["jwks"]},
            "payload_in_metadata": rule["issuer"],
            "clock_skew_seconds": seconds,
        }
        skewed = {"providers": {"origins-0": provider}}
        config = {"@type": _JWT, **skewed}
        patch["patch"] = {
            "operation": "MERGE",
            "value": {"name": "envoy.filters.http.jwt_authn", "typed_config": config},
        }
        objects.append(made)


_SKEW = {"LAB-JWT-04[foreign-key]": "allows for clocks "}


@mutant(
    "tokens-never-expire",
    Area.JWT,
    TOKENS,
    {"LAB-JWT-04[expired]": FAIL, "LAB-JWT-04[foreign-key]": FAIL},
    {"LAB-JWT-04[expired]": "saw 200", **_SKEW},
    nightly=True,
)
def tokens_never_expire(objects: list[Object]) -> None:
    """The server's sidecar allows for a clock that is ten years off, so expired tokens are good."""
    _skewed(objects, 10 * _YEAR_S)


@mutant(
    "clock-a-year-off",
    Area.JWT,
    TOKENS,
    {f"LAB-JWT-04[{kind}]": FAIL for kind in ("just-expired", "soon-valid", "foreign-key")},
    {"LAB-JWT-04[just-expired]": "saw 200", "LAB-JWT-04[soon-valid]": "saw 200", **_SKEW},
    nightly=True,
)
def clock_a_year_off(objects: list[Object]) -> None:
    """The server's sidecar allows for a clock that is a year off: only what expired long ago is refused."""
    _skewed(objects, _YEAR_S)
