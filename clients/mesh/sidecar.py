"""A sidecar's own facts, from its admin interface, and its log."""

from __future__ import annotations

import json
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from clients.kube.cluster import Cluster
from clients.kube.exec import exec_once
from clients.kube.pods import SIDECAR, Pod
from clients.model.errors import InfrastructureError, MeshproofError

Stats = tuple[Sample, ...]
_ANSWER_S = 20.0
"""Seconds for an answer of the admin interface, with the start of the program that asks for it."""
_INBOUND = "config_dump?resource=dynamic_listeners&name_regex=%5EvirtualInbound%24"
_ALL = "config_dump?resource=dynamic_listeners"


def admin(cluster: Cluster, pod: Pod, path: str) -> str:
    """Answer of the sidecar's own admin interface, for instance to `config_dump`.

    Raises:
        InfrastructureError: the pod has no sidecar, or the sidecar did not answer.
    """
    if not pod.injected:
        raise InfrastructureError(f"{pod} has no sidecar")
    result = exec_once(cluster, pod, SIDECAR, ["pilot-agent", "request", "GET", path], timeout_s=_ANSWER_S)
    if result.exit_code:
        raise InfrastructureError(f"sidecar of {pod} did not answer {path}: {result.stderr.strip()[:200]}")
    return result.stdout


def listeners(cluster: Cluster, pod: Pod) -> tuple[dict[str, Any], bool]:
    """A proxy's listeners: a sidecar's inbound one, or all where it has none of that name; and whether it is that.

    Raises:
        InfrastructureError: as for `admin`.
        MeshproofError: the answer cannot be read.
    """
    text = "" if pod.is_gateway else admin(cluster, pod, _INBOUND)
    inbound = '"filter_chains"' in text
    if not inbound:  # a gateway's listeners have other names
        text = admin(cluster, pod, _ALL)
    try:
        dump: dict[str, Any] = json.loads(text)
    except ValueError:
        raise MeshproofError(f"the proxy of {pod} sent an unreadable configuration") from None
    return dump, inbound


def concurrency(cluster: Cluster, pod: Pod) -> int:
    """Worker threads of the sidecar; 1 where there is none.

    Envoy reports the value it was started with (`server_info`, `command_line_options.concurrency`).

    Raises:
        InfrastructureError: the sidecar did not answer, or not in that form.
    """
    if not pod.injected:
        return 1
    try:
        return max(1, int(json.loads(admin(cluster, pod, "server_info"))["command_line_options"]["concurrency"]))
    except (ValueError, KeyError, TypeError):
        raise InfrastructureError(f"sidecar of {pod} does not report its concurrency") from None


def envoy_version(cluster: Cluster, pod: Pod) -> str:
    """Envoy's version of a sidecar or gateway: `1.37.0`, `1.37.1-dev`.

    Envoy reports `<commit>/<version>/<state of the source>/<type of build>/<TLS library>` (`server_info`, `version`).

    Raises:
        InfrastructureError: the proxy did not answer, or not in that form.
    """
    try:
        return str(json.loads(admin(cluster, pod, "server_info"))["version"].split("/")[1])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise InfrastructureError(f"sidecar of {pod} does not report its version") from None


def config_dump(cluster: Cluster, pod: Pod) -> dict[str, Any]:
    """The sidecar's whole configuration. Holds no private keys: Envoy leaves them out.

    Raises:
        InfrastructureError: the sidecar did not answer, or not in JSON.
    """
    try:
        dump: dict[str, Any] = json.loads(admin(cluster, pod, "config_dump"))
    except ValueError:
        raise InfrastructureError(f"sidecar of {pod} sent an unreadable configuration") from None
    return dump


def stats(cluster: Cluster, pod: Pod, pattern: str = "") -> Stats:
    """Counters and gauges of the sidecar, from its statistics in Prometheus form.

    The library gives counters the suffix `_total`, as OpenMetrics demands.

    Args:
        pattern: a regular expression for Envoy's own names, which are not those of Prometheus; empty gives all.

    Raises:
        InfrastructureError: the sidecar did not answer, or not in that form.
    """
    path = "stats/prometheus" + (f"?filter={pattern}" if pattern else "")
    text = admin(cluster, pod, path)
    try:
        return tuple(sample for family in text_string_to_metric_families(text) for sample in family.samples)
    except ValueError:
        raise InfrastructureError(f"sidecar of {pod} sent unreadable statistics") from None


def containers_that_log(pod: Pod) -> list[str]:
    """The application's containers, then the sidecar."""
    return sorted(pod.containers, key=lambda name: name == SIDECAR)


def log_lines(cluster: Cluster, pod: Pod, container: str, *, since_s: int | None = None) -> list[str]:
    """Lines of a container's log: all, or those of the last `since_s` seconds.

    Raises:
        InfrastructureError: it cannot be read.
    """
    try:
        return cluster.logs(pod, container, since_s=since_s).splitlines()
    except MeshproofError as error:
        raise InfrastructureError(f"log of {pod} ({container}) cannot be read: {error}") from None
