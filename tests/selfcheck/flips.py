"""Part `flips`: changes of policies, and further probes after each was called stable; some reach one replica late."""

from __future__ import annotations

import os
import signal
import statistics
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks import common
from benchmarks.flips import Flip
from benchmarks.policies import ALL, WITH_GATEWAY, FlippedPolicy
from benchmarks.stability import check_environment, flip_once
from benchmarks.stability_tables import KS, REPLICAS, THREADS, model_too_early
from clients.model.errors import SettingsError
from clients.probe.confirm import stale_probability
from clients.probe.convergence import ConvergencePolicy
from clients.proof.rig.rig import Rig
from tests.mutants import outside
from tests.mutants.workloads.workloads import resume
from tests.selfcheck.product import say, testbed
from tests.selfcheck.store import Record, Store

CHANGES, AFTER = 1000, 50
SLOW_EVERY = 8
"""Of the changes of a kind, one in so many (and its deletion) reaches one replica late."""
SLOW_S = 4.0
"""For so long the agent of that replica's proxy gets no configuration: it is stopped."""
AGENT = "pilot-agent"
SHOWN = 5
"""Contrary answers of a change that its record has."""


def kinds(only: Sequence[str]) -> tuple[FlippedPolicy, ...]:
    """The kinds of changes that are named, or all.

    Raises:
        SettingsError: one does not exist.
    """
    known = {policy.kind: policy for policy in ALL}
    if unknown := [name for name in only if name not in known]:
        raise SettingsError(f"no kind of change is named {unknown[0]}", f"there are: {', '.join(known)}")
    return tuple(known[name] for name in only) or ALL


def run(store: Store, only: Sequence[str], changes: int) -> None:
    """Make the changes that the store has no record of, each kind in turn, applied and deleted.

    Raises:
        ClusterError: the testbed has other threads or replicas than the model is compared with.
    """
    wanted = kinds(only)
    done = {record["id"] for record in store.records()}
    numbers = [number for number in range(changes) if str(number) not in done]
    if not numbers:
        return
    with testbed() as up, common.rig(up, policy=ConvergencePolicy()) as rig:
        rig.environments.ensure(WITH_GATEWAY)
        check_environment(rig)
        for number in range(numbers[0] - numbers[0] % 2, changes):  # a deletion needs what was applied before it
            policy, applied = wanted[number // 2 % len(wanted)], number % 2 == 0
            slow = number // 2 // len(wanted) % SLOW_EVERY == SLOW_EVERY - 1
            record = one(rig, policy, applied=applied, slow=slow)
            store.add({"id": str(number), **record})
            if record["contrary"] or record["declared_s"] is None or number % 20 == 19:
                say(f"[{number + 1}/{changes}] {record['kind']} {record['way']}: {described(record)}")


def one(rig: Rig, policy: FlippedPolicy, *, applied: bool, slow: bool) -> Record:
    """One change; `slow` stops the agent of one replica's proxy meanwhile."""
    with stopped(rig, policy) if slow else _nothing():
        flip = flip_once(rig, policy, applied=applied, after=AFTER)
    return recorded(flip, slow=slow)


def recorded(flip: Flip, *, slow: bool) -> Record:
    """What is kept of a change."""
    times = {"first_s": flip.first_s, "declared_s": flip.declared_s}
    return {
        "kind": flip.kind,
        "way": flip.way,
        "slow": slow,
        "pooled": flip.pooled,
        "needed": flip.needed,
        **{name: value if value is None else round(value, 3) for name, value in times.items()},
        "stale": len(flip.stale),
        "probes": len(flip.after),
        "contrary": len(flip.contrary) if flip.declared_s is not None else 0,
        "too_early": [k for k in KS if flip.too_early(k)],
        "saw": [seen.outcome.summary for seen in flip.contrary][:SHOWN] if flip.declared_s is not None else [],
    }


def described(record: Record) -> str:
    """One record in a few words."""
    if record["declared_s"] is None:
        return "not converged"
    slow = ", one replica late" if record["slow"] else ""
    saw = f" ({', '.join(record['saw'])})" if record.get("saw") else ""
    return (
        f"{record['contrary']} of {record['probes']} contrary{saw}, stable after {record['declared_s']:.1f} s, "
        f"{record['stale']} stale answers before{slow}"
    )


@contextmanager
def stopped(rig: Rig, policy: FlippedPolicy) -> Iterator[None]:
    """Stop the agent of one replica's proxy, for `SLOW_S` seconds or until the context ends."""
    [pod, *_] = rig.workloads.pods(policy.proxy)
    body = rig.cluster.get("v1", "Pod", pod.name, pod.namespace)
    pids = outside.pids(body["metadata"]["uid"], AGENT) if body else []
    if not pids:
        raise LookupError(f"no {AGENT} runs in {pod}")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    timer = threading.Timer(SLOW_S, resume, [pids])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        resume(pids)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def figures(store: Store) -> Record:
    """What `--json` has of this part."""
    records = store.records()
    good = [record for record in records if record["declared_s"] is not None]
    probes, contrary = (sum(record[name] for record in good) for name in ("probes", "contrary"))
    return {
        "flips": len(records),
        "flips_slow": sum(record["slow"] for record in records),
        "not_converged": len(records) - len(good),
        "probes_after_stable": probes,
        "contrary": contrary,
        "flips_with_contrary": sum(bool(record["contrary"]) for record in good),
    }


def problems(store: Store) -> list[str]:
    """Why this part is not fine: more contrary changes than the stated error rate allows, or one without an end."""
    known = figures(store)
    found = []
    allowed = ConvergencePolicy().error_rate * known["flips"]
    if known["flips_with_contrary"] > allowed:
        share = f"{known['flips_with_contrary']} of {known['flips']} changes"
        found.append(f"{share} were called stable too early; the stated error rate allows {allowed:.2g}")
        found += contrary(store)
    if known["not_converged"]:
        found.append(f"{known['not_converged']} changes did not converge")
    return found


def contrary(store: Store) -> list[str]:
    """Each change that was called stable too early, in one line."""
    found = (record for record in store.records() if record["contrary"])
    return [f"change {one['id']}, {one['kind']} {one['way']}: {described(one)}" for one in found]


def rows(store: Store) -> list[tuple[str, ...]]:
    """One row for each kind and way, for the page."""
    groups: dict[str, list[Record]] = {}
    for record in store.records():
        name = f"{record['kind']}, one replica late" if record["slow"] else record["kind"]
        groups.setdefault(name, []).append(record)
    made = []
    for name, some in sorted(groups.items()):
        declared = [record["declared_s"] for record in some if record["declared_s"] is not None]
        needed = "/".join(str(number) for number in sorted({record["needed"] for record in some}))
        median = f"{statistics.median(declared):.1f}" if declared else "-"
        counts = (sum(record[key] for record in some) for key in ("stale", "probes", "contrary"))
        made.append((name, str(len(some)), needed, median, *map(str, counts)))
    return made


def model(store: Store) -> list[tuple[str, ...]]:
    """How many changes a smaller number of confirmations would have called stable too early, measured and predicted."""
    records = [record for record in store.records() if record["declared_s"] is not None]
    pooled = [record for record in records if record["pooled"] and not record["slow"]]
    slow = [record for record in records if record["slow"]]
    pools = THREADS * REPLICAS

    def early(some: Sequence[Record]) -> list[str]:
        return [str(sum(k in record["too_early"] for record in some)) for k in KS]

    return [
        (f"through a sidecar, measured ({len(pooled)})", *early(pooled)),
        ("by the model", *(f"{len(pooled) * model_too_early(pools, k):.2g}" for k in KS)),
        ("by the bound", *(f"{len(pooled) * stale_probability(pools, k):.2g}" for k in KS)),
        (f"one replica late, measured ({len(slow)})", *early(slow)),
    ]
