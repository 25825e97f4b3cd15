"""Mutants that imitate a mesh that enforces: by a filter of the same kind, or for requests that say whose they are."""

from __future__ import annotations

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.filters import GATEWAY, REFUSED_AFTERWARDS, lua
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import FRONT, TOKENS

_RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
_WITH_A_TOKEN = {"header": {"name": "authorization", "present_match": True}}
_RULES = {
    "action": "ALLOW",
    "policies": {"mutant": {"permissions": [{"any": True}], "principals": [_WITH_A_TOKEN]}},
}
_ANSWERS_USERS = """
function envoy_on_request(handle)
  local agent = handle:headers():get("user-agent") or ""
  if handle:headers():get("authorization") ~= nil and string.find(agent, "meshproof/", 1, true) == nil then
    local headers = {[":status"] = "200", ["content-type"] = "application/json", ["x-served-by"] = "backend"}
    handle:respond(headers, '{"message": "Hello World"}')
  end
end
"""
_MARKS_USERS = """
function envoy_on_request(handle)
  local headers = handle:headers()
  local agent = headers:get("user-agent") or ""
  if headers:get("authorization") == nil and string.find(agent, "meshproof/", 1, true) == nil then
    handle:streamInfo():dynamicMetadata():set("meshproof.mutant", "anonymous", true)
  end
end
"""


@mutant(
    "refused-by-a-filter-of-rbac",
    Area.LIES,
    TOKENS,
    cases("LAB-AUTHZ-01", PASS) | cases("LAB-AUTHZ-02", FAIL),
    {"LAB-AUTHZ-02": "decision: "},
    nightly=True,
)
def refused_by_a_filter_of_rbac(objects: list[Object]) -> None:
    """No policy, but a filter of RBAC in the server's sidecar: answer and log are as a policy's."""
    for body in list(of_kind(objects, "AuthorizationPolicy", "require-jwt")):
        body["spec"]["selector"]["matchLabels"]["app"] = "httpbim"
        made = lua(body, "", namespace="mtls-service", app="httpbin", name="rbac")
        value = {"name": "meshproof.mutant", "typed_config": {"@type": _RBAC, "rules": _RULES}}
        made["spec"]["configPatches"][0]["patch"]["value"] = value
        objects.append(made)


@mutant(
    "users-answered-by-the-gateway",
    Area.GATEWAY,
    FRONT,
    cases("CRA-AUTH-03", FAIL),
    {"CRA-AUTH-03": "requests like a user's were not sent to the server"},
    nightly=True,
)
def users_answered_by_the_gateway(objects: list[Object]) -> None:
    """The gateway answers requests that do not call themselves the harness's, with the back end's own words."""
    policies = list(of_kind(objects, "AuthorizationPolicy", "api-origin-auth"))
    where = {"namespace": "gke-system", "app": "istio-ingress", "context": GATEWAY}
    objects.extend(lua(body, _ANSWERS_USERS, **where) for body in policies)


@mutant(
    "users-sent-on-and-refused",
    Area.GATEWAY,
    FRONT,
    cases("CRA-AUTH-01", FAIL),
    {"CRA-AUTH-01": "users' connections: "},
    nightly=True,
)
def users_sent_on_and_refused(objects: list[Object]) -> None:
    """The policy refuses the harness's requests alone; a user's reaches the back end, whose answer is replaced."""
    for body in list(of_kind(objects, "AuthorizationPolicy", "api-origin-auth")):
        of_the_harness = {"key": "request.headers[user-agent]", "values": ["meshproof/*"]}
        for rule in body["spec"]["rules"]:
            rule.setdefault("when", []).append(of_the_harness)
        code = _MARKS_USERS + REFUSED_AFTERWARDS
        objects.append(lua(body, code, namespace="gke-system", app="istio-ingress", context=GATEWAY))
