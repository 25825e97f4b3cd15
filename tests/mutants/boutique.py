"""Mutants of the shop: one of eleven namespaces differs from the others, which a look at the whole would not show."""

from __future__ import annotations

from tests.mutants.mutant import Object, document_namespace, of_kind

POLICY = "namespace-policy"


def namespace_forgotten(objects: list[Object]) -> None:
    """Ten policies instead of eleven."""
    objects[:] = [body for body in objects if not _is_policy_of(body, "shipping")]


def opted_out_by_port(objects: list[Object]) -> None:
    """One workload has a policy of its own besides that of its namespace, and it exempts a port."""
    for body in [body for body in objects if _is_policy_of(body, "payment")]:
        spec = {
            "selector": {"matchLabels": {"app": "paymentservice"}},
            "portLevelMtls": {"7001": {"mode": "PERMISSIVE"}},
        }
        objects.append({**body, "metadata": {**body["metadata"], "name": "opt-out"}, "spec": spec})


def plaintext_by_rule(objects: list[Object]) -> None:
    """A destination rule makes all sidecars call one service in plaintext."""
    for body in [body for body in objects if _is_policy_of(body, "cart")]:
        host = f"cartservice.{body['metadata']['namespace']}.svc.cluster.local"
        objects.append(
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "DestinationRule",
                "metadata": {**body["metadata"], "name": "plaintext"},
                "spec": {"host": host, "trafficPolicy": {"tls": {"mode": "DISABLE"}}},
            }
        )


def namespace_not_injected(objects: list[Object]) -> None:
    """One namespace is not injected, so its policy has no effect."""
    for body in of_kind(objects, "Namespace"):
        if document_namespace(body) == "email":
            body["metadata"]["labels"] |= {"istio-injection": "disabled"}
            body["metadata"]["labels"].pop("istio.io/rev", None)


def policy_in_neighbour(objects: list[Object]) -> None:
    """A policy with the right name and the right mode, in the wrong namespace."""
    for body in objects:
        if _is_policy_of(body, "currency"):
            meta = body["metadata"]
            meta["namespace"] = meta["namespace"].removesuffix("currency") + "outside"


def _is_policy_of(body: Object, namespace: str) -> bool:
    of_the_shop = body["kind"] == "PeerAuthentication" and body["metadata"]["name"] == POLICY
    return of_the_shop and document_namespace(body) == namespace


CHANGES = {
    "namespace-forgotten": namespace_forgotten,
    "opted-out-by-port": opted_out_by_port,
    "plaintext-by-rule": plaintext_by_rule,
    "namespace-not-injected": namespace_not_injected,
    "policy-in-neighbour": policy_in_neighbour,
}
