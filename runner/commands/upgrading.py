"""How `meshproof upgrade` conducts what it was asked for: its traffic, its suites, and what is said and written."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clients.hold import held as holding
from clients.hold.held import Held
from clients.kube.cluster import Cluster
from clients.mesh.survey.own_domain import own_domain
from clients.mesh.survey.survey import Survey
from clients.model.errors import MeshproofError
from clients.model.exit_code import ExitCode
from runner.commands import common, run
from runner.config import folders
from runner.config.gate_settings import Tier
from runner.target import held_traffic, targets
from runner.target.access import Access
from runner.target.target import Target
from runner.upgrade import asking, showing
from runner.upgrade.checking import Checking
from runner.upgrade.conduct import Upgrade
from runner.upgrade.plan import PhaseName
from runner.upgrade.record import UpgradeRecord, UpgradeSide


@dataclass(frozen=True)
class AskedUpgrade:
    """What the command line asks of an upgrade, next to its revisions.

    Attributes:
        namespaces: those of the user that move too.
        commands: phase → command.
        hook_s: time limit of a command in seconds.
        look_s: seconds for which every state is looked at.
        baseline: an earlier run in place of that of the phase `before`.
        asks: the run waits for the user where a phase has no command.
    """

    suites: tuple[str, ...]
    namespaces: Sequence[str]
    commands: Mapping[str, str]
    hook_s: float
    look_s: float
    baseline: Path | None
    asks: bool

    @property
    def later(self) -> bool:
        """Whether the new revision may come later, by a command or by the user."""
        return self.asks or bool({PhaseName.BEFORE, PhaseName.CANARY} & self.commands.keys())


def made(
    cluster: Cluster,
    there: Access,
    target: Target,
    record: UpgradeRecord,
    asked: AskedUpgrade,
    folder: Path,
    checking: Checking,
) -> Upgrade:
    """The upgrade that was asked for, on a cluster."""
    return Upgrade(
        cluster,
        folder,
        record,
        hold=lambda at: _hold(cluster, target, there, at),
        suites=lambda at, below: _suites(target, at, record.suites, record.tier, below),
        say=say,
        hooks=asked.commands,
        hook_s=asked.hook_s,
        look_s=asked.look_s,
        checking=checking,
        root=target.settings.root_namespace,
        baseline=asked.baseline,
        ask=(lambda phase, was, will: asking.ask(phase, was, will, say)) if asked.asks else None,
    )


def say(line: str) -> None:
    """One line of progress; a terminal that has gone ends nothing."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def conducted(one: Upgrade) -> int:
    """Go through its phases, and write and print what came of them; returns the exit code."""
    folder = one.folder
    try:
        one.run()
    except (MeshproofError, KeyboardInterrupt):
        showing.write(one.record, folder)
        _unfinished(one, folder)
        raise
    found = showing.write(one.record, folder)
    if one.record.stopped:
        _unfinished(one, folder)
    for line in showing.lines(one.record, found):
        print(line)
    print(f"report: {folder / showing.HTML}")
    return found.safety.exit_code


def _unfinished(one: Upgrade, folder: Path) -> None:
    done = ", ".join(phase.name for phase in one.record.phases) or "no phase"
    say(f"finished: {done}; go on by --resume {folder}")
    for name in one.away:
        say(f"the namespace {name} is on the new revision; --resume puts it back at the end")


def _hold(cluster: Cluster, target: Target, there: Access, at: UpgradeSide) -> Held:
    wanted, own = target.settings, target.starts_itself
    seen = Survey(cluster, at.label or at.revision, wanted.root_namespace)
    domain, prior = own_domain(seen), seen.prior
    applier = held_traffic.applier(cluster, wanted, there, at.label, own=own, domain=domain, prior=prior)
    return holding.start(cluster, applier, lambda line: say(f"  {line}"))


def _suites(target: Target, at: UpgradeSide, suites: tuple[str, ...], tier: str, below: Path) -> Path:
    """Run them on a revision; returns the folder of the run. KeyboardInterrupt where that was interrupted."""
    changed = target.settings.model_copy(update={"revision": at.label or at.revision, "out": below, "tier": Tier(tier)})
    folder = folders.make_run_folder(below)
    words = ["-n", str(changed.workers), "--dist", "loadfile"] if changed.workers else []
    code = run.conduct([*words, *common.suites(list(suites))], folder, targets.of(changed))
    if code == ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    return folder
