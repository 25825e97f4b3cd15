"""`meshproof image build|list|load|export`: the harness's own image, for pods that run it (docs/nightly-job.md)."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from clients.model.errors import ClusterError
from clients.model.exit_code import ExitCode
from runner.config import folders
from testbed.profiles import table

Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help=f"A proving cluster instead. {table.help_text()}."),
]
File = Annotated[Path, typer.Argument(metavar="FILE")]


def build() -> int:
    """Build the image of this checkout, with its bill of materials; the last line is its reference."""
    from testbed.harness.image import HarnessImage

    built = HarnessImage(_print_progress).build()
    print(f"archive: {built.archive} ({built.size_mib:.0f} MiB)", file=sys.stderr)
    print(f"bill of materials: {built.bill}", file=sys.stderr)
    print(built.reference)
    return ExitCode.OK


def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """Print what is built of this checkout's image; exit 1 when nothing is."""
    from testbed.harness.image import HarnessImage

    built = HarnessImage(_print_progress).built()
    if built is None:
        print("the image of this checkout is not built; `./meshproof image build` builds it", file=sys.stderr)
        return ExitCode.FAILED
    facts = {
        "reference": built.reference,
        "archive": str(built.archive),
        "mib": round(built.size_mib),
        "bill of materials": str(built.bill),
    }
    print(json.dumps(facts, indent=1) if as_json else "\n".join(f"{name}: {value}" for name, value in facts.items()))
    return ExitCode.OK


def load(profile: Profile = None) -> int:
    """Load the image into the embedded cluster, or a profile, so that its pods can use it; builds it if missing."""
    from testbed.harness import loading
    from testbed.harness.image import HarnessImage

    built = HarnessImage(_print_progress).build()
    loading.load(built.archive, profile, _print_progress)
    print(built.reference)
    return ExitCode.OK


def export(file: File) -> int:
    """Write the image as an OCI archive, and its bill of materials next to it; builds it if missing."""
    from testbed.harness.image import HarnessImage

    folders.check_file(file, "choose another folder")  # building takes minutes
    built = HarnessImage(_print_progress).build()
    partial = file.with_name(f"{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(built.archive, partial)
        partial.rename(file)
        shutil.copyfile(built.bill, file.with_name(f"{file.name}.cdx.json"))
    except OSError as error:
        raise ClusterError(f"{file} cannot be written: {error.strerror}", "choose a folder with enough room") from error
    finally:
        partial.unlink(missing_ok=True)
    print(built.reference)
    return ExitCode.OK


def _print_progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
