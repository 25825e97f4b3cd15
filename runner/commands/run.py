"""`meshproof run`: the suites against a target, then the reports, however the run ended."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clients.kube import lease
from clients.kube.cleanup import cleanup
from clients.kube.lease import holder, in_use
from clients.model.errors import MeshproofError, SettingsError
from clients.model.exit_code import ExitCode
from reports import earlier, write
from reports.formats import terminal
from reports.record import conformance, packed
from reports.record.journal import Contents, Journal, read
from reports.record.model import ReportError, RunInfo, TargetInfo
from runner.commands import child, common, publishing, rerun, uploading
from runner.config import catalogue, folders, rights, settings, tiers
from runner.config.notify_settings import hidden
from runner.config.option import options
from runner.config.settings import Settings
from runner.session import provenance
from runner.target import identity, known, named, targets
from runner.target.descriptor import TargetDescriptor
from runner.target.held_target import connect
from runner.target.in_use import in_use_error
from runner.target.target import Target

PYTEST_USAGE_ERROR = 4
PYTEST_NOTHING_SELECTED = 5


@common.takes(*options(Settings))
def run(
    paths: common.Paths = None,
    control: common.Controls = None,
    tags: common.Tags = None,
    skipped_tags: common.SkippedTags = None,
    again: Annotated[
        str | None,
        typer.Option(
            "--rerun-failed", metavar="[RUN]", help="Only what did not pass in this run; default: the latest."
        ),
    ] = None,
    keyword: common.Keyword = None,
    marks: common.Marks = None,
    plugin: Annotated[list[str] | None, typer.Option("-p", metavar="MODULE", help="Load a pytest plugin.")] = None,
    verbose: Annotated[bool, typer.Option("-v", help="More output.")] = False,
    *,
    given: common.Given,
) -> int:
    """Prove the controls on a target and write the reports."""
    # A mistake is reported before anything starts.
    wanted = settings.load(given)
    target = targets.of(wanted)
    catalogue.load().select(control or ())
    tiers.with_tags(tags or (), skipped_tags or (), catalogue.load())
    known.entries(target)
    if wanted.baseline:
        earlier.load(wanted.baseline)
    earlier_run = rerun.found(again, wanted.out) if again else None
    if earlier_run and rerun.nothing(earlier_run):
        return ExitCode.OK
    common.check_suites(paths)
    common.check_plugins(plugin or ())
    common.check_expressions(keyword, marks)
    publishing.check(wanted)
    bucket = uploading.bucket(wanted)
    if not plugin:  # a plugin may replace the target
        look_first(target)
    words = common.words({"control": control, "tag": tags, "skip-tag": skipped_tags, "rerun-failed": earlier_run})
    words += common.words({"k": keyword, "m": marks, "p": plugin})
    words += ["-n", str(wanted.workers), "--dist", "loadfile"] if wanted.workers else []
    words += ["-v"] if verbose else []
    uploading.earlier(bucket, target)
    folder = folders.make_run_folder(wanted.out)
    try:
        code = uploading.after(lambda: conduct([*words, *common.suites(paths)], folder, target), folder, bucket)
    except BaseException:
        publishing.after(folder, wanted)
        uploading.not_sent(folder, bucket)
        raise
    published = publishing.after(folder, wanted)
    uploading.not_sent(folder, bucket)
    return code if published else code or ExitCode.BAD_INPUT


def look_first(target: Target) -> None:
    """Report in one line, before anything starts, what would end the run at its first case.

    Raises:
        MeshproofError: bad settings, an unreachable cluster, or one that another run holds.
    """
    identity.check(target.settings)
    there = target.look(print)
    if there is None:
        target.preflight()
        return
    with contextlib.closing(there.connect()) as cluster:
        if busy := holder(cluster):
            root = target.settings.root_namespace or rights.ROOT_NAMESPACE
            raise in_use_error(cluster, in_use(busy), busy, root=root)
        named.require(named.survey_of(cluster, target.settings), target.settings)


def pytest_words(folder: Path, words: Sequence[str]) -> tuple[str, ...]:
    """Words for Python that run pytest with these words and record the run in `folder`.

    The folder is one word with its option: pytest looks for its root before it knows our options, and would take a
    word of its own for a path of tests. No summary of pytest's (`-rN`): it names files, and reasons that are shown
    already.
    """
    return ("-m", "runner.pytest_process", "-p", "no:cacheprovider", "-rN", f"--meshproof-run={folder}", *words)


def conduct(words: list[str], folder: Path, target: Target) -> int:
    """Run pytest with these words, on this target and with its settings; write the reports from its journal.

    Returns the exit code.
    """
    started = folders.now()
    ended = child.python(*pytest_words(folder, words), environment=target.settings.handed())
    folders.sweep_private_folders()
    journal = folder / folders.JOURNAL
    if not packed.exists(journal):
        # Nothing was selected, or the child has reported a mistake: there is nothing to write reports of.
        folder.rmdir() if not any(folder.iterdir()) else None
        return _code_without_journal(ended)
    contents = read(journal)
    clean = True
    if not (contents.run and contents.run.ended) and not target.settings.keep:
        clean = sweep_after_death(folder)
    info = closing(contents, folder, started, ended)
    about = contents.target or _not_reached(target)
    judged = conformance.build(contents, info, about).judged.code
    info = replace(info, exit=exit_code(ended, judged or (ExitCode.OK if clean else ExitCode.UNKNOWN)))
    try:
        index = _write(journal, folder, info, about, target.settings)
    except ReportError:
        if ended.code == ExitCode.BAD_INPUT and not (contents.run and contents.run.ended):  # the test process said so
            return ExitCode.BAD_INPUT
        raise
    terminal.print_summary(Console(), conformance.build(read(journal), info, about), index)
    return info.exit if info.exit is not None else ExitCode.FAILED


def _not_reached(target: Target) -> TargetInfo:
    """What is known of a target that the run never came to."""
    return TargetInfo(kind=target.kind, context=target.settings.context, cluster=target.settings.cluster_name)


def _write(journal: Path, folder: Path, info: RunInfo, about: TargetInfo, given: Settings) -> Path:
    """Close the journal and write the reports, as many of them as the folder takes; returns the path of the page.

    Raises:
        ReportError: not all could be written.
    """
    problem: ReportError | None = None
    try:
        if read(journal).about is None:  # the test process died
            Journal(journal).about(provenance.about(given, catalogue.load()))
        Journal(journal).run(info)
    except ReportError as error:
        problem = error
    index = write.write_all(journal, folder, info, about, given.signing_key)
    if problem:
        raise problem
    return index


def closing(contents: Contents, folder: Path, started: str, ended: child.Ended) -> RunInfo:
    """The run's own record, as the test process wrote it or, where that died, as far as it is known."""
    command = shlex.join(["meshproof", *hidden(sys.argv[1:])])
    info = contents.run or RunInfo(id=folder.name, started=started, command=command)
    died = f"the test process died ({ended.code})" if not info.ended else ""
    if died and ended.code == ExitCode.BAD_INPUT:
        died = "a report that could not be written"
    why = ended.interrupted or info.interrupted or died
    return replace(info, command=command, ended=info.ended or folders.now(), interrupted=why)


def exit_code(ended: child.Ended, judged: int) -> int:
    """0 conforms, 1 does not, 2 bad input (expired known failures too), 3 not all is known, 130 interrupted.

    Args:
        judged: by the gates.
    """
    if ended.interrupted or ended.code == ExitCode.INTERRUPTED:
        return ExitCode.INTERRUPTED
    if ended.code in {ExitCode.BAD_INPUT, PYTEST_USAGE_ERROR}:
        return ExitCode.BAD_INPUT
    if ExitCode.FAILED in (judged, ended.code):
        return ExitCode.FAILED
    return judged if ended.code == ExitCode.OK else ExitCode.UNKNOWN


def sweep_after_death(folder: Path) -> bool:
    """Remove what a test process left that died; returns whether the cluster is clean."""
    record = folder / folders.TARGET
    if not record.exists():
        return True
    try:
        cluster = connect(TargetDescriptor.from_json(record.read_text(encoding="utf-8")))
        for leftover in cleanup(cluster, folder.name, made=rights.made()):
            print(f"meshproof: removed {leftover}", file=sys.stderr)
        lease.remove(cluster, folder.name)
    except (MeshproofError, OSError) as error:
        print(f"meshproof: the clean-up failed: {error}; run `meshproof cleanup`", file=sys.stderr)
        return False
    return True


def _code_without_journal(ended: child.Ended) -> int:
    if ended.code == PYTEST_NOTHING_SELECTED:
        raise SettingsError("nothing was selected", "see `meshproof plan` for what there is")
    if ended.code < 0 and not ended.interrupted:
        print(f"meshproof: the test process died (signal {-ended.code}); pid {os.getpid()}", file=sys.stderr)
    return exit_code(ended, ExitCode.UNKNOWN)
