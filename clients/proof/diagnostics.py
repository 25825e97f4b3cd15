"""Diagnostics of a failed case, collected before the clean-up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from clients.apply.yaml_text import dump
from clients.kube.cluster import Cluster
from clients.kube.pods import Pod
from clients.mesh import sidecar
from clients.model.api_groups import NETWORKING_V1, SECURITY_V1
from clients.model.redact import redact, redact_mapping
from clients.model.stage import Stage
from clients.proof.rig.rig import Rig

MAX_BYTES = 1024 * 1024
"""Size limit of one file; of longer text the end is kept."""
_LOG_LINES = 500
_POLICY_GROUPS = {
    SECURITY_V1: ("PeerAuthentication", "RequestAuthentication", "AuthorizationPolicy"),
    NETWORKING_V1: ("Sidecar", "ServiceEntry", "VirtualService", "DestinationRule", "Gateway"),
    "networking.k8s.io/v1": ("NetworkPolicy",),
}
NamedText = tuple[str, Callable[[], str]]
"""Name of a file, and how to get its text."""


def collect(rig: Rig, stage: Stage, folder: Path) -> list[Path]:
    """Write policies, pods, events, sidecar configuration and logs, and istiod's log into `folder`.

    Redacted, each file at most 1 MiB. Never raises: what could not be read is named in `folder/errors.txt`. Looks at
    every namespace of this process; the stage is only named.
    """
    files, problems = [], []
    for name, text in _texts(rig, stage):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / name
            path.write_bytes(redact(text()).encode()[-MAX_BYTES:])
            files.append(path)
        except Exception as error:
            problems.append(f"{name}: {' '.join(str(error).split())}")
    try:
        if problems:
            (folder / "errors.txt").write_text(redact("\n".join(problems)) + "\n")
            files.append(folder / "errors.txt")
    except OSError:
        return files
    return files


def _texts(rig: Rig, stage: Stage) -> Iterator[NamedText]:
    cluster, namespaces = rig.cluster, sorted(rig.environments.namespaces)
    yield "policies.yaml", lambda: f"# stage {stage.name}\n" + _policies(cluster, [*namespaces, rig.mesh.root])
    yield "pods.yaml", lambda: _dump(cluster, "v1", "Pod", namespaces)
    yield "events.txt", lambda: _events(cluster, namespaces)
    for namespace in namespaces:
        yield from _of_pods(cluster, namespace, _of_pod)
    yield from _of_pods(cluster, rig.mesh.control_namespace, _of_istiod, "app=istiod")


def _of_pods(
    cluster: Cluster, namespace: str, of_pod: Callable[[Cluster, Pod], Iterator[NamedText]], labels: str = ""
) -> Iterator[NamedText]:
    """What there is of each pod of a namespace; where they cannot be listed, one text that raises the error."""
    try:
        pods = cluster.pods(namespace, labels)
    except Exception as error:
        yield f"pods of {namespace}", partial(_raise, error)
        return
    for pod in pods:
        yield from of_pod(cluster, pod)


def _of_pod(cluster: Cluster, pod: Pod) -> Iterator[NamedText]:
    for container in pod.containers:
        yield f"log-{pod.namespace}-{pod.name}-{container}.txt", _log(cluster, pod, container)
    if pod.injected:
        yield f"config-{pod.namespace}-{pod.name}.json", _config(cluster, pod)


def _of_istiod(cluster: Cluster, pod: Pod) -> Iterator[NamedText]:
    yield f"log-{pod.name}.txt", _log(cluster, pod, "discovery")


def _raise(error: Exception) -> str:
    raise error


def _log(cluster: Cluster, pod: Pod, container: str) -> Callable[[], str]:
    return lambda: cluster.logs(pod, container, tail=_LOG_LINES)


def _config(cluster: Cluster, pod: Pod) -> Callable[[], str]:
    return lambda: json.dumps(redact_mapping(sidecar.config_dump(cluster, pod)), indent=1)


def _policies(cluster: Cluster, namespaces: list[str]) -> str:
    return "".join(
        _dump(cluster, api_version, kind, namespaces)
        for api_version, kinds in _POLICY_GROUPS.items()
        for kind in kinds
        if cluster.has_kind(api_version, kind)
    )


def _dump(cluster: Cluster, api_version: str, kind: str, namespaces: list[str]) -> str:
    found = [_bare(body) for namespace in namespaces for body in cluster.objects(api_version, kind, namespace)]
    return dump(redact_mapping(found), explicit_start=True) if found else ""


def _bare(body: dict[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": meta}


def _events(cluster: Cluster, namespaces: list[str]) -> str:
    events = [event for namespace in namespaces for event in cluster.objects("v1", "Event", namespace)]
    events.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    return "".join(f"{_event(event)}\n" for event in events)


def _event(event: dict[str, Any]) -> str:
    thing = event["involvedObject"]
    when = event.get("lastTimestamp") or event.get("eventTime") or ""
    where = f"{thing.get('kind')} {thing.get('namespace', '')}/{thing.get('name')}"
    return f"{when} {event.get('type')} {event.get('reason')} {where} x{event.get('count', 1)}: {event.get('message')}"
