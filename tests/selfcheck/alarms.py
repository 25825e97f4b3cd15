"""Part `alarms`: whole runs on a mesh that is right, most of them disturbed; all verdicts are those of a calm run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from clients.model.errors import SettingsError
from tests.e2e.e2e_runs import MESHPROOF, EndedRun, start
from tests.mutants import outside
from tests.selfcheck.product import say, scratch, sweep, testbed
from tests.selfcheck.slow_network import slow
from tests.selfcheck.store import Record, Store
from tests.selfcheck.unusual_meshes import configured, json_logs_and_traces, logs_of_failures, no_logs

RUNS = 20
CALM = "calm"
PATIENCE_S = 3 * 3600.0
WORKERS = ("-n", "2")
DEBOUNCE_S = 5
ISTIOD = ("apps/v1", "Deployment", "istiod", "istio-system")
_CONTROL = re.compile(r"\[.*")
MAY_DIFFER = "inconclusive"
"""The one verdict that a disturbed run may have instead, with its cause."""


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


def selected(only: Sequence[str]) -> list[str]:
    """The disturbances that are named, or all; the calm run is always one of them.

    Raises:
        SettingsError: one does not exist, or the machine lacks what it needs.
    """
    if unknown := [name for name in only if name not in DISTURBANCES]:
        raise SettingsError(f"no disturbance is named {unknown[0]}", f"there are: {', '.join(DISTURBANCES)}")
    chosen = [name for name in DISTURBANCES if not only or name in (*only, CALM)]
    if "stress" in chosen and shutil.which("stress-ng") is None:
        raise SettingsError("stress-ng is not installed", "apt-get install stress-ng")
    return chosen


def run(store: Store, only: Sequence[str], runs: int, suites: Sequence[str] = ()) -> None:
    """Make the runs that the store has no record of: a calm one first, then each disturbance in turn."""
    chosen = selected(only)
    done = {record["id"] for record in store.records()}
    plan = [f"{number + 1}-{chosen[number % len(chosen)]}" for number in range(runs)]
    todo = [name for name in plan if name not in done]
    if not todo:
        return
    with testbed() as up:
        for name in todo:
            number, _, kind = name.partition("-")
            with scratch() as folder, DISTURBANCES[kind].around():
                own = (word.format(number=number) for word in DISTURBANCES[kind].words)
                words = ("run", "--out", "{out}", *WORKERS, *own, *suites)
                ran = start(folder, *MESHPROOF, *words).end(PATIENCE_S)
                record = recorded(name, kind, ran, suites)
            wrong, unsure = differences(calm_run(store, suites) or record, record)
            record |= {"wrong": wrong, "unsure": unsure, "left": sweep(up)}
            store.add(record)
            say(f"[{plan.index(name) + 1}/{runs}] {described(record)}")


def recorded(name: str, kind: str, ran: EndedRun, suites: Sequence[str]) -> Record:
    """What is kept of a run."""
    cases = ran.cases if ran.folder else {}
    flaps: Counter[str] = Counter()
    attempts: Counter[str] = Counter()
    for case in cases.values():
        control = _CONTROL.sub("", case["id"])
        flaps[control] += case["flaps"]
        attempts[control] += case["attempts"]
    return {
        "id": name,
        "kind": kind,
        "suites": list(suites),
        "exit": ran.code,
        "took_s": round(ran.took_s, 1),
        "cases": len(cases),
        "verdicts": {case: "known" if found["known"] else found["verdict"] for case, found in cases.items()},
        "reasons": {case: found["reason"][:200] for case, found in cases.items() if found["verdict"] in _EXPLAINED},
        "flaps": {control: count for control, count in flaps.items() if count},
        "attempts": dict(attempts),
        "output": "" if cases else ran.output[-500:],
    }


_EXPLAINED = frozenset({"fail", "inconclusive"})


def differences(calm: Record, record: Record) -> tuple[dict[str, str], dict[str, str]]:
    """Cases whose verdict differs from the calm run's: false alarms, and those that are inconclusive with a cause."""
    wrong: dict[str, str] = {}
    unsure: dict[str, str] = {}
    for case in sorted(calm["verdicts"].keys() | record["verdicts"].keys()):
        before, now = (one["verdicts"].get(case, "not run") for one in (calm, record))
        if before == now != "fail":  # on a mesh that is right, any failure is a false alarm
            continue
        reason = record["reasons"].get(case, "")
        target = unsure if now == MAY_DIFFER and reason else wrong
        target[case] = f"{now} instead of {before}: {reason}"
    return wrong, unsure


def calm_run(store: Store, suites: Sequence[str]) -> Record | None:
    """The run that others of the same suites are compared with."""
    calm = (record for record in store.records() if record["kind"] == CALM)
    return next((record for record in calm if record["suites"] == list(suites)), None)


def described(record: Record) -> str:
    """One run in a line or more."""
    counts = Counter(record["verdicts"].values())
    text = f"{record['kind']}: {', '.join(f'{count} {name}' for name, count in counts.items())}, {record['took_s']:g} s"
    lines = [f"{text}; {len(record['wrong'])} false alarms, {len(record['unsure'])} inconclusive"]
    return "\n".join([*lines, *(f"  {case}: {why}" for case, why in {**record["wrong"], **record["unsure"]}.items())])


def is_judged(record: Record) -> bool:
    """Whether a record has its judgement; a cache may have older ones, which were judged whenever they were read."""
    return "wrong" in record


def short(record: Record) -> Record:
    """What the page has of a run: how it differs from the calm one, and not the verdict of every case."""
    return {name: record[name] for name in _OF_THE_PAGE if name in record}


_OF_THE_PAGE = ("id", "kind", "suites", "exit", "took_s", "cases", "wrong", "unsure", "flaps", "left", "at")


def figures(store: Store) -> Record:
    """What `--json` has of this part."""
    runs = store.records()
    flaps: Counter[str] = Counter()
    for record in runs:
        flaps.update(record["flaps"])
    return {
        "runs": len(runs),
        "runs_disturbed": sum(record["kind"] != CALM for record in runs),
        "false_alarms": sum(len(record["wrong"]) for record in runs),
        "inconclusive": sum(len(record["unsure"]) for record in runs),
        "flaps": sum(flaps.values()),
        "flaps_per_control": dict(sorted(flaps.items())),
    }


def problems(store: Store) -> list[str]:
    """Why this part is not fine."""
    found = []
    for record in store.records():
        found += [f"run {record['id']}: {case}: {why}" for case, why in record["wrong"].items()]
        found += [] if record["cases"] else [f"run {record['id']} has no verdicts: {record['output']}"]
        found += [f"run {record['id']} left {', '.join(record['left'])}"] if record["left"] else []
    return found
