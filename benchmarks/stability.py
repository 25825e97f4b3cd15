"""Is "converged" reliable? Flips policies on and off, and sends further probes after each flip has converged.

A flip applies or deletes one policy, converges by `clients.probe.converge` with the confirmations that the rig
derives, and then sends further probes. An answer is contrary if it is that of before the flip, or any other unexpected
one.

Extra wait of a flip: from the first match after the last contrary answer (the mesh had settled by then) to the moment
when `converge` called it converged.

"Too early for K": a later probe would have contradicted K matches in a row.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from benchmarks import common
from benchmarks.flips import Flip, FlipAnswer, FlipRecorder
from benchmarks.policies import INSIDE, POLICIES, SERVER, FlippedPolicy
from benchmarks.stability_tables import REPLICAS, THREADS, print_tables
from clients.kube.pods import SIDECAR
from clients.mesh import sidecar
from clients.model.errors import ClusterError
from clients.model.expect import status
from clients.probe.converge import converge
from clients.probe.convergence import ConvergencePolicy
from clients.proof.rig.rig import Rig

CONTROL = "BENCH"


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = common.options("stability", "Policy flips, and probes after each was called converged.")
    parser.add_argument("--flips", type=int, default=200, help="default: 200, over three kinds of policy, both ways")
    parser.add_argument("--after", type=int, default=50, help="further probes after each (default: 50)")
    parser.add_argument("--confirmations", type=int, help="override the derived number, to see its effect")
    return parser


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """All flips, their tables, and the keys."""
    up = common.testbed()
    with common.rig(up, policy=ConvergencePolicy(confirmations=given.confirmations)) as rig:
        rig.environments.ensure(["environment.yaml"])
        check_environment(rig)
        flips = []
        for number in range(given.flips):
            policy = POLICIES[number // 2 % len(POLICIES)]
            flip = flip_once(rig, policy, applied=number % 2 == 0, after=given.after)
            flips.append(flip)
            report_flip(rig, number, flip)
    good = [flip for flip in flips if flip.declared_s is not None]
    if not good:
        raise ClusterError("no flip converged", "see `meshproof status`")
    print_tables(good)
    lost = len(flips) - len(good)
    return {
        "flips": len(good),
        "contrary_after_converged": sum(len(flip.contrary) for flip in good),
        "median_extra_wait_s": round(statistics.median(flip.extra_s for flip in good), 3),
        "not_converged": lost,
        "confirmations": sorted({flip.needed for flip in good}),
        "compared": f"flips of {', '.join(policy.kind for policy in POLICIES)} in turn, applied and deleted; "
        f"{REPLICAS} server replicas, {THREADS} Envoy worker threads in every sidecar; {given.after} further probes "
        "after each. Extra wait: from the first match after the last contrary answer to the moment it was called "
        "converged",
    }


def check_environment(rig: Rig) -> None:
    """Check that the testbed has the threads and replicas that the figures are for.

    Raises:
        ClusterError: it has others.
    """
    servers = rig.workloads.pods(SERVER)
    threads = {sidecar.concurrency(rig.cluster, pod) for pod in (*servers, *rig.workloads.pods(INSIDE))}
    if len(servers) != REPLICAS or threads != {THREADS}:
        raise ClusterError(f"{len(servers)} replicas and {threads} worker threads instead of {REPLICAS} and {THREADS}")


def flip_once(rig: Rig, policy: FlippedPolicy, *, applied: bool, after: int) -> Flip:
    """Change the policy, converge, send further probes."""
    items = rig.applier.load([policy.manifest])
    expect = policy.denied if applied else status(200)
    needed = rig.certainty.required_confirmations(policy.probe)
    recorder = FlipRecorder(rig.prober.many(policy.probe, CONTROL), expect, time.monotonic())
    if applied:
        rig.applier.apply(items)
    else:
        rig.applier.delete(items)
    result = converge(recorder, expect, rig.certainty.policy, needed=needed, since=recorder.since)
    declared_s = time.monotonic() - recorder.since if result.converged else None
    before = len(recorder.seen)
    recorder(after)
    return Flip(
        kind=policy.kind,
        way="applied" if applied else "deleted",
        before=tuple(seen for seen in recorder.seen[:before] if not seen.lost),
        after=tuple(seen for seen in recorder.seen[before:] if not seen.lost),
        declared_s=declared_s,
        needed=needed,
        pooled=policy.pooled,
    )


def report_flip(rig: Rig, number: int, flip: Flip) -> None:
    """Print progress after every tenth flip, and details of a flip that did not converge or was contradicted."""
    if number % 10 == 9:
        common.progress(f"{number + 1} flips")
    name = f"flip {number + 1}, {flip.kind} {flip.way}"
    if flip.declared_s is None:
        common.say(f"{name}: not converged; last {[seen.outcome.summary for seen in flip.before[-3:]]}")
        return
    for seen in flip.contrary:
        late_s, number_after = seen.at_s - flip.declared_s, flip.after.index(seen) + 1
        common.say(
            f"{name}: contrary {seen.outcome.summary} {late_s:.3f} s after it was called converged (at "
            f"{flip.declared_s:.3f} s), probe {number_after} of {len(flip.after)}, {where(rig, seen)}"
        )


def where(rig: Rig, seen: FlipAnswer) -> str:
    """Which replica's sidecar logged the request; a plaintext connection that was reset leaves no such line."""
    time.sleep(1.5)  # Envoy writes its access log once a second
    for pod in rig.workloads.pods(SERVER):
        if any(seen.outcome.request_id in line for line in sidecar.log_lines(rig.cluster, pod, SIDECAR, since_s=30)):
            return f"by {pod.name}"
    return "in no replica's access log"


if __name__ == "__main__":
    raise SystemExit(common.main(arguments(), measure))
