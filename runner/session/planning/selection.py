"""Which tests are selected, and their order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import pytest

from reports import earlier
from runner.config import tiers
from runner.config.catalogue import Catalogue
from runner.config.settings import Settings
from runner.session.items import control_name, stage_of
from runner.session.planned import PROVES


def controls(config: pytest.Config, settings: Settings, catalogue: Catalogue) -> frozenset[str]:
    """Ids of the controls that name, tier and tags select.

    Raises:
        SettingsError: one of these is unknown.
    """
    named = catalogue.select(config.getoption("control")) or frozenset(catalogue.controls)
    tagged = tiers.with_tags(config.getoption("tag"), config.getoption("skip_tag"), catalogue)
    return named & tiers.of_tier(settings.tier, catalogue) & tagged


def keep_controls(items: list[pytest.Item], config: pytest.Config, settings: Settings, catalogue: Catalogue) -> None:
    """Deselect tests of other controls; tests that prove none stay where nothing is left out."""
    kept = controls(config, settings, catalogue)
    if kept != frozenset(catalogue.controls):
        _keep(items, config, [item for item in items if control_name(item) in kept])


def keep_failed(items: list[pytest.Item], config: pytest.Config) -> None:
    """Deselect tests none of whose cases is to be run again (`--rerun-failed`); they are planned already.

    Raises:
        ReportError: the report of that run cannot be read.
    """
    if run := config.getoption("rerun_failed"):
        wanted = earlier.again(earlier.load(Path(run)))
        _keep(
            items,
            config,
            [item for item in items if PROVES in item.stash and wanted & {*item.stash[PROVES].planned.ids}],
        )


def _keep(items: list[pytest.Item], config: pytest.Config, kept: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _is_case(item: pytest.Item) -> bool:
    return "case" in getattr(item, "fixturenames", ())


def shuffled(items: Sequence[pytest.Item], seed: int) -> list[pytest.Item]:
    """Modules in a random order, and the cases of each in a random order, except those of a stage with steps.

    What is no case keeps its place among its like, after the cases: it may end what they need. The same for the same
    seed.
    """
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    modules = [list(tests) for _, tests in groupby(items, key=lambda item: item.nodeid.split("::", 1)[0])]
    chance.shuffle(modules)
    for tests in modules:
        if not (found := stage_of(tests[0])) or not found.steps:
            cases = [item for item in tests if _is_case(item)]
            chance.shuffle(cases)
            tests[:] = [*cases, *(item for item in tests if not _is_case(item))]
    return [item for tests in modules for item in tests]
