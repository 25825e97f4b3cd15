"""Options of the pytest plugin. Those that are settings have no default here, so that file and environment count."""

from __future__ import annotations

from typing import Any

import pytest

from runner.config import settings


def add(parser: pytest.Parser) -> None:
    """Register them."""
    group = parser.getgroup("meshproof", "meshproof: what is tested, and where")
    group.addoption("--control", action="append", default=[], metavar="ID", help="only this control; repeatable")
    group.addoption("--target", choices=[kind.value for kind in settings.TargetKind], help="default: embedded")
    group.addoption("--context", metavar="NAME", help="context of the kubeconfig; means --target live")
    group.addoption("--kubeconfig", metavar="FILE", help="kubeconfig to use; means --target live")
    group.addoption("--revision", metavar="REV", help="label namespaces istio.io/rev=REV")
    group.addoption("--istio", metavar="VERSION", help="version line of the embedded mesh")
    group.addoption("--hosts", choices=[kind.value for kind in settings.Hosts], help="external hosts to use")
    group.addoption("--istioctl", metavar="FILE", help="istioctl, for its analysis")
    group.addoption("--budget", dest="budget_s", type=float, metavar="S", help="seconds for a case to converge")
    group.addoption("--confirmations", type=int, metavar="K", help="matches in a row, instead of the derived number")
    group.addoption("--shuffle", type=int, metavar="SEED", help="random order of modules and of cases in them")
    group.addoption("--out", metavar="FOLDER", help="where folders of runs are made")
    for name, text in _SWITCHES.items():
        group.addoption(f"--{name}", action="store_const", const=True, default=None, help=text)
    group.addoption(
        "--meshproof-run", metavar="FOLDER", help="internal: folder of a run whose reports the caller writes"
    )
    group.addoption("--meshproof-plan", metavar="FILE", help="internal: write what would run to this file")


_SWITCHES = {
    "allow-mesh-wide": "also run controls that change the whole mesh of a live cluster",
    "enforce": "a missing capability fails a control instead of skipping it",
    "keep": "stop at the first failure and leave its objects in place",
}


def given(config: pytest.Config) -> dict[str, Any]:
    """The settings that the command line names; None where it does not."""
    elsewhere = {"workers", "images", "egress", "identity", "iap", "archives"}
    names = [name for name in settings.Settings.model_fields if name not in elsewhere]
    return {name: config.getoption(name, None) for name in names}
