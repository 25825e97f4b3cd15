"""Mutants that treat few requests otherwise than the rest: those that a small number of probes may miss."""

from __future__ import annotations

import copy

from tests.mutants.authorization.manifests import matches_nothing
from tests.mutants.entry import FAIL, Area, cases, mutant
from tests.mutants.filters import REMEMBERS, lua
from tests.mutants.mutant import Object, networking, of_kind
from tests.mutants.places import COUNTED, TOKENS

_LEAK_PERCENT = 2.0


@mutant(
    "leaks-a-little",
    Area.AUTHORIZATION,
    TOKENS,
    cases("LAB-AUTHZ-02", FAIL),
    {"LAB-AUTHZ-02": "saw 200"},  # by its own probes, or by its stage's: a row that is longer after flaps rarely ends
    ("--leak", "1%", "--budget", "20"),
    nightly=True,
)
def leaks_a_little(objects: list[Object]) -> None:
    """A route of the clients answers 2 % of the requests with 200, whatever the server's policy says."""
    for body in list(of_kind(objects, "AuthorizationPolicy", "require-jwt")):
        meta = {**copy.deepcopy(body["metadata"]), "name": "leaks-a-little"}
        abort = {"httpStatus": 200, "percentage": {"value": _LEAK_PERCENT}}
        host = f"httpbin.{meta['namespace']}.svc.cluster.local"
        route = {"fault": {"abort": abort}, "route": [{"destination": {"host": host}}]}
        objects.append(networking("VirtualService", meta, {"hosts": [host], "http": [route]}))


_KNOWS_THE_HARNESS = """
function envoy_on_request(handle)
  local headers = handle:headers()
  local id, agent = headers:get("x-request-id") or "", headers:get("user-agent") or ""
  local known = string.sub(id, 1, 3) == "mp-" or string.find(agent, "meshproof", 1, true)
  if known and headers:get("authorization") == nil then
    handle:respond({[":status"] = "403"}, "RBAC: access denied")
  end
end
"""


@mutant(
    "knows-the-harness",
    Area.LIES,
    TOKENS,
    cases("LAB-AUTHZ-02", FAIL),
    {"LAB-AUTHZ-02": "recognise as the harness's differently: they see 403, ordinary ones 200"},
)
def knows_the_harness(objects: list[Object]) -> None:
    """No policy, but a filter that refuses requests without a token if their id or user agent is the harness's."""
    matches_nothing(objects)
    policies = list(of_kind(objects, "AuthorizationPolicy", "require-jwt"))
    where = {"namespace": "mtls-service", "app": "httpbin", "name": "knows-the-harness"}
    objects.extend(lua(body, _KNOWS_THE_HARNESS, **where) for body in policies)


_REMEMBERS_PLAINTEXT = REMEMBERS.replace(
    "local peer =", "if handle:connection():ssl() ~= nil then return end\n  local peer ="
)


@mutant(
    "token-sticks-to-a-pods-connection",
    Area.JWT,
    COUNTED,
    {"X-LAB-AUTHZ-EVERY[a client without sidecar]": FAIL},
    {"X-LAB-AUTHZ-EVERY[a client without sidecar]": "after the twin's request"},
    nightly=True,
)
def token_sticks_to_a_pods_connection(objects: list[Object]) -> None:
    """The server's sidecar gives later requests on a connection in plaintext the token of an earlier one.

    Clients with a sidecar share connections, so that the mutant would show by itself there.
    """
    policies = list(of_kind(objects, "AuthorizationPolicy", "require-jwt"))
    where = {"namespace": "mtls-service", "app": "httpbin", "name": "remembers"}
    objects.extend(lua(body, _REMEMBERS_PLAINTEXT, **where) for body in policies)
