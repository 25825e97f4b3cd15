"""The recipes of docs/upgrade.md: each command of the harness is executed as it is written there, on proving clusters.

Lines that install the mesh, or restart workloads of a user, are the user's own.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from e2e_runs import MESHPROOF, ROOT, inherited

from clients.kube.cleanup import find
from clients.kube.cluster import Cluster
from runner.target.in_use import user_of
from testbed.profiles import manager
from testbed.profiles.manager import ProfileUp

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]
PAGE = ROOT / "docs" / "upgrade.md"
SUITE = "suites/lab/test_mesh_wide_strict.py"
LIMIT_S = 1800.0
OURS, TAG = "./meshproof", "istioctl tag"
NAMES = {"prod": "stable", "1-31-1": "1-31-1-next"}
"""Of the page → of the profile `canary`."""


def commands(heading: str) -> list[str]:
    """The commands below a heading, without comments; two that `&&` joins are two."""
    (block,) = re.findall(rf"^## {heading}$.*?^```sh$(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    lines = (line.partition("  #")[0].strip() for line in block.strip().splitlines())
    found = [one for line in lines for one in line.split(" && ") if one.startswith((OURS, TAG))]
    assert found
    return found


def words_of(command: str, profile: ProfileUp, folder: Path) -> list[str]:
    """What is executed: on this profile, with reports below a folder, and one module in place of all suites."""
    names = {"mine": profile.context, "gke": profile.context, **(NAMES if profile.name == "canary" else {})}
    names |= {name: str(folder / name) for name in ("before", "after", "before/latest", "after/latest")}
    words = [names.get(word, word) for word in shlex.split(command)]
    if words[0] != OURS:
        return [tomllib.loads(Path(profile.settings).read_text(encoding="utf-8"))["istioctl"], *words[1:]]
    suites = [SUITE, "--allow-mesh-wide"] if words[1] in ("run", "upgrade") else []
    return [sys.executable, *MESHPROOF, *words[1:], *suites]


@pytest.mark.parametrize(
    ("heading", "name", "revision"),
    [("A canary with tags", "canary", ""), ("In place", "canary", "stable"), ("Managed meshes", "managed", "")],
)
def test_the_commands_of_a_recipe_do_what_it_says(heading: str, name: str, revision: str, tmp_path: Path) -> None:
    """In place, one revision is what there is: `stable`."""
    was = manager.status(name).state
    profile = manager.up(name, None, print, user_of)
    environment = {**inherited(), "MESHPROOF_CONFIG": profile.settings}
    environment |= {"MESHPROOF_REVISION": revision} if revision else {}
    try:
        for command in commands(heading):
            of_run = command.startswith(OURS) and " precheck " not in command  # that of an upgrade may install it
            account = profile.kubeconfig if of_run else profile.administrator
            words, own = words_of(command, profile, tmp_path), {"KUBECONFIG": account}
            ran = subprocess.run(
                words, cwd=ROOT, env=environment | own, capture_output=True, text=True, timeout=LIMIT_S
            )
            expected = {0, 3} if " precheck " in command else {0}  # without the right to read all, 3 is the answer
            assert ran.returncode in expected, (command, ran.stdout[-2000:], ran.stderr[-2000:])
        cluster = Cluster.connect(Path(profile.administrator))
        assert [str(one) for one in find(cluster)] == []
        cluster.close()
    finally:
        if name == "canary" and was == "up":
            words = words_of("istioctl tag set prod --revision 1-29-1-stable --overwrite", profile, tmp_path)
            subprocess.run(words, env={**os.environ, "KUBECONFIG": profile.administrator}, check=True)
        if was != "up":
            manager.down(name, print)
