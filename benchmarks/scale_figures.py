"""What was measured of truth tables of several sizes: the printed table, and the keys of the JSON file."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from benchmarks import common
from clients.proof.stage.observation import BASELINE_CONFIRMATIONS

FLAT = 0.25
"""Accepted relative difference between the cost of a pair at 50 namespaces and at 11."""


COMPARED = (
    f"each namespace calls each, itself too, {BASELINE_CONFIRMATIONS} probes a pair. A pair's cost is the wall time of "
    "the whole table, from the first probe to the evidence of every cell, over its pairs: the median of the rounds. "
    "The first round, without connections between sidecars, is listed apart. 'kubectl exec': as many probes of some "
    "of the pairs by a POSIX shell loop of the cluster's own kubectl, one after the other, the pods' names known"
)


@dataclass(frozen=True)
class Measured:
    """One size. Times in seconds, memory in MiB.

    Attributes:
        deployed_s: for the namespaces that the previous size does not have.
        tables_s: the table of each round, in order.
        kubectl_s: one pair by a loop of `kubectl exec`.
    """

    namespaces: int
    deployed_s: float
    tables_s: tuple[float, ...]
    probes: int
    kubectl_s: float
    harness_mib: float
    cluster_mib: float

    @property
    def table_s(self) -> float:
        """The table of the median round."""
        return statistics.median(self.tables_s)

    @property
    def pair_ms(self) -> float:
        """Cost of one pair: all its probes, and its share of everything else."""
        return 1000 * self.table_s / self.namespaces**2

    @property
    def first_pair_ms(self) -> float:
        """The same in the first round."""
        return 1000 * self.tables_s[0] / self.namespaces**2

    @property
    def rate(self) -> float:
        """Probes a second, each on a fresh connection."""
        return self.probes / self.table_s


def show(found: list[Measured]) -> None:
    """Print the table."""
    columns = (
        "namespaces",
        "pairs",
        "deployed, s",
        "table, s",
        "ms a pair",
        "first round",
        "kubectl exec",
        "probes/s",
        "harness, MiB",
        "cluster, MiB",
    )
    rows = [
        (
            m.namespaces,
            m.namespaces**2,
            m.deployed_s,
            m.table_s,
            m.pair_ms,
            m.first_pair_ms,
            1000 * m.kubectl_s,
            m.rate,
            m.harness_mib,
            m.cluster_mib,
        )
        for m in found
    ]
    common.table(f"Truth table, every pod with a sidecar, {BASELINE_CONFIRMATIONS} probes a pair", columns, rows)


def figures(found: list[Measured]) -> dict[str, Any]:
    """Keys of the JSON file; the ratios where both sizes were measured."""
    by_size = {one.namespaces: one for one in found}
    by_name: dict[str, Any] = {
        f"namespaces_{one.namespaces}": {
            "table_s": round(one.table_s, 2),
            "cost_per_pair_ms": round(one.pair_ms, 2),
            "cost_per_pair_first_round_ms": round(one.first_pair_ms, 2),
            "cost_per_pair_kubectl_exec_ms": round(1000 * one.kubectl_s, 1),
            "probes_per_s": round(one.rate, 1),
            "deployed_s": round(one.deployed_s, 1),
            "harness_mib": round(one.harness_mib),
            "cluster_mib": round(one.cluster_mib),
        }
        for one in found
    }
    if {11, 50} <= by_size.keys():
        ratio = by_size[50].pair_ms / by_size[11].pair_ms
        first = by_size[50].first_pair_ms / by_size[11].first_pair_ms
        by_name |= {"cost_per_pair_50_over_11": round(ratio, 3), "flat": abs(ratio - 1) <= FLAT}
        by_name |= {"first_round_50_over_11": round(first, 3)}
    return by_name | {"compared": COMPARED}
