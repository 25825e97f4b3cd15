"""The connection to a cluster: plain JSON objects in and out, clear errors, one discovery cache per process.

Objects are dictionaries throughout: the typed models of the official client reject fields that they do not know, and
a cluster is often newer than the client.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from clients.kube import watch
from clients.kube.api import NOT_FOUND, TIMEOUTS_S, Api, Json, RequestError, Timeouts
from clients.kube.kinds import Kinds
from clients.kube.kubeconfig import configuration
from clients.kube.no_answer import NOT_THERE
from clients.kube.pods import Pod
from clients.model.errors import ClusterError

WEBHOOK_S = 15.0
"""Seconds that `Cluster.apply` waits for a webhook's server to come back."""
_WEBHOOK_POLL_S = 0.2


class Cluster:
    """A cluster that answered once. Its methods may be used from several threads.

    Args:
        api: connection to the API server, by one identity.
        context: name to show for it.
    """

    def __init__(self, api: Api, context: str = "") -> None:
        self.api = api
        self.context = context
        self._kinds = Kinds(api)

    @classmethod
    def connect(cls, kubeconfig: Path | None = None, context: str | None = None) -> Self:
        """Connect by a kubeconfig file (default: as kubectl finds it) and a context (default: the current one).

        In a pod without a kubeconfig, the pod's own service account is the identity.

        Raises:
            ClusterError: the file or the context cannot be used, or the API server does not answer.
            AccessError: the API server does not accept the identity.
        """
        cluster = cls(Api(configuration(kubeconfig, context)), context or "")
        _ = cluster.server_version
        return cluster

    @property
    def server(self) -> str:
        """Address of the API server."""
        return self.api.server

    @cached_property
    def server_version(self) -> str:
        """Version of Kubernetes (`1.34.4`).

        Raises:
            ClusterError: nothing answers at its address, or what answers is no API server.
        """
        try:
            answer = self.api.json("GET", "/version")
        except RequestError as error:
            if error.detail == f"HTTP {error.status}":
                raise self.api.foreign("GET", "/version", error.detail.encode()) from None
            raise ClusterError(f"cluster {self.server} does not answer: {error.message}", NOT_THERE) from None
        if "gitVersion" not in answer:
            raise self.api.foreign("GET", "/version", json.dumps(answer).encode())
        return str(answer["gitVersion"]).removeprefix("v")

    def has_kind(self, api_version: str, kind: str) -> bool:
        """Whether the cluster knows the kind."""
        return self._kinds.find(api_version, kind) is not None

    def served(self, api_version: str, kind: str) -> str:
        """The version in which the cluster serves a kind: the stated one, or an older one with the same fields.

        Raises:
            ClusterError: it knows neither.
        """
        return str(self._kinds.get(api_version, kind).group_version)

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Json | None:
        """One object, or None when it does not exist."""
        try:
            return self.api.json("GET", self._path(api_version, kind, namespace, name))
        except RequestError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def objects(
        self, api_version: str, kind: str, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[Json]:
        """Objects of a kind, of one namespace or of all (empty), that the selectors of labels and fields match."""
        selectors = (("labelSelector", labels), ("fieldSelector", fields))
        query = [(name, value) for name, value in selectors if value]
        found: list[Json] = (
            self.api.json("GET", self._path(api_version, kind, namespace), query=query).get("items") or []
        )
        return found

    def states(
        self, api_version: str, kind: str, name: str, namespace: str = "", *, deadline: float
    ) -> Iterator[Json | None]:
        """One object now and after each change, None while it does not exist; see `clients.kube.watch.states`."""
        return watch.states(self.api, self._path(api_version, kind, namespace), name, deadline)

    def apply(self, body: Json, *, manager: str, dry_run: bool = False) -> Json:
        """Server-side apply of one object, forced, with strict field validation.

        Retried for `WEBHOOK_S` seconds while a webhook does not answer the API server: its server is being replaced
        then, for instance istiod in an upgrade.

        Raises:
            RequestError: the API server does not accept the object.
            ClusterError: the API server does not answer, or does not know the kind.
        """
        meta = body["metadata"]
        query = [("fieldManager", manager), ("force", "true"), ("fieldValidation", "Strict")]
        query += [("dryRun", "All")] if dry_run else []
        path = self._path(body["apiVersion"], body["kind"], meta.get("namespace", ""), meta["name"])
        body = self._as_served(body)
        retrying: Any = Retrying(
            retry=retry_if_exception(_webhook_is_away),
            stop=stop_after_delay(WEBHOOK_S),
            wait=wait_fixed(_WEBHOOK_POLL_S),
            reraise=True,
        )
        content_type = "application/apply-patch+yaml"
        answer: Json = retrying(self.api.json, "PATCH", path, body=body, query=query, content_type=content_type)
        return answer

    def patch(self, api_version: str, kind: str, name: str, namespace: str, body: Json) -> Json:
        """JSON merge patch of one object."""
        path = self._path(api_version, kind, namespace, name)
        return self.api.json("PATCH", path, body=body, content_type="application/merge-patch+json")

    def create(self, body: Json) -> Json:
        """Create one object; RequestError with status 409 when it exists."""
        path = self._path(body["apiVersion"], body["kind"], body["metadata"].get("namespace", ""))
        return self.api.json("POST", path, body=self._as_served(body))

    def replace(self, body: Json, *, timeouts: Timeouts = TIMEOUTS_S, ride_out: bool = True) -> Json:
        """Replace one object; RequestError with status 409 unless its `resourceVersion` is the current one."""
        meta = body["metadata"]
        path = self._path(body["apiVersion"], body["kind"], meta.get("namespace", ""), meta["name"])
        return self.api.json("PUT", path, body=self._as_served(body), timeouts=timeouts, ride_out=ride_out)

    def delete(
        self, api_version: str, kind: str, name: str, namespace: str = "", *, uid: str = "", version: str = ""
    ) -> Json | None:
        """Ask for the deletion of one object, and of what it owns, in the background. None when it does not exist.

        The answer is a `Status` when the object is gone, and the object itself while a finalizer or a grace period
        keeps it (see `is_gone`).

        With a `uid`, only the object of that uid is deleted, never a later one of the same name; with a `version`, only
        in that `resourceVersion`. Otherwise RequestError with status 409.
        """
        wanted = {key: value for key, value in (("uid", uid), ("resourceVersion", version)) if value}
        body: Json = {"propagationPolicy": "Background", **({"preconditions": wanted} if wanted else {})}
        try:
            return self.api.json("DELETE", self._path(api_version, kind, namespace, name), body=body)
        except RequestError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def delete_pods(self, namespace: str) -> None:
        """Ask for the deletion of all pods of a namespace."""
        self.api.json("DELETE", self._path("v1", "Pod", namespace))

    def pods(self, namespace: str, labels: str = "") -> list[Pod]:
        """Pods of a namespace, by name, ready or not."""
        found = (Pod.from_json(item) for item in self.objects("v1", "Pod", namespace, labels))
        return sorted(found, key=lambda pod: pod.name)

    def logs(self, pod: Pod, container: str, *, since_s: int | None = None, tail: int | None = None) -> str:
        """Log of one container: all of it, the last `since_s` seconds by the node's clock, or the last `tail` lines."""
        query = [("container", container)]
        query += [("sinceSeconds", str(max(1, since_s)))] if since_s is not None else []
        query += [("tailLines", str(tail))] if tail is not None else []
        return self.api.text(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/log", query)

    def can_i(
        self, verb: str, resource: str, namespace: str = "", *, group: str = "", subresource: str = "", name: str = ""
    ) -> bool:
        """Whether the API server would allow this identity to do it (SelfSubjectAccessReview)."""
        asked = {
            "verb": verb,
            "resource": resource,
            "namespace": namespace,
            "group": group,
            "subresource": subresource,
            "name": name,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in asked.items() if value}},
        }
        answer = self.api.json("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
        return bool(answer.get("status", {}).get("allowed"))

    def close(self) -> None:
        """Remove the discovery cache, and close idle connections."""
        self._kinds.close()
        self.api.close()

    def _as_served(self, body: Json) -> Json:
        """The object in a version that the cluster serves."""
        served = self.served(body["apiVersion"], body["kind"])
        return body if served == body["apiVersion"] else {**body, "apiVersion": served}

    def _path(self, api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
        """URL path of an object, or of all of its kind."""
        return str(self._kinds.get(api_version, kind).path(name=name or None, namespace=namespace or None))


def is_gone(answer: Json | None) -> bool:
    """Whether the answer to a deletion says that the object is not there any more."""
    return answer is None or answer.get("kind") == "Status"


def _webhook_is_away(error: BaseException) -> bool:
    """Whether the API server could not call a webhook, by its error text; a refusal by the webhook has another text."""
    return isinstance(error, RequestError) and error.status == 500 and "failed calling webhook" in error.detail
