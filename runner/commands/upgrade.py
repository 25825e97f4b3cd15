"""`meshproof upgrade`: whether it is safe to move from one revision of the mesh to another."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from clients.hold import held as holding
from clients.hold.held import Held
from clients.kube.cluster import Cluster
from clients.mesh.own_domain import own_domain
from clients.mesh.survey import Survey
from clients.model.errors import ConflictError, MeshproofError, SettingsError
from clients.model.exit_code import ExitCode
from reports import conformance, files
from runner.commands import common, run
from runner.commands.like import resolve
from runner.config import folders, settings
from runner.config.gate_settings import Tier
from runner.config.settings import Settings
from runner.interrupts import sigterm_interrupts
from runner.target import held_traffic, targets
from runner.target.access import Access
from runner.target.target import Target
from runner.upgrade import asking, hooks, own_cluster, own_namespaces, regressions, showing
from runner.upgrade.checking import Checking
from runner.upgrade.conduct import Upgrade
from runner.upgrade.plan import PhaseName
from runner.upgrade.record import UpgradeRecord, UpgradeSide
from runner.upgrade.sides import check_sides, side

OPTIONS = (
    *common.CLUSTER, "root_namespace", "istioctl", "image_prefix", "allow_mesh_wide", "out", "skip_preflight",
    "workers", "tier",
)  # fmt: skip


@common.takes(*OPTIONS)
def upgrade(
    paths: common.Paths = None,
    start: Annotated[str, typer.Option("--from", metavar="VERSION", help="On the embedded cluster: from this.")] = "",
    end: Annotated[str, typer.Option("--to", metavar="VERSION", help="On the embedded cluster: to this.")] = "",
    like: Annotated[
        str, typer.Option(metavar="FILE|CONTEXT", help="Rehearse with the mesh of another cluster; with --from, --to.")
    ] = "",
    from_revision: Annotated[str, typer.Option(metavar="NAME", help="The revision or tag before.")] = "",
    to_revision: Annotated[str, typer.Option(metavar="NAME", help="The revision or tag after.")] = "",
    hook: Annotated[
        list[str] | None, typer.Option(metavar="PHASE=COMMAND", help="Run it when the phase begins; repeatable.")
    ] = None,
    hook_timeout: Annotated[float, typer.Option(metavar="SECONDS", min=1, help="Time limit of a hook.")] = 600.0,
    look: Annotated[float, typer.Option(metavar="SECONDS", min=1, help="How long each state is looked at.")] = 10.0,
    namespace: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Move this namespace of yours too; repeatable.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="RUN", help="An earlier run of the old version in place of the first one.")
    ] = None,
    prompt: Annotated[
        bool | None,
        typer.Option("--prompt/--no-prompt", help="Wait for you where a phase has no hook; default: at a terminal."),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Go on with this upgrade after its last finished phase.")
    ] = None,
    *,
    given: common.Given,
) -> int:
    """Move from one revision of the mesh to another and back, while requests go on; exit 0 safe, 1 not, 3 not known."""
    commands = hooks.parse(hook or ())
    if from_revision and from_revision == to_revision:
        raise SettingsError(f"--from-revision and --to-revision are both {from_revision}", "name two revisions")
    if baseline:
        conformance.load(baseline)  # read again later: a mistake is reported before anything is reached
    common.check_suites(paths)
    folders.check_writable(settings.load(given).out, "choose another with --out")  # before versions are built
    earlier = UpgradeRecord.load(resume) if resume else None
    file = resolve(like) if like else None
    with sigterm_interrupts(), own_cluster.given(start, end, given, say, file) as chosen:
        old, new = _revisions(earlier, chosen.names or (from_revision, to_revision))
        asks = prompt if prompt is not None else chosen.names is None and sys.stdin.isatty()
        target = targets.of(settings.load(chosen.options))
        asked = AskedUpgrade(tuple(paths or ()), namespace or (), commands, hook_timeout, look, baseline, asks=asks)
        there = target.access(say)
        with closing(there.connect()) as cluster:
            record = earlier or _begin(cluster, target.settings, old, new, asked)
            checking = Checking(cluster, there, target.settings.root_namespace)
            record = checking.checked(replace(record, left=chosen.left or record.left))
            for line in () if earlier else record.not_checked:
                say(f"not checked: {line}")
            folder = _folder(resume, target.settings, record)
            _refuse_held(cluster)
            return _conducted(_upgrade(cluster, there, target, record, asked, folder, checking))


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


def _upgrade(
    cluster: Cluster,
    there: Access,
    target: Target,
    record: UpgradeRecord,
    asked: AskedUpgrade,
    folder: Path,
    checking: Checking,
) -> Upgrade:
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
        baseline=regressions.baseline(asked.baseline, record.old) if asked.baseline else None,
        ask=(lambda phase, was, will: asking.ask(phase, was, will, say)) if asked.asks else None,
    )


def _revisions(earlier: UpgradeRecord | None, named: tuple[str, str]) -> tuple[str, str]:
    """Both revisions: those of the upgrade that is resumed, or those that are named.

    Raises:
        SettingsError: one is not named.
    """
    if earlier:
        old, new = earlier.old.label or earlier.old.revision, earlier.new.label or earlier.new.revision
    else:
        old, new = named
    if not (old and new):
        hint = "--from 1.29 --to 1.31 on the embedded cluster, --from-revision A --to-revision B on any"
        raise SettingsError("an upgrade needs two versions or two revisions", hint)
    return old, new


def say(line: str) -> None:
    """One line of progress."""
    print(line, file=sys.stderr, flush=True)


def _conducted(one: Upgrade) -> int:
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


def _begin(cluster: Cluster, wanted: Settings, old: str, new: str, asked: AskedUpgrade) -> UpgradeRecord:
    """A new record.

    Raises:
        SettingsError: a revision is not there, both are the same, or a namespace cannot be moved.
    """
    before = side(cluster, old, wanted.root_namespace)
    try:
        after = side(cluster, new, wanted.root_namespace)
    except SettingsError:
        if not asked.later:
            raise
        after = UpgradeSide(new, "")
    check_sides(before, after)
    survey = Survey(cluster, before.label, wanted.root_namespace)
    names = asked.namespaces
    own = own_namespaces.find(cluster, names, before, survey.injectors, survey.root) if names else ()
    name, tier = f"upgrade-{folders.new_run_id()}", wanted.tier.value
    return UpgradeRecord(name, before, after, suites=asked.suites, tier=tier, namespaces=own)


def _folder(resume: Path | None, wanted: Settings, record: UpgradeRecord) -> Path:
    if resume:
        return files.real(resume) if resume.is_dir() else files.real(resume).parent
    folder = folders.make_folder(files.real(wanted.out / record.id))
    record.save(folder)
    return folder


def _refuse_held(cluster: Cluster) -> None:
    if there := holding.find(cluster):
        hint = "end it by `meshproof hold stop`"
        raise ConflictError(f"traffic is held on this cluster already ({there.id})", hint)


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
