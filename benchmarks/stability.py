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
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks import common
from benchmarks.policies import INSIDE, POLICIES, SERVER, Policy
from clients.kube.pods import SIDECAR
from clients.mesh import sidecar
from clients.model.errors import ClusterError
from clients.model.expect import Expectation, status
from clients.model.outcome import Outcome, OutcomeKind
from clients.probe.confirm import stale_probability
from clients.probe.confirmation_row import ProbeMany
from clients.probe.converge import converge
from clients.probe.convergence import ConvergencePolicy
from clients.proof.rig import Rig

THREADS, REPLICAS = 2, 2
KS = (1, 2, 3, 5, 8, 10, 15, 20, 30)
CONTROL = "BENCH"


@dataclass(frozen=True)
class Seen:
    """One probe's answer. `at_s` counts from the moment when the change was sent."""

    at_s: float
    matched: bool
    lost: bool
    outcome: Outcome


@dataclass
class FlipRecorder:
    """Passes probes on and records the answers.

    The answers of a batch arrive together; each gets its share of the batch's time, since probes are sent in turn.
    """

    send: ProbeMany
    expect: Expectation
    since: float
    seen: list[Seen] = field(default_factory=list)

    def __call__(self, count: int) -> Sequence[Outcome]:
        """Send `count` probes and record their answers."""
        started = time.monotonic() - self.since
        outcomes = self.send(count)
        share = (time.monotonic() - self.since - started) / max(1, len(outcomes))
        for number, outcome in enumerate(outcomes, 1):
            lost = outcome.kind is OutcomeKind.INFRASTRUCTURE
            matched = self.expect.problem(outcome) is None
            self.seen.append(Seen(started + share * number, matched, lost, outcome))
        return outcomes


@dataclass(frozen=True)
class Flip:
    """One change of one policy.

    Attributes:
        pooled: whether the client's sidecar keeps connections to the server's.
        before: probes until it was called converged; `after`: the further probes. Neither has lost probes.
        declared_s: time at which it was called converged; None if it never was.
    """

    kind: str
    way: str
    before: tuple[Seen, ...]
    after: tuple[Seen, ...]
    declared_s: float | None
    needed: int
    pooled: bool = False

    @property
    def first_s(self) -> float:
        """Time of the first match."""
        return next((seen.at_s for seen in self.before if seen.matched), float("nan"))

    @property
    def stale(self) -> list[Seen]:
        """Contrary answers that came after the first match, before it was called converged."""
        return [seen for seen in self.before if not seen.matched and seen.at_s > self.first_s]

    @property
    def settled_s(self) -> float:
        """Time of the first match after the last contrary answer."""
        last = max((number for number, seen in enumerate(self.before) if not seen.matched), default=-1)
        return self.before[last + 1].at_s

    @property
    def extra_s(self) -> float:
        """The extra wait."""
        assert self.declared_s is not None
        return self.declared_s - self.settled_s

    @property
    def contrary(self) -> list[Seen]:
        """Contrary answers after it was called converged."""
        return [seen for seen in self.after if not seen.matched]

    def too_early(self, matches: int) -> bool:
        """Whether a contrary answer followed the first `matches` matches in a row."""
        row = 0
        for seen in (*self.before, *self.after):
            if row >= matches and not seen.matched:
                return True
            if row < matches:
                row = row + 1 if seen.matched else 0
        return False


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


def flip_once(rig: Rig, policy: Policy, *, applied: bool, after: int) -> Flip:
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


def where(rig: Rig, seen: Seen) -> str:
    """Which replica's sidecar logged the request; a plaintext connection that was reset leaves no such line."""
    time.sleep(1.5)  # Envoy writes its access log once a second
    for pod in rig.workloads.pods(SERVER):
        if any(seen.outcome.request_id in line for line in sidecar.log_lines(rig.cluster, pod, SIDECAR, since_s=30)):
            return f"by {pod.name}"
    return "in no replica's access log"


def print_tables(flips: list[Flip]) -> None:
    """One row per kind and way."""
    groups: dict[str, list[Flip]] = {}
    for flip in flips:
        groups.setdefault(f"{flip.kind} {flip.way}", []).append(flip)
    groups["all"] = flips
    common.table(
        "Convergence: medians in ms since the change was sent; stale: contrary after a match",
        (
            "policy",
            "flips",
            "K",
            "first match",
            "contrary until",
            "with stale",
            "stale at most",
            "declared",
            "extra wait",
            "at most",
            "contrary after",
        ),
        [convergence_row(name, group) for name, group in groups.items()],
    )
    rows = [[name, len(some), *(sum(f.too_early(k) for f in some) for k in KS)] for name, some in groups.items()]
    pooled = sum(flip.pooled for flip in flips)
    model = [round(pooled * model_too_early(THREADS * REPLICAS, k), 1) for k in KS]
    bound = [round(pooled * stale_probability(THREADS * REPLICAS, k), 1) for k in KS]
    common.table(
        f"Declared too early if K in a row were enough (n = {THREADS} threads x {REPLICAS} replicas)",
        ("policy", "flips", *(f"K={k}" for k in KS)),
        [*rows, ["model, through a sidecar", pooled, *model], ["bound n(1-1/n)^K of these", pooled, *bound]],
    )


def model_too_early(pools: int, matches: int) -> float:
    """The stale-pool model's prediction (`clients.probe.confirm`): how often `matches` in a row come too early.

    Every pool answers once by the old rules, and each probe reaches one at random. While u pools are stale, K matches
    in a row come with (1-u/n)^K before a stale answer makes u one less: 1 - (1-(1-1/n)^K) (1-(1-2/n)^K) ... in all.
    """
    return 1 - math.prod(1 - (1 - stale / pools) ** matches for stale in range(1, pools))


def convergence_row(name: str, flips: list[Flip]) -> list[object]:
    """A row of the first table."""
    contrary = [seen.at_s for flip in flips for seen in flip.before if not seen.matched]
    extra = [flip.extra_s for flip in flips]
    return [
        name,
        len(flips),
        "/".join(str(k) for k in sorted({flip.needed for flip in flips})),
        *(round(1000 * t) for t in (statistics.median(f.first_s for f in flips), max(contrary, default=0.0))),
        sum(bool(flip.stale) for flip in flips),
        max(len(flip.stale) for flip in flips),
        round(1000 * statistics.median(flip.declared_s or 0.0 for flip in flips)),
        round(1000 * statistics.median(extra)),
        round(1000 * max(extra)),
        sum(len(flip.contrary) for flip in flips),
    ]


if __name__ == "__main__":
    raise SystemExit(common.main(arguments(), measure))
