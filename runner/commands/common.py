"""Options that several verbs share, and how their errors are told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from runner.config.settings import Hosts, TargetKind

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

TARGET = "Target"
Target = Annotated[TargetKind | None, typer.Option(help="The cluster under test.", rich_help_panel=TARGET)]
Context = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Context of the kubeconfig; means --target live.", rich_help_panel=TARGET),
]
Kubeconfig = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Kubeconfig; means --target live.", rich_help_panel=TARGET)
]
Revision = Annotated[
    str | None, typer.Option(metavar="REV", help="Label namespaces istio.io/rev=REV.", rich_help_panel=TARGET)
]
Istio = Annotated[
    str | None, typer.Option(metavar="VERSION", help="Version line of the embedded mesh.", rich_help_panel=TARGET)
]
ExternalHosts = Annotated[
    Hosts | None, typer.Option(help="External hosts to use; on a live target only 'internet'.", rich_help_panel=TARGET)
]
Istioctl = Annotated[
    Path | None, typer.Option(metavar="FILE", help="istioctl, for its analysis.", rich_help_panel=TARGET)
]
AllowMeshWide = Annotated[
    bool | None,
    typer.Option("--allow-mesh-wide", help="Also run what changes the whole live mesh.", rich_help_panel=TARGET),
]
Controls = Annotated[list[str] | None, typer.Option("--control", metavar="ID", help="Only this control; repeatable.")]
Keyword = Annotated[str | None, typer.Option("-k", metavar="EXPR", help="Only tests whose names match.")]
Marks = Annotated[str | None, typer.Option("-m", metavar="EXPR", help="Only tests with these marks.")]
Paths = Annotated[
    list[str] | None, typer.Argument(metavar="[SUITE]...", help="Folders or files of suites; default: all.")
]


def options(given: dict[str, Any]) -> list[str]:
    """Command-line words for pytest from named values: None and False are left out, True is a switch, lists repeat."""
    words: list[str] = []
    for name, value in given.items():
        flag = f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif isinstance(value, list | tuple):
            words += [word for item in value for word in (flag, str(item))]
        elif value is not None and value is not False:
            words += [flag, str(value)]
    return words


def absolute(path: Path | None) -> Path | None:
    """A path as typed, before the working folder changes."""
    return path.expanduser().resolve() if path else None


def suites(paths: Sequence[str] | None) -> list[str]:
    """Test paths for pytest, which runs from the root of the checkout; everything by default."""
    if not paths:
        return ["suites"]
    named = []
    for path in paths:
        file, *rest = path.split("::", 1)
        here = Path(file).expanduser()
        named.append("::".join([str(here.resolve()) if here.exists() else file, *rest]))
    return named
