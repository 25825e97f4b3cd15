"""On every proving cluster a broken mesh fails for the right reason, and what is others' stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e_runs import PYTEST, start
from kills import is_killed

from testbed.profiles.manager import ProfileUp
from tests.mutants import outside
from tests.mutants.registry import MESH

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

NINE = (
    "policy-lost",
    "opted-out-by-pod",
    "replica-cut-off",
    "mode-permissive",
    "wrong-namespace",
    "issuer-misspelt",
    "two-policies",
    "every-path",
    "one-door-cut-off",
)
"""A policy that is forgotten, an injection that is missing, a stale replica of a server and of the gateway; and each
kind of policy, wrong."""


@pytest.mark.parametrize("name", NINE)
def test_mutant_is_killed(profile: ProfileUp, foreign: None, name: str, tmp_path: Path) -> None:
    entry = MESH[name]
    where = ("--context", profile.context, "--kubeconfig", profile.kubeconfig, "--out", "{out}")
    environment = {"MESHPROOF_CONFIG": profile.settings, outside.PROFILE: profile.name}
    words = (entry.place.suite, *entry.options, *where)
    is_killed(start(tmp_path, *PYTEST, *words, environment=environment).end(), entry)
