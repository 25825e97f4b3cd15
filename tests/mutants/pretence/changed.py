"""Mutants in which what is in force is not what was applied: at the API server, or at a proxy."""

from __future__ import annotations

import copy
from typing import Any

from clients.proof.rig.rig import Rig
from tests.mutants import outside
from tests.mutants.entry import FAIL, LOST, Area, cases, mutant
from tests.mutants.filters import REFUSES, lua
from tests.mutants.mutant import Mutant, Object, of_kind
from tests.mutants.places import TOKENS

_POLICY = ("security.istio.io/v1", "AuthorizationPolicy", "require-jwt", "mtls-service")


@mutant(
    "policy-deleted",
    Area.AUTHORIZATION,
    TOKENS,
    cases("LAB-AUTHZ-02", FAIL),
    {"LAB-AUTHZ-02": "require-jwt does not exist any more"},
)
class PolicyDeleted(Mutant):
    """Another client deletes the policy while its cases are proven."""

    def entered(self, rig: Rig) -> None:
        api_version, kind, name, namespace = _POLICY
        outside.administrator().delete(api_version, kind, name, rig.overlay.namespace(namespace))


class _Patched(Mutant):
    """A controller patches the policy while its cases are proven."""

    def patch(self, spec: dict[str, Any]) -> dict[str, Any]:
        """The patch of this spec, which it may change."""
        raise NotImplementedError

    def entered(self, rig: Rig) -> None:
        api_version, kind, name, document = _POLICY
        namespace, cluster = rig.overlay.namespace(document), outside.administrator()
        found = cluster.get(api_version, kind, name, namespace)
        assert found is not None
        cluster.patch(api_version, kind, name, namespace, {"spec": self.patch(copy.deepcopy(found["spec"]))})


@mutant(
    "policy-selects-others",
    Area.AUTHORIZATION,
    TOKENS,
    cases("LAB-AUTHZ-02", FAIL),
    {"LAB-AUTHZ-02": "require-jwt spec.selector.matchLabels.app is 'httpbim', not 'httpbin'"},
)
class SelectsOthers(_Patched):
    """A controller alters the policy's selector while its cases are proven: it selects no pod any more."""

    def patch(self, spec: dict[str, Any]) -> dict[str, Any]:
        return {"selector": {"matchLabels": {"app": "httpbim"}}}


@mutant(
    "policy-lets-in-one-more",
    Area.AUTHORIZATION,
    TOKENS,
    cases("LAB-AUTHZ-01 02 04", LOST),
    {"LAB-AUTHZ-02": "changed by another client", "LAB-AUTHZ-04": "requestPrincipals"},
)
class LetsInOneMore(_Patched):
    """A controller lets a further principal in, which no case tries: every outcome stays as it is."""

    def patch(self, spec: dict[str, Any]) -> dict[str, Any]:
        spec["rules"][0]["from"][0]["source"]["requestPrincipals"].append("another.issuer/another")
        return spec


@mutant(
    "not-at-the-proxy",
    Area.LIES,
    TOKENS,
    cases("LAB-AUTHZ-01 02", FAIL),
    {"LAB-AUTHZ-02": "policies at the proxies: ", "LAB-AUTHZ-01": "require-jwt is not there"},
)
def not_at_the_proxy(objects: list[Object]) -> None:
    """The policy is on the cluster, but the proxies have no rule of it: a filter answers as it would."""
    for body in list(of_kind(objects, "AuthorizationPolicy", "require-jwt")):
        stand_in = lua(body, REFUSES, namespace="mtls-service", app="httpbin", name="stands-in")
        [added] = stand_in["spec"]["configPatches"]
        where = copy.deepcopy(added["match"])
        where["listener"]["filterChain"]["filter"]["subFilter"] = {"name": "envoy.filters.http.rbac"}
        removed = {"applyTo": "HTTP_FILTER", "match": where, "patch": {"operation": "REMOVE"}}
        stand_in["spec"]["configPatches"] = [added, removed]
        objects.append(stand_in)
