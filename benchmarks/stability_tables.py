"""Tables of the benchmark stability: what was measured of the flips, and what the stale-pool model predicts."""

from __future__ import annotations

import math
import statistics

from benchmarks import common
from benchmarks.flips import Flip
from clients.probe.confirm import stale_probability

THREADS, REPLICAS = 2, 2
KS = (1, 2, 3, 5, 8, 10, 15, 20, 30)


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
