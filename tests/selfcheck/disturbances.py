"""What disturbs whole runs: the machine, the network or the cluster, but never the mesh's policies."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from clients.model.errors import SettingsError
from tests.mutants import outside
from tests.selfcheck.product import scratch
from tests.selfcheck.slow_network import slow
from tests.selfcheck.unusual_meshes import configured, json_logs_and_traces, logs_of_failures, no_logs

CALM = "calm"
DEBOUNCE_S = 5
ISTIOD = ("apps/v1", "Deployment", "istiod", "istio-system")


@dataclass(frozen=True)
class Disturbance:
    """What is wrong with the machine, the network or the cluster during a run, but not with the mesh's policies.

    Attributes:
        words: options of the run; `{number}` in them is that of the run.
    """

    says: str
    around: Callable[[], AbstractContextManager[None]]
    words: tuple[str, ...] = ()


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _stress() -> Iterator[None]:
    """Keep every processor, the memory and the disk busy."""
    program = shutil.which("stress-ng")
    if program is None:
        raise SettingsError("stress-ng is not installed", "apt-get install stress-ng")
    cpus = str(os.cpu_count() or 1)
    command = [program, "--quiet", "--cpu", cpus, "--vm", "1", "--vm-bytes", "512M", "--hdd", "1", "--hdd-bytes", "64M"]
    with scratch() as folder, subprocess.Popen(command, cwd=folder, process_group=0) as running:
        try:
            yield
        finally:
            running.terminate()


@contextmanager
def _debounced() -> Iterator[None]:
    """Changes of the mesh's configuration are collected for seconds before istiod sends them."""
    cluster = outside.administrator()
    found = cluster.get(*ISTIOD)
    assert found is not None
    [container] = found["spec"]["template"]["spec"]["containers"]
    limits = {"PILOT_DEBOUNCE_AFTER": f"{DEBOUNCE_S}s", "PILOT_DEBOUNCE_MAX": f"{2 * DEBOUNCE_S}s"}
    kept = [one for one in container["env"] if one["name"] not in limits]
    changed = [*kept, *({"name": name, "value": value} for name, value in limits.items())]
    _replace_env(container["name"], changed)
    try:
        yield
    finally:
        _replace_env(container["name"], container["env"])


def _replace_env(name: str, env: list[dict[str, Any]]) -> None:
    """Set istiod's variables, and wait for its new pod."""
    cluster = outside.administrator()
    body = cluster.get(*ISTIOD)
    assert body is not None
    for container in body["spec"]["template"]["spec"]["containers"]:
        if container["name"] == name:
            container["env"] = env
    cluster.replace(body)

    def rolled_out() -> bool:
        now = cluster.get(*ISTIOD)
        status = (now or {}).get("status", {})
        seen = status.get("observedGeneration", 0) >= (now or {})["metadata"]["generation"]
        replicas = [status.get(f"{kind}eplicas") for kind in ("updatedR", "availableR", "r")]
        return bool(seen and replicas == [1, 1, 1])

    outside.wait("istiod with other variables", rolled_out)


DISTURBANCES = {
    CALM: Disturbance("nothing is disturbed", _nothing),
    "stress": Disturbance("`stress-ng` keeps processors, memory and disk of the machine busy", _stress),
    "slow-network": Disturbance("packets between pods take 50 ms longer, and 1 % of them are lost", slow),
    "debounce": Disturbance(f"istiod collects changes for {DEBOUNCE_S} s before it sends them", _debounced),
    "reschedule": Disturbance(
        "pods are deleted and made again between cases", _nothing, ("-p", "tests.selfcheck.reschedule")
    ),
    "order": Disturbance("stages and cases follow one another in another order", _nothing, ("--shuffle", "{number}")),
    "json-logs": Disturbance(
        "logs in JSON, half of the requests traced, proxies with one thread", configured(json_logs_and_traces)
    ),
    "logs-of-failures": Disturbance("proxies log only what failed or was refused", logs_of_failures),
    "no-logs": Disturbance("proxies write no access log", configured(no_logs)),
    "two-replicas": Disturbance("each workload has two replicas", _nothing, ("-p", "tests.selfcheck.unusual_meshes")),
}
