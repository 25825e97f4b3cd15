"""The order of the selected tests."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import groupby

import pytest

from runner.session.items import stage_of


def shuffled(items: Sequence[pytest.Item], seed: int) -> list[pytest.Item]:
    """Modules in a random order, and the tests of each in a random order, except those of a stage with steps.

    The same for the same seed.
    """
    chance = random.Random(seed)  # noqa: S311 - an order, not a secret
    modules = [list(tests) for _, tests in groupby(items, key=lambda item: item.nodeid.split("::", 1)[0])]
    chance.shuffle(modules)
    for tests in modules:
        if not (found := stage_of(tests[0])) or not found.steps:
            chance.shuffle(tests)
    return [item for tests in modules for item in tests]
