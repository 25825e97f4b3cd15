"""Mutants that answer in another's place, or falsify what the harness reads: the mesh looks as if it were right."""

from __future__ import annotations

import copy
from typing import Any

from testbed import api
from tests.mutants import outside
from tests.mutants.entry import FAIL, LOST, PASS, Area, cases, mutant
from tests.mutants.filters import OUTBOUND, REFUSES, lua
from tests.mutants.mesh_config import MeshConfig
from tests.mutants.mutant import Mutant, Object, document_namespace, networking, of_kind
from tests.mutants.places import EGRESS, FRONT, MESH, STRICT, TOKENS

_POLICY = "AuthorizationPolicy"
_ANSWERS_200 = """
function envoy_on_request(handle)
  handle:respond({[":status"] = "200", ["content-type"] = "application/json"}, '{"origin": "127.0.0.6"}')
end
"""


def _no_policy(objects: list[Object]) -> list[Object]:
    """Make the manifest's policy select nothing; returns it."""
    found = list(of_kind(objects, _POLICY, "require-jwt"))
    for body in found:
        body["spec"]["selector"]["matchLabels"]["app"] = "httpbim"
    return found


@mutant(
    "refused-by-a-filter",
    Area.LIES,
    TOKENS,
    cases("LAB-AUTHZ-01", PASS) | cases("LAB-AUTHZ-02", FAIL),
    nightly=True,
)
def refused_by_a_filter(objects: list[Object]) -> None:
    """No policy, but a filter of the server's sidecar answers 403 where no token is sent."""
    objects.extend(lua(body, REFUSES, namespace="mtls-service", app="httpbin") for body in _no_policy(objects))


def _answered_by(objects: list[Object], namespace: str, app: str, context: str) -> None:
    servers = [body for body in of_kind(objects, "Deployment", app) if document_namespace(body) == namespace]
    objects.extend(lua(body, _ANSWERS_200, namespace=namespace, app=app, context=context) for body in servers)


@mutant("answered-by-the-servers-sidecar", Area.BACKEND, MESH, cases("LAB-PERM-01", FAIL), nightly=True)
def answered_by_the_servers_sidecar(objects: list[Object]) -> None:
    """The server's sidecar answers 200 itself: no request reaches the application."""
    _answered_by(objects, "mtls-service", "httpbin", "SIDECAR_INBOUND")


@mutant(
    "answered-by-sidecar",
    Area.CLIENT,
    MESH,
    cases("LAB-PERM-01 02", FAIL) | cases("LAB-PERM-03", PASS),
    {"LAB-PERM-01": "answered by: "},
)
def answered_by_sidecar(objects: list[Object]) -> None:
    """The client's sidecar answers 200 itself: no request leaves the pod."""
    _answered_by(objects, "mtls-client", "sleep", OUTBOUND)


@mutant("backend-swapped", Area.BACKEND, MESH, cases("LAB-PERM-01", FAIL), nightly=True)
def backend_swapped(objects: list[Object]) -> None:
    """The Service leads to another server, of the same kind."""
    for body in _of_the_server(objects, "Deployment"):
        _impostor(objects, body)
    for body in _of_the_server(objects, "Service"):
        body["spec"]["selector"] = {"app": "impostor"}


@mutant("service-selects-more", Area.BACKEND, MESH, cases("LAB-PERM-01", FAIL), nightly=True)
def service_selects_more(objects: list[Object]) -> None:
    """The Service's selector is wider than it should be: half of the requests go to another server."""
    for body in _of_the_server(objects, "Deployment"):
        _impostor(objects, body)
        body["spec"]["template"]["metadata"]["labels"]["tier"] = "server"
    for body in _of_the_server(objects, "Service"):
        body["spec"]["selector"] = {"tier": "server"}


@mutant(
    "answered-elsewhere-with-a-copy",
    Area.BACKEND,
    MESH,
    cases("LAB-PERM-01", FAIL) | cases("LAB-PERM-02", PASS),
    {"LAB-PERM-01": "sent to: "},
)
def answered_elsewhere_with_a_copy(objects: list[Object]) -> None:
    """A route leads to another server of the same kind, and gives the right one a copy of each request."""
    for body in _of_the_server(objects, "Deployment"):
        _impostor(objects, body)
    for body in _of_the_server(objects, "Service"):
        other = copy.deepcopy(body)
        other["metadata"]["name"] = other["spec"]["selector"]["app"] = "impostor"
        own, port = f"httpbin.{body['metadata']['namespace']}.svc.cluster.local", {"number": 8000}
        to = {"destination": {"host": own.replace("httpbin", "impostor", 1), "port": port}}
        spec = {"hosts": [own], "http": [{"route": [to], "mirror": {"host": own, "port": port}}]}
        meta = {**copy.deepcopy(body["metadata"]), "name": "elsewhere"}
        objects += [other, networking("VirtualService", meta, spec)]


@mutant(
    "external-answer-from-inside",
    Area.EGRESS,
    EGRESS,
    cases("EGR-ROUTE-01 02 05", FAIL),
    {"EGR-ROUTE-01": "sent to: ", "EGR-ROUTE-05": "sent to: "},
    nightly=True,
)
def external_answer_from_inside(objects: list[Object]) -> None:
    """The egress gateway has a server of the cluster answer, and gives the external one a copy of each request."""
    for body in of_kind(objects, "VirtualService", "example-com-through-egress-gateway"):
        inside = f"plain.{body['metadata']['namespace'].replace('istio-egress', 'team-x')}.svc.cluster.local"
        out = body["spec"]["http"][1]
        out["mirror"] = out["route"][0]["destination"]
        out["route"] = [{"destination": {"host": inside, "port": {"number": 80}}}]


def _of_the_server(objects: list[Object], kind: str) -> list[Object]:
    """The Deployment, or the Service, of the server that most cases of the lab are about."""
    return [body for body in of_kind(objects, kind, "httpbin") if document_namespace(body) == "mtls-service"]


def _impostor(objects: list[Object], server: Object) -> None:
    made = copy.deepcopy(server)
    made["metadata"]["name"] = "impostor"
    labels = {"app": "impostor", "tier": "server"}
    made["spec"]["selector"]["matchLabels"] = {"app": "impostor"}
    template = made["spec"]["template"]["metadata"]
    template["labels"] = {**template["labels"], **labels}
    objects.append(made)


@mutant("service-selects-nothing", Area.BACKEND, MESH, cases("LAB-PERM-01 03", FAIL), nightly=True)
def service_selects_nothing(objects: list[Object]) -> None:
    """The Service's selector has a typo, so nothing is behind it."""
    for body in of_kind(objects, "Service", "httpbin"):
        if document_namespace(body) == "mtls-service":
            body["spec"]["selector"] = {"app": "httpbim"}


class _PacketFilter(Mutant):
    """A rule of the node's packet filter while the cases are proven.

    Args:
        verdict: what happens to packets of the client without sidecar to the strict server.
    """

    _TABLE = ("ip", "meshproof_mutant")

    def __init__(self, verdict: str) -> None:
        self._verdict = verdict
        self._there = False

    def objects(self, objects: list[Object]) -> None:
        for body in list(of_kind(objects, "PeerAuthentication", "restricted-mtls")):
            body["spec"]["mtls"]["mode"] = "PERMISSIVE"
            prefix = body["metadata"]["namespace"].removesuffix(document_namespace(body))
            self._cut(f"{prefix}legacy-client", body["metadata"]["namespace"])

    def _cut(self, source: str, target: str) -> None:
        if self._there:
            return
        cluster = outside.administrator()
        [client], [server] = (
            [pod["status"]["podIP"] for pod in cluster.objects("v1", "Pod", namespace)]
            for namespace in (source, target)
        )
        rule = f"ip saddr {client} ip daddr {server} tcp dport 8080 {self._verdict}"
        family, table = self._TABLE
        chain = f"type filter hook forward priority -300; policy accept;\n{rule}"
        text = f"table {family} {table} {{\nchain forward {{\n{chain}\n}}\n}}"
        api.run_in_node("sh", "-c", f"nft -f - <<'RULES'\n{text}\nRULES\n")
        self._there = True

    def undo(self) -> None:
        if self._there:
            api.run_in_node("nft", "delete", "table", *self._TABLE)
        self._there = False


@mutant("reset-by-a-packet-filter", Area.LIES, STRICT, cases("LAB-NSMTLS-03", FAIL), nightly=True)
class ResetByPacketFilter(_PacketFilter):
    """No STRICT, but the node's packet filter resets the one connection that it should refuse."""

    def __init__(self) -> None:
        super().__init__("reject with tcp reset")


@mutant("dropped-by-a-packet-filter", Area.LIES, STRICT, cases("LAB-NSMTLS-03", FAIL), nightly=True)
class DroppedByPacketFilter(_PacketFilter):
    """No STRICT, but the node drops the packets of the one client that it should refuse."""

    def __init__(self) -> None:
        super().__init__("drop")


@mutant("servers-log-is-off", Area.LIES, TOKENS, cases("LAB-AUTHZ-02", LOST), nightly=True)
class ServersLogIsOff(MeshConfig):
    """No proxy writes an access log: a refusal cannot be proven at the one that should refuse."""

    def change(self, mesh: dict[str, Any]) -> None:
        mesh["accessLogFile"] = ""


@mutant("gateways-log-is-off", Area.LIES, FRONT, cases("CRA-AUTH-01", LOST), nightly=True)
class GatewaysLogIsOff(MeshConfig):
    """The gateway writes no access log: a refusal cannot be proven at it."""

    def change(self, mesh: dict[str, Any]) -> None:
        mesh["accessLogFile"] = ""
