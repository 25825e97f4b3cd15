"""`meshproof report` and `meshproof verify`: the reports of an earlier run, and whether they are intact."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Annotated

import typer

from clients.model.errors import ClusterError, SettingsError
from clients.model.exit_code import ExitCode
from clients.probe.browser import Browser
from reports import attest, files, rewriting, write
from reports.html.frame import time_text
from reports.record import conformance, packed
from reports.record.journal import read
from reports.record.model import RunInfo
from runner.commands import rerun
from runner.config import folders, settings
from runner.target import browsers

Folder = Annotated[Path | None, typer.Argument(metavar="[RUN]", help="Folder of a run; default: the latest.")]
PDF = "report.pdf"
_OPEN_MS = 120_000


def report(
    run: Folder = None,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Also print the page to report.pdf, by a headless browser.")
    ] = False,
    sign_again: Annotated[
        bool,
        typer.Option(
            rewriting.SIGN_AGAIN, help="Replace a signature by another key, or one that does not hold any more."
        ),
    ] = False,
) -> int:
    """Write the reports of a run again, from its journal; also of one that was killed."""
    given = settings.load()
    folder = run or given.out / "latest"
    journal = folder / folders.JOURNAL
    if not packed.exists(journal):
        raise SettingsError(f"{folder} holds no journal of a run", rerun.hint(given.out))
    rewriting.check_journal(read(journal), journal, folder)
    if not sign_again:
        rewriting.check_signature(folder, given.signing_key)
    page = write.write_all(files.real(journal), files.real(folder), key=given.signing_key)
    print(page)
    if pdf:
        print(print_page(page, conformance.load(folder).run))
        attest.write(conformance.load(folder), files.real(folder), given.signing_key)
    return ExitCode.OK


def verify(
    run: Folder = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Public key to check it by; default: the run's own.")
    ] = None,
) -> int:
    """Check that the files of a run are those that were signed; exit 1 where one is not."""
    folder = run or settings.load().out / "latest"
    try:
        print(attest.verify(folder, key))
    except attest.TamperedError as error:
        print(f"meshproof: {error}")
        return ExitCode.FAILED
    return ExitCode.OK


def print_page(page: Path, run: RunInfo) -> Path:
    """The page on paper: every table and row, and the evidence of what did not pass in full.

    Each sheet has the run's id, when it began, and its number: sheets come apart.

    Returns:
        the PDF, in the same folder.

    Raises:
        ClusterError: there is no browser, and none can be built.
    """
    found = browsers.find_or_install(lambda: True, print)
    if not found.program:
        raise ClusterError(f"no browser prints the page: {found.why_not}", browsers.HINT)
    file = page.with_name(PDF)
    with Browser(found.program, {}, [page.parent]) as started, started.window("meshproof report") as window:
        window.page.goto(page.as_uri(), timeout=_OPEN_MS)
        window.page.wait_for_selector("html[data-built]", state="attached", timeout=_OPEN_MS)
        window.page.evaluate("window.meshproof.ready()")
        window.page.pdf(
            path=file,
            format="A4",
            print_background=True,
            prefer_css_page_size=True,
            display_header_footer=True,
            header_template="<span></span>",  # none: an empty text would be the browser's own
            footer_template=footer(run),
            outline=True,
            tagged=True,
        )
    return file


def footer(run: RunInfo) -> str:
    """Of each sheet, as the browser takes it: the page's style does not reach it."""
    left = html.escape(f"meshproof conformance report, run {run.id}, {time_text(run.started)}")
    style = "display: flex; justify-content: space-between; width: 100%; margin: 0 13mm; font: 7.5px sans-serif"
    number = 'page <span class="pageNumber"></span> of <span class="totalPages"></span>'
    return f'<div style="{style}; color: #555"><span>{left}</span><span>{number}</span></div>'
