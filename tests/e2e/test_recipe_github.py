"""The jobs of the recipe for GitHub Actions, executed by a runner on this machine, night by night."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from runner.config.settings import ROOT
from testbed.harness import tools
from testbed.progress import to_stderr
from tests.standins.ci_job import DIGEST, RUN
from tests.standins.ci_runner import CiRunner, EndedCiJob

pytestmark = pytest.mark.nightly

RECIPE = ROOT / "deploy/ci/github-actions.yml"
SETTINGS = {
    "MESH_PROVER": "us/meshproof",
    "MESH_PROVER_REF": "v0.2.0",
    "MESH_CONTEXT": "mesh",
    "MESH_SETTINGS": "workers = 1",
}
KUBECONFIG = "kind: Config\ncontexts: []"
BUNDLE = f"meshproof-testbed-{DIGEST}"
"""Key of the parts in the cache."""

BEGIN_CLUSTER = ("actions/checkout", "actions/setup-python", "actions/cache")
BEGIN_EMBEDDED = ("actions/checkout", "meshproof testbed digest", "actions/cache")
BUILD = ("meshproof testbed build", "meshproof testbed export testbed.bundle")
PROVE, UPLOAD = "meshproof run --workers 2 --deadline 90m", "actions/upload-artifact"
WARNING = "nothing failed, but not all is known: see the summary"


@dataclass(frozen=True)
class CiNight:
    """What one night is like, and what the job must make of it.

    Attributes:
        codes: beginning of a command of meshproof → its exit code; None: the job is cancelled meanwhile.
        caches: key → what an earlier night has stored.
        order: the actions and commands that the job uses.
        reports: whether there are reports; they are then uploaded and summarised.
    """

    job: str
    order: tuple[str, ...]
    codes: Mapping[str, int | None] = field(default_factory=dict)
    caches: Mapping[str, str] = field(default_factory=dict)
    code: int = 0
    reports: bool = True
    warnings: tuple[str, ...] = ()

    def differences(self, ended: EndedCiJob) -> list[str]:
        """What the job did otherwise."""
        names = ("conformance.json", "index.html", "summary.md") if self.reports else ()
        due = {
            "exit code": (ended.code, self.code),
            "order": (ended.order, list(self.order)),
            "uploaded": (set(ended.uploads), {f"meshproof-{self.job}/{RUN}/{name}" for name in names}),
            "summary": (ended.shown("summary"), ["summary.md of the run\n"] if self.reports else []),
            "warnings": (ended.shown("warning"), list(self.warnings)),
        }
        return [f"{what}: {seen}, not {expected}" for what, (seen, expected) in due.items() if seen != expected]


CLUSTER = CiNight("cluster", (*BEGIN_CLUSTER, PROVE, UPLOAD))
FAILED = CiNight("cluster", (*BEGIN_CLUSTER, PROVE, UPLOAD, "meshproof cleanup"), {"run": 1}, code=1)
CANCELLED = CiNight("cluster", FAILED.order, {"run": None}, code=1, reports=False)
EMBEDDED = CiNight("embedded", (*BEGIN_EMBEDDED, *BUILD, PROVE, UPLOAD, "meshproof down"))
CACHED = CiNight(
    *("embedded", (*BEGIN_EMBEDDED, "meshproof testbed import testbed.bundle", PROVE, UPLOAD, "meshproof down")),
    *({"run": 1}, {BUNDLE: "parts"}, 1),
)
NIGHTS = {
    "the cluster conforms": CLUSTER,
    "the cluster does not conform": FAILED,
    "the cluster cannot be reached": CiNight("cluster", FAILED.order, {"run": 2}, code=1, reports=False),
    "not all of the cluster is known": CiNight("cluster", CLUSTER.order, {"run": 3}, warnings=(WARNING,)),
    "the run is cancelled": CANCELLED,
    "the first night of the embedded cluster": EMBEDDED,
    "a later night, which does not conform": CACHED,
    "other parts than those in the cache": CiNight(
        "embedded", EMBEDDED.order, {"run": 3}, {"meshproof-testbed-of-old": "parts"}, warnings=(WARNING,)
    ),
    "the build is cancelled": CiNight(
        *("embedded", (*BEGIN_EMBEDDED, BUILD[0], UPLOAD, "meshproof down"), {"testbed build": None}, {}, 1, False)
    ),
    "parts that cannot be built": CiNight(
        *("embedded", (*BEGIN_EMBEDDED, BUILD[0], UPLOAD, "meshproof down"), {"testbed build": 2}, {}, 1, False)
    ),
    "a digest that cannot be computed": CiNight(
        *("embedded", (*BEGIN_EMBEDDED[:2], UPLOAD, "meshproof down"), {"testbed digest": 2}, {}, 1, False)
    ),
}


@pytest.fixture(scope="module")
def program() -> Path:
    return tools.program("act", to_stderr)


def execute(program: Path, folder: Path, night: CiNight, recipe: Path = RECIPE) -> EndedCiJob:
    secrets = {"MESH_KUBECONFIG": KUBECONFIG}
    return CiRunner(program, folder).run(
        recipe, night.job, codes=night.codes, caches=night.caches, settings=SETTINGS, secrets=secrets
    )


def test_every_job_is_executed() -> None:
    jobs = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))["jobs"]
    assert set(jobs) == {night.job for night in NIGHTS.values()}


@pytest.mark.parametrize("night", NIGHTS.values(), ids=NIGHTS)
def test_a_night(night: CiNight, program: Path, tmp_path: Path) -> None:
    ended = execute(program, tmp_path, night)
    assert night.differences(ended) == [], ended.log


def test_what_the_cluster_is_proven_with(program: Path, tmp_path: Path) -> None:
    ended = execute(program, tmp_path, FAILED)
    for command in (PROVE, "meshproof cleanup"):
        use = ended.use(command)
        assert use.environment["MESHPROOF_CONTEXT"] == "mesh"
        assert use.environment["KUBECONFIG"].endswith("/.kube/config")
        assert (use.files[".kube/config"], use.files["meshproof.toml"]) == (f"0600 {KUBECONFIG}", "0600 workers = 1\n")
    cache = ended.use("actions/cache").given
    assert cache["key"].removeprefix("meshproof-python-Linux-"), "the cache knows nothing of the lock file"
    assert ended.use(PROVE).environment["XDG_CACHE_HOME"].endswith(f"/{cache['path']}")


def test_which_parts_the_embedded_cluster_is_made_of(program: Path, tmp_path: Path) -> None:
    ended = execute(program, tmp_path, EMBEDDED)
    cache = ended.use("actions/cache").given
    assert cache == {"key": BUNDLE, "path": "testbed.bundle"}
    assert cache["path"] in ended.use(PROVE).files, "nothing would be stored for the next night"
    caches = {use.environment["XDG_CACHE_HOME"] for use in ended.uses if use.what.startswith("meshproof ")}
    assert caches == {"/var/cache/meshproof-runner"}


def test_the_checkout_is_meshproofs_own(program: Path, tmp_path: Path) -> None:
    """The recipe is in another repository, and a later step needs no access to this one."""
    given = execute(program, tmp_path, CLUSTER).use("actions/checkout").given
    assert given == {"repository": "us/meshproof", "ref": "v0.2.0", "persist-credentials": "false"}


@pytest.mark.parametrize(
    ("night", "right", "wrong", "difference"),
    [
        (FAILED, "path: reports/out/2*", "path: reports/2*", "uploaded"),
        (FAILED, "- name: Reports\n        if: always()", "- name: Reports", "order"),
        (CANCELLED, "cancelled() || failure()", "success()", "order"),
        (FAILED, 'exit "$code"', "", "exit code"),
        (CACHED, "./meshproof testbed import", "# ./meshproof testbed import", "order"),
        (CACHED, "steps.parts.outputs.digest }}", "steps.part.outputs.digest }}", "order"),
    ],
)
def test_a_mistake_in_the_recipe_is_seen(
    night: CiNight, right: str, wrong: str, difference: str, program: Path, tmp_path: Path
) -> None:
    text = RECIPE.read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "recipe.yml").write_text(text.replace(right, wrong))
    ended = execute(program, tmp_path, night, tmp_path / "recipe.yml")
    assert difference in [line.split(":")[0] for line in night.differences(ended)]


def test_an_action_without_a_stand_in_cannot_be_fetched(program: Path, tmp_path: Path) -> None:
    text = RECIPE.read_text(encoding="utf-8").replace("actions/checkout@v4", "actions/checkout@v99")
    (tmp_path / "recipe.yml").write_text(text)
    ended = execute(program, tmp_path, CLUSTER, tmp_path / "recipe.yml")
    assert (ended.code, ended.order) == (1, [])
    assert "network is unreachable" in ended.log
