"""Which rights of the table the identity of a kubeconfig has."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from clients.kube.cluster import Cluster
from clients.model.api_groups import GATEWAY_API, SECURITY_V1
from clients.model.errors import ClusterError
from runner.config.right import Condition, Right
from runner.config.rights import OPENSHIFT

AT_ONCE = 8
"""Access reviews in parallel; there are about 130 in all."""
_OF_SOME = {GATEWAY_API: "HTTPRoute", OPENSHIFT: "SecurityContextConstraints"}
"""API groups that not every cluster has, each with a kind of it."""
TRIED = {
    "apiVersion": SECURITY_V1,
    "kind": "PeerAuthentication",
    "spec": {"mtls": {"mode": "PERMISSIVE"}},
}
"""Sent by dry run only, which changes nothing: no access review shows what admission policies refuse."""


@dataclass(frozen=True)
class Granted:
    """One right, and what of it is missing.

    Attributes:
        missing: for instance `patch deployments`, one for each verb and resource; empty where nothing is missing.
        refusal: the message of an admission policy, where the roles alone would allow it.
    """

    right: Right
    missing: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing of it is missing or refused."""
        return not (self.missing or self.refusal)


def granted(cluster: Cluster, rights: Sequence[Right]) -> list[Granted]:
    """What the identity may do of each right, in their order, by SelfSubjectAccessReview for every verb.

    Rights on the Gateway API, and on OpenShift's kinds, are left out where the cluster does not know them.

    Raises:
        ClusterError: the API server does not answer, or refuses the question.
    """
    unknown = {group for group, kind in _OF_SOME.items() if not cluster.has_kind(f"{group}/v1", kind)}
    asked = [right for right in rights if right.group not in unknown]
    questions = [(right, *each) for right in asked for each in right.each()]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(lambda question: _may(cluster, *question), questions))
    missing = [
        (right, _in_words(verb, resource, subresource))
        for (right, verb, resource, subresource), yes in zip(questions, answers, strict=True)
        if not yes
    ]
    found = [Granted(right, tuple(what for one, what in missing if one is right)) for right in asked]
    return [_dry_run(cluster, one) for one in found]


def _may(cluster: Cluster, right: Right, verb: str, resource: str, subresource: str) -> bool:
    asked = {"group": right.group, "subresource": subresource}
    names = [{"name": name} for name in right.names] or [{}]
    return all(cluster.can_i(verb, resource, right.namespace, **asked, **name) for name in names)


def _in_words(verb: str, resource: str, subresource: str) -> str:
    return f"{verb} {resource}/{subresource}" if subresource else f"{verb} {resource}"


def _dry_run(cluster: Cluster, one: Granted) -> Granted:
    """A right on the whole mesh needs a dry run too: the role for namespaces comes with an admission policy."""
    if one.right.condition is not Condition.MESH_WIDE or one.missing:
        return one
    body = {**TRIED, "metadata": {"name": "meshproof-doctor", "namespace": one.right.namespace}}
    try:
        cluster.apply(body, manager="meshproof", dry_run=True)
    except ClusterError as error:
        return Granted(one.right, refusal=error.message)
    return one
