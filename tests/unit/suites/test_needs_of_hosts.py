"""A stage or a case that sends to an external host says that it needs one: elsewhere it is skipped, not failed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest
import yaml

from clients.model.case import Case
from clients.model.probe import Probe
from clients.model.stage import Stage
from runner.target.live import INTERNET_HOSTS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
CONTROLS = [
    control
    for name in ("catalogue.yaml", "own.yaml")
    for control in yaml.safe_load((ROOT / "suites" / name).read_text(encoding="utf-8"))["cases"]
]
OF_CONTROLS = {control["id"]: frozenset(control.get("needs", ())) for control in CONTROLS}
SAYS_SO = frozenset({"external-hosts", "external-open"})
"""Capabilities that no target without external hosts has."""


def modules() -> Iterator[ModuleType]:
    for path in sorted((ROOT / "suites").glob("*/test_*.py")):
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        if hasattr(module, "STAGE"):
            yield module


MODULES = {module.__name__: module for module in modules()}


def goes_outside(probe: Probe) -> bool:
    """From a workload to the name of an external host; the ingress gateway's visitors use such names as well."""
    host = urlsplit(probe.url).hostname or ""
    return host.removeprefix("open.") in INTERNET_HOSTS and probe.source.namespace != ""


@pytest.mark.parametrize("name", MODULES)
def test_a_stage_that_settles_on_an_external_host_says_so(name: str):
    stage: Stage = MODULES[name].STAGE
    settles = [*stage.settle, *(one for step in stage.steps for one in step.settle)]
    outside = [one.probe.url for one in settles if goes_outside(one.probe) and not SAYS_SO & one.needs]
    assert not outside or SAYS_SO & stage.needs, outside


@pytest.mark.parametrize("name", MODULES)
def test_a_case_with_an_external_host_says_so(name: str):
    module = MODULES[name]

    def says_so(case: Case) -> bool:
        return bool(SAYS_SO & (case.needs | module.STAGE.needs | OF_CONTROLS.get(case.control, frozenset())))

    cases: list[Case] = [*getattr(module, "CASES", ())]
    cases += [case for table in getattr(module, "TABLES", ()) for case in table.cases]
    sends = [case for case in cases if any(goes_outside(one) for one in case.probes)]
    assert [case.id for case in sends if not says_so(case)] == []
