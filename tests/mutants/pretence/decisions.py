"""Mutants that give the right answer at the wrong place: a refusal or an answer that something else has made."""

from __future__ import annotations

import time

from clients.kube.cluster import Cluster
from clients.proof.rig.rig import Rig
from testbed import api
from tests.mutants import outside, places
from tests.mutants.authorization.manifests import matches_nothing
from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.filters import OUTBOUND, REFUSED_AFTERWARDS, REFUSES, lua
from tests.mutants.mutant import Mutant, Object, document_namespace, of_kind

_TABLE = "meshproof_mutant"
_COPY = """
function envoy_on_request(handle)
  local headers = handle:headers()
  if headers:get("authorization") == nil then
    local host = "httpbin.<namespace>.svc.cluster.local"
    local copy = {[":method"] = "GET", [":path"] = headers:get(":path"), [":authority"] = host, ["x-mutant"] = "1"}
    copy["x-request-id"] = "0f8fad5b-d9cb-469f-a165-70867728950e"
    handle:httpCall("outbound|8000||" .. host, copy, "", 1000, true)
  end
end
"""
_RENAME = (
    """
function envoy_on_request(handle)
  local headers = handle:headers()
  if headers:get("authorization") == nil then
    headers:replace("x-request-id", "00000000-0000-4000-8000-" .. string.format("%012d", math.random(999999999)))
    headers:replace("user-agent", "curl/8.5.0")
    handle:streamInfo():dynamicMetadata():set("meshproof.mutant", "anonymous", true)
  end
end
"""
    + REFUSED_AFTERWARDS
)


@mutant(
    "refused-by-client",
    Area.CLIENT,
    places.TOKENS,
    cases("LAB-AUTHZ-01", PASS) | cases("LAB-AUTHZ-02", FAIL),
    {"LAB-AUTHZ-02": "decision: "},
)
def refused_by_client(objects: list[Object]) -> None:
    """No policy at the server: the client's own sidecar answers 403, with the same body."""
    policies = list(of_kind(objects, "AuthorizationPolicy", "require-jwt"))
    objects += [
        lua(body, REFUSES, namespace="mtls-client", app="sleep", context=OUTBOUND, name="refuses") for body in policies
    ]
    matches_nothing(objects)


@mutant(
    "let-through-renamed",
    Area.AUTHORIZATION,
    places.TOKENS,
    cases("LAB-AUTHZ-01", PASS) | cases("LAB-AUTHZ-02", FAIL),
    {"LAB-AUTHZ-02": "decision: "},
)
def let_through_renamed(objects: list[Object]) -> None:
    """No policy: the request gets another id and another user agent, reaches the backend, and the client sees 403."""
    policies = list(of_kind(objects, "AuthorizationPolicy", "require-jwt"))
    objects += [lua(body, _RENAME, namespace="mtls-service", app="httpbin", name="renames") for body in policies]
    matches_nothing(objects)


@mutant(
    "copied-with-a-pass",
    Area.CLIENT,
    places.TOKENS,
    cases("LAB-AUTHZ-01", PASS) | cases("LAB-AUTHZ-02", FAIL),
    {"LAB-AUTHZ-02": "backend count: "},
    nightly=True,
)
def copied_with_a_pass(objects: list[Object]) -> None:
    """The request is refused, but the client's sidecar sends a copy of it, under another id, which a rule lets in."""
    for body in list(of_kind(objects, "AuthorizationPolicy", "require-jwt")):
        body["spec"]["rules"].append({"when": [{"key": "request.headers[x-mutant]", "values": ["1"]}]})
        code = _COPY.replace("<namespace>", body["metadata"]["namespace"])
        objects.append(lua(body, code, namespace="mtls-client", app="sleep", context=OUTBOUND, name="copies"))


@mutant(
    "service-leads-elsewhere",
    Area.BACKEND,
    places.MESH,
    cases("LAB-PERM-03", PASS) | cases("LAB-PERM-04", FAIL),
    {"LAB-PERM-04": "no ready pod is behind the destination"},
)
def service_leads_elsewhere(objects: list[Object]) -> None:
    """A Service selects no pod of its own: its name leads to a server of another namespace."""
    for body in of_kind(objects, "Service", "httpbin"):
        if document_namespace(body) == "legacy-service":
            other = body["metadata"]["namespace"].removesuffix("legacy-service") + "mtls-service"
            body["spec"] = {"type": "ExternalName", "externalName": f"httpbin.{other}.svc.cluster.local"}


@mutant(
    "reset-by-packet-filter",
    Area.MTLS,
    places.MESH,
    cases("LAB-MTLS-03", FAIL),
    {"LAB-MTLS-03": "decision: "},
)
class ResetAndNotStrict(Mutant):
    """The mesh-wide policy is strict no more, but the node's packet filter resets what one client sends to a server."""

    def __init__(self) -> None:
        self._made = False

    def entered(self, rig: Rig) -> None:
        cluster = outside.administrator()
        client, server = (
            _addresses(cluster, rig.overlay.namespace(name)) for name in ("legacy-client", "mtls-service")
        )
        # after the handshake, as a server that resets: the packet with the request is the first of this length
        rule = f"ip saddr {{ {client} }} ip daddr {{ {server} }} tcp dport 8080 meta length > 100 reject with tcp reset"
        chain = f"chain forward {{\ntype filter hook forward priority -10\n{rule}\n}}"
        api.run_in_node("sh", "-c", f"nft -f - <<'RULES'\ntable ip {_TABLE} {{\n{chain}\n}}\nRULES\n")
        self._made = True
        permissive = {"spec": {"mtls": {"mode": "PERMISSIVE"}}}
        cluster.patch("security.istio.io/v1", "PeerAuthentication", "mesh-wide-mtls", "istio-system", permissive)
        time.sleep(outside.SPREAD_S)

    def undo(self) -> None:
        if self._made:
            api.run_in_node("nft", "delete", "table", "ip", _TABLE)
        self._made = False


def _addresses(cluster: Cluster, namespace: str) -> str:
    return ", ".join(pod.ip for pod in cluster.pods(namespace))
