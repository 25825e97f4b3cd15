"""`meshproof upgrade`: whether it is safe to move from one revision of the mesh to another."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from clients.hold import held as holding
from clients.kube.cluster import Cluster
from clients.mesh import identity_of
from clients.mesh.survey.survey import Survey
from clients.model.errors import ConflictError, SettingsError
from reports import files
from reports.record.model import Report
from runner.commands import common, upgrading
from runner.commands.like import resolve
from runner.commands.upgrading import AskedUpgrade, say
from runner.config import folders, settings
from runner.config.gate_settings import Tier
from runner.config.names import check_names
from runner.config.settings import Settings
from runner.interrupts import hangup_interrupts, sigterm_interrupts
from runner.session.planning.collect_plan import collect
from runner.target import held_traffic, targets
from runner.upgrade import baseline as earlier_run
from runner.upgrade import going_on, hooks, own_cluster, own_namespaces
from runner.upgrade.baseline import OldMesh
from runner.upgrade.checking import Checking
from runner.upgrade.going_on import AskedAgain
from runner.upgrade.record import UpgradeRecord, UpgradeSide
from runner.upgrade.sides import check_sides, side

DAY_S = 86_400.0
"""The longest time that an option may state, in seconds."""
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
    hook_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, max=DAY_S, help="Time limit of a hook.")
    ] = 600.0,
    look: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, max=DAY_S, help="How long each state is looked at.")
    ] = 10.0,
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
    names = _names(start, end, from_revision, to_revision)
    if like and not (start or end):
        raise SettingsError("--like is for a rehearsal on the embedded cluster", "name versions by --from and --to")
    wanted = settings.load(given)
    _check(namespace or (), from_revision, to_revision, look, hook_timeout)
    common.check_suites(paths)
    folders.check_writable(wanted.out, "choose another with --out")  # before versions are built
    first = earlier_run.load(baseline) if baseline else None
    again = AskedAgain(*names, paths or (), namespace or (), str(given["tier"] or ""), bool(baseline))
    earlier = _earlier(resume, again)
    if not (all(names) or earlier):
        hint = "--from 1.29 --to 1.31 on the embedded cluster, --from-revision A --to-revision B on any"
        raise SettingsError("an upgrade needs two versions or two revisions", hint)
    if baseline and first:
        _check_baseline(baseline, first, wanted, earlier, paths or ())
        if start:
            earlier_run.check_mesh(baseline, first, OldMesh(own_cluster.version(start), names[0]))
    file = resolve(like) if like else None  # it may be read from a cluster
    rehearsed = own_cluster.identity(file) if file else ""
    if earlier:
        going_on.check_like(earlier, rehearsed)
    with sigterm_interrupts(), hangup_interrupts(), own_cluster.given(start, end, given, say, file) as chosen:
        at = files.real(baseline) if baseline else None
        asks = prompt if prompt is not None else chosen.names is None and bool(sys.stdin and sys.stdin.isatty())
        target = targets.of(settings.load(chosen.options))
        asked = AskedUpgrade(tuple(paths or ()), namespace or (), commands, hook_timeout, look, at, asks=asks)
        there = target.access(say)
        held_traffic.require_image(there)
        with closing(there.connect()) as cluster:
            place = going_on.EMBEDDED if chosen.names else identity_of.uid(cluster)
            if earlier:
                going_on.check_place(earlier, place)
            record = earlier or _begin(cluster, target.settings, *names, asked)
            record = replace(record, cluster=record.cluster or place, like=rehearsed, left=chosen.left or record.left)
            _refuse_held(cluster)
            checking = Checking(cluster, there, target.settings.root_namespace)
            record = checking.checked(record)
            for one in () if earlier else record.not_checked:
                say(f"not checked: {one.text}")
            if baseline and first and not chosen.names:
                earlier_run.check_mesh(baseline, first, _left(cluster, target.settings, record))
            folder = _folder(resume, target.settings, record)
            return upgrading.conducted(upgrading.made(cluster, there, target, record, asked, folder, checking))


def _check(namespaces: Sequence[str], old: str, new: str, *seconds: float) -> None:
    """Refuse words that no cluster needs to be reached for.

    Raises:
        SettingsError: a name has characters that names do not have, or a time is no number.
    """
    check_names("--namespace", "a namespace", namespaces)
    check_names("--from-revision", "a revision", [old])
    check_names("--to-revision", "a revision", [new])
    if any(map(math.isnan, seconds)):  # which is in any range
        raise SettingsError("'--look' and '--hook-timeout' are in seconds", "for instance 10")


def _check_baseline(
    path: Path, run: Report, wanted: Settings, earlier: UpgradeRecord | None, suites: Sequence[str]
) -> None:
    """Compare the cases of an earlier run with those that the upgrade proves.

    Raises:
        SettingsError: they are others.
    """
    if earlier:
        wanted, suites = wanted.model_copy(update={"tier": Tier(earlier.tier)}), earlier.suites
    planned = collect(common.suites(list(suites)), wanted)
    earlier_run.check_cases(path, run, {name for one in planned for name in one.ids})


def _left(cluster: Cluster, wanted: Settings, record: UpgradeRecord) -> OldMesh:
    """The mesh that is left, on a cluster of others."""
    survey = Survey(cluster, record.old.label or record.old.revision, wanted.root_namespace)
    return OldMesh(record.old.version, record.old.revision, survey.flavour.value, record.cluster)


def _names(start: str, end: str, old: str, new: str) -> tuple[str, str]:
    """Both revisions, as far as the command line names them.

    Raises:
        SettingsError: it names versions and revisions, versions that the testbed does not have, or one revision twice.
    """
    own = own_cluster.revisions(start, end)
    if own and (old or new):
        raise SettingsError(
            "--from and --to are of the embedded cluster, which names its revisions itself",
            "leave out --from-revision and --to-revision, or name them alone on any other cluster",
        )
    if old and old == new:
        raise SettingsError(f"--from-revision and --to-revision are both {old}", "name two revisions")
    return own or (old, new)


def _earlier(resume: Path | None, asked: AskedAgain) -> UpgradeRecord | None:
    """The upgrade that is gone on with.

    Raises:
        SettingsError: it cannot be read, or the command line asks for another one.
    """
    if resume is None:
        return None
    record = UpgradeRecord.load(resume)
    going_on.check(record, asked, resume if resume.is_dir() else resume.parent)
    return record


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
