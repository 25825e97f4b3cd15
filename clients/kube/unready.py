"""Why pods are not ready, in words: by their own status, and by the events about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from clients.kube.pods import Pod
from clients.model.errors import ClusterError

if TYPE_CHECKING:
    from clients.kube.cluster import Cluster

_HOPELESS = frozenset({"ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError"})
"""Waiting reasons of a container that do not go away: reported at once, without the time limit (kubelet)."""
_PASSING = frozenset({"ImagePullBackOff", "ErrImagePull", "CrashLoopBackOff"})
"""Those that may: a registry that limits its requests, a server that waits for another one."""
_STARTING = frozenset({"ContainerCreating", "PodInitializing", ""})
"""Those that every container has at first."""
_NO_SUCH_IMAGE = ("not found", "manifest unknown", "does not exist")
"""What registries say about an image that they do not have, in small letters."""
_CRASHES = 3
"""Restarts after which a container is taken for broken. Not an init container: some wait for a server by them."""
SHOWN = 360
"""Characters of one reason, or of one event."""

Json = dict[str, Any]


def unready(pods: Iterable[Json]) -> list[Json]:
    """Those that are to become ready: not deleted, not ended, and not ready."""
    found = ((Pod.from_json(body), body) for body in pods)
    return [
        body
        for pod, body in found
        if not (pod.ready or "deletionTimestamp" in body["metadata"] or pod.phase in ("Succeeded", "Failed"))
    ]


def where_unready(pods: Iterable[Json], container: str) -> list[Json]:
    """Those of the pods that are not ready in which this container runs and is not ready."""
    return [
        body
        for body in unready(pods)
        if any(
            state["name"] == container and "running" in (state.get("state") or {}) and not state.get("ready")
            for state, _ in _states(body)
        )
    ]


def hopeless(pods: Iterable[Json]) -> str:
    """The first container of these pods that never will start, and why; empty where there is none."""
    for pod in pods:
        for state, init in _states(pod):
            if _is_hopeless(state, init=init):
                return _in_words(pod, state)
    return ""


def why(pods: Iterable[Json]) -> str:
    """Why the first of these pods is not ready, one that says more than that it starts if there is one; or empty."""
    found = [reason for pod in unready(pods) for reason in _reasons(pod)]
    found.sort(key=lambda reason: reason[0])  # stable
    return found[0][1] if found else ""


def newest_warning(cluster: Cluster, pods: Iterable[Json]) -> str:
    """The newest warning about one of these pods that is not ready; empty where there is none that may be read."""
    waiting = {body["metadata"]["name"]: body["metadata"]["namespace"] for body in unready(pods)}
    found: list[Json] = []
    for namespace in set(waiting.values()):
        try:
            found += cluster.objects("v1", "Event", namespace, fields="involvedObject.kind=Pod,type=Warning")
        except ClusterError:  # an optional right
            return ""
    found = [event for event in found if event["involvedObject"].get("name") in waiting]
    newest = max(found, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "", default=None)
    return f"{newest.get('reason')}: {' '.join(str(newest.get('message')).split())}"[:SHOWN] if newest else ""


def not_made(cluster: Cluster, kind: str, meta: Json) -> str:
    """Why a controller could not make a pod of an object, by its newest event; empty where none may be read."""
    fields = f"involvedObject.kind={kind},involvedObject.name={meta['name']},reason=FailedCreate"
    try:
        found = cluster.objects("v1", "Event", meta.get("namespace", ""), fields=fields)
    except ClusterError:  # an optional right
        return ""
    own = [event for event in found if event["involvedObject"].get("uid") == meta.get("uid")]
    newest = max(own, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "", default={})
    return " ".join(str(newest.get("message", "")).split())[:SHOWN]


def _reasons(pod: Json) -> Iterator[tuple[int, str]]:
    """Reasons with their rank; the lowest says the most."""
    where = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    for condition in pod.get("status", {}).get("conditions") or ():
        if (condition["type"], condition["status"]) == ("PodScheduled", "False"):
            yield 0, f"pod {where} is not scheduled: {condition.get('message') or condition.get('reason')}"[:SHOWN]
    for state, init in _states(pod):
        now = state.get("state") or {}
        if "waiting" in now:
            yield (2 if (now["waiting"] or {}).get("reason", "") in _STARTING else 0), _in_words(pod, state)
        elif "terminated" in now and not (init and now["terminated"].get("exitCode") == 0):
            ended = now["terminated"]
            cause = f"{ended.get('reason')}, exit code {ended.get('exitCode')}"
            yield 0, f"container {state['name']} of {where} has ended: {cause}"
        elif "running" in now and not (init or state.get("ready")):
            yield 1, f"container {state['name']} of {where} runs and is not ready"


def _states(pod: Json) -> Iterator[tuple[Json, bool]]:
    """The state of each container, and whether it is an init container; native sidecars are."""
    status = pod.get("status", {})
    for state in status.get("initContainerStatuses") or ():
        yield state, True
    for state in status.get("containerStatuses") or ():
        yield state, False


def _in_words(pod: Json, state: Json) -> str:
    waiting = (state.get("state") or {}).get("waiting") or {}
    where = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    text = f"container {state['name']} of {where} is in {waiting.get('reason')}"
    return f"{text}: {waiting['message']}"[:SHOWN] if waiting.get("message") else text


def _is_hopeless(state: Json, *, init: bool) -> bool:
    waiting = (state.get("state") or {}).get("waiting") or {}
    reason, message = waiting.get("reason"), (waiting.get("message") or "").lower()
    if reason == "CrashLoopBackOff":
        return not init and state.get("restartCount", 0) >= _CRASHES
    return reason in _HOPELESS or (reason in _PASSING and any(one in message for one in _NO_SUCH_IMAGE))
