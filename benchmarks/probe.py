"""Probes per second: a ProbeSession, compared with a shell loop of `kubectl exec … curl`, in interleaved rounds."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import common
from clients.kube.pods import Pod
from clients.model.errors import InfrastructureError
from clients.model.probe import Workload
from clients.probe.confirmation_row import MAX_BATCH
from clients.proof.rig.rig import Rig

CLIENT = Workload("bench-client", "sleep", "sleep")
PROBE = CLIENT.get("http://httpbin.bench-server:8000/ip")

LOOP = 'n=$1; shift; while [ "$n" -gt 0 ]; do "$@" || exit 1; n=$((n - 1)); done'

COMPARED = (
    "the same GET from the same injected pod to the same injected server, a fresh connection each. 'kubectl exec': a "
    "POSIX shell loop of the cluster's own kubectl, `kubectl exec POD -c sleep -- curl -s -o /dev/null -w "
    "'%{http_code}' URL`, the pod's name known. 'batch' and 'single': our ProbeSession, as `converge` uses it to "
    "confirm and to wait"
)


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = common.options("probe", __doc__)
    parser.add_argument("--rounds", type=int, default=10, help="rounds, each with all of the ways (default: 10)")
    parser.add_argument("--each", type=int, default=20, help="probes of kubectl exec in a round (default: 20)")
    return parser


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Probes per second of every way, in rounds."""
    up = common.testbed()
    with common.rig(up) as rig:
        rig.environments.ensure(["environment.yaml"])
        loop = kubectl_loop(rig, common.kubectl(up))
        ways: dict[str, tuple[int, Callable[[int], int]]] = {
            "kubectl exec": (given.each, loop),
            f"batch of {MAX_BATCH}": (max(1, given.each * 8 // MAX_BATCH) * MAX_BATCH, batches(rig, MAX_BATCH)),
            "single": (given.each * 4, batches(rig, 1)),
        }
        for _, send in ways.values():
            send(2)  # starts the shell, opens the sidecar's pools
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(given.rounds):
            common.progress(f"round {number + 1} of {given.rounds}")
            for name, (count, send) in ways.items():
                rates[name].append(rate(send, count))
    first = rates["kubectl exec"]
    ratios = {name: statistics.median(a / b for a, b in zip(seen, first, strict=True)) for name, seen in rates.items()}
    rows = []
    for name, seen in rates.items():
        middle = statistics.median(seen)
        rows.append((name, ways[name][0], middle, min(seen), max(seen), 1000 / middle, ratios[name]))
    common.table(
        f"Probes a second, {given.rounds} rounds",
        ("way", "probes a round", "median", "min", "max", "ms a probe", "ratio (median of rounds)"),
        rows,
    )
    return {"ratio_to_kubectl_exec": round(ratios[f"batch of {MAX_BATCH}"], 1), "compared": COMPARED}


def rate(send: Callable[[int], int], count: int) -> float:
    """Probes a second."""
    started = time.monotonic()
    if (answered := send(count)) != count:
        raise InfrastructureError(f"{answered} of {count} probes answered 200", "see `meshproof status`")
    return count / (time.monotonic() - started)


def kubectl_loop(rig: Rig, kubectl: list[str]) -> Callable[[int], int]:
    """Sends n probes by a shell loop; returns how many answered 200."""
    [pod] = rig.workloads.pods(CLIENT)
    return partial(run_loop, kubectl, pod, CLIENT.container, rig.overlay.url(PROBE.url))


def run_loop(kubectl: list[str], pod: Pod, container: str, url: str, count: int) -> int:
    """Send `count` requests by a shell loop of `kubectl exec`; returns how many answered 200."""
    curl = ["curl", "-s", "-o", "/dev/null", "-w", r"%{http_code}\n", url]
    command = [*kubectl, "exec", "-n", pod.namespace, pod.name, "-c", container, "--", *curl]
    ended = subprocess.run(["sh", "-c", LOOP, "sh", str(count), *command], capture_output=True, text=True)
    return ended.stdout.split().count("200")


def batches(rig: Rig, size: int) -> Callable[[int], int]:
    """Sends n probes by the running session, `size` at a time; returns how many answered 200."""

    def send(count: int) -> int:
        sizes = [min(size, count - start) for start in range(0, count, size)]
        return sum(outcome.status == 200 for some in sizes for outcome in rig.prober.probe(PROBE, "BENCH", some))

    return send


if __name__ == "__main__":
    raise SystemExit(common.main(arguments(), measure))
