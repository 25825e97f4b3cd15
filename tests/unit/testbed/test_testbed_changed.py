"""A cluster that runs with other parts than this checkout has: it is started again, but never under a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clients.model.errors import ClusterError, ConflictError, SettingsError
from testbed import api, lifecycle, origin, parts, reached, starting
from testbed.form import SINGLE, Form
from testbed.lifecycle import RunningTestbed, Testbed
from testbed.like import Carried
from testbed.like_amendment import LikeAmendment
from testbed.node import Node
from testbed.parts import Parts
from testbed.profiles import canary, hardened, managed
from testbed.versions import MODULES, istio_release

pytestmark = pytest.mark.unit

RELEASE = istio_release(None)
OLDER = istio_release("1.29")


def silent(_line: str) -> None:
    """No progress is shown."""


def unused(_kubeconfig: Path) -> str:
    return ""


class CountedStarts:
    """A machine on which starts and ends are only counted."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.ended = 0

    def start(self, start: starting.Start) -> Path:
        self.started.append(start.parts.release.minor)
        return start.nodes[0].state / "kubeconfig"

    def end(self, _testbed: Testbed) -> None:
        self.ended += 1


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CountedStarts:
    made = CountedStarts()
    monkeypatch.setenv("MESHPROOF_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(Node, "pid", lambda _: 1)
    monkeypatch.setattr(Testbed, "_built", lambda _, release, say: (Parts(release, say), tmp_path))
    monkeypatch.setattr(lifecycle.golden, "programs", lambda _: None)
    monkeypatch.setattr(starting.Start, "run", lambda start: made.start(start))
    monkeypatch.setattr(Testbed, "_end", lambda testbed: made.end(testbed))
    return made


def up(form: Form = SINGLE, folder: str = "testbed") -> tuple[Testbed, RunningTestbed]:
    """A testbed that has just been started."""
    testbed = Testbed(lifecycle.cache_root() / folder, form)
    testbed.node.state.mkdir(parents=True, exist_ok=True)
    return testbed, testbed.up(RELEASE, silent, in_use=unused)


def note(testbed: Testbed, **changes: object) -> None:
    """Change what the testbed has noted of its start."""
    state = json.loads(testbed._state.read_text())
    testbed._state.write_text(json.dumps(state | changes))


def change(testbed: Testbed, name: str) -> None:
    """As if another version of this part had been started."""
    made_of = json.loads(testbed._state.read_text())["made_of"]
    assert name in made_of
    note(testbed, made_of={**made_of, name: "other"})


def test_a_second_start_with_the_same_parts_finds_the_cluster_running(machine: CountedStarts) -> None:
    testbed, there = up()
    assert testbed.up(RELEASE, silent, in_use=unused) == there
    assert (len(machine.started), machine.ended) == (1, 0)
    assert testbed.changed() == ()


@pytest.mark.parametrize("part", ["external", "httpbin", "boutique", "traffic", "kubernetes", origin.CONFIGURATION])
def test_a_cluster_with_another_part_is_started_again(machine: CountedStarts, part: str) -> None:
    testbed, _ = up()
    change(testbed, part)
    assert testbed.changed() == (part,)
    said: list[str] = []
    testbed.up(RELEASE, said.append, in_use=unused)
    assert (len(machine.started), machine.ended) == (2, 1)
    assert f"{part} changed since it was started" in said[0]
    assert testbed.changed() == ()


def test_a_cluster_of_which_it_is_not_known_is_started_again(machine: CountedStarts) -> None:
    testbed, _ = up()
    note(testbed, made_of={})
    assert testbed.changed() == (origin.NOT_NOTED,)
    testbed.up(RELEASE, silent, in_use=unused)
    assert len(machine.started) == 2


def test_what_another_version_of_meshproof_noted_does_no_harm(machine: CountedStarts) -> None:
    testbed, there = up()
    note(testbed, colour="blue")
    assert testbed.running() == there


def test_a_cluster_that_is_in_use_goes_on(machine: CountedStarts) -> None:
    testbed, _ = up()
    change(testbed, "external")
    with pytest.raises(ConflictError, match=r"external changed since it was started.*ann@there run-1") as got:
        testbed.up(RELEASE, silent, in_use=lambda _: "ann@there run-1")
    assert "\n" not in str(got.value)
    assert (len(machine.started), machine.ended) == (1, 0)


def test_a_cluster_that_comes_into_use_during_the_build_goes_on(machine: CountedStarts) -> None:
    testbed, _ = up()
    change(testbed, "external")
    users = iter(["", "ann@there run-1"])
    with pytest.raises(ConflictError):
        testbed.up(RELEASE, silent, in_use=lambda _: next(users))
    assert machine.ended == 0


def test_the_running_version_is_started_again_where_none_is_requested(machine: CountedStarts) -> None:
    testbed, _ = up()
    testbed.up(OLDER, silent, default=True, in_use=unused)
    assert machine.started == ["1.31"]
    note(testbed, istio=OLDER.version, made_of={})
    testbed.up(RELEASE, silent, default=True, in_use=unused)
    assert machine.started == ["1.31", "1.29"]
    note(testbed, istio="1.2.3", made_of={})
    testbed.up(RELEASE, silent, default=True, in_use=unused)
    assert machine.started == ["1.31", "1.29", "1.31"], "a version that the testbed no longer has"


def test_a_mesh_of_a_file_is_not_replaced_by_the_usual_one(machine: CountedStarts) -> None:
    like = Form(amendment=LikeAmendment(Carried("abc")))
    testbed, _ = up(like)
    change(testbed, "external")
    with pytest.raises(ClusterError, match=r"external changed .* mesh of a file; run './meshproof down' first"):
        Testbed(testbed.root).up(RELEASE, silent, in_use=unused)
    testbed.up(RELEASE, silent, in_use=unused)
    assert len(machine.started) == 2


def test_a_look_at_the_cluster_changes_nothing(machine: CountedStarts, monkeypatch: pytest.MonkeyPatch) -> None:
    testbed, _ = up()
    monkeypatch.setattr(reached, "external", lambda _: None)
    change(testbed, "external")
    there = api.there()
    assert there is not None
    assert machine.ended == 0
    assert api.changed() == ("external",)
    assert "external" in api.status().detail["changed since its start"]


def test_a_look_for_another_version_is_refused(machine: CountedStarts) -> None:
    """A run went on to its first case, and ended there with pytest's lines."""
    up()
    with pytest.raises(ClusterError, match=r"the testbed runs Istio 1\.31\.1 already, not 1\.29\.1"):
        api.there("1.29")
    with pytest.raises(SettingsError, match=r"Istio '1\.28' is not a version of the testbed"):
        api.there("1.28")
    assert machine.ended == 0


def test_a_program_of_a_pods_image_belongs_to_what_was_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = origin.made_of(Parts(RELEASE, silent), SINGLE)
    monkeypatch.setattr(parts, "MODULES", tmp_path / "modules")
    for folder in MODULES.iterdir():
        (tmp_path / "modules" / folder.name).mkdir(parents=True)
        for path in folder.iterdir():
            if path.is_file():
                (tmp_path / "modules" / folder.name / path.name).write_bytes(path.read_bytes())
    assert origin.made_of(Parts(RELEASE, silent), SINGLE) == before
    (tmp_path / "modules" / "external" / "main.go").write_text("package main")
    assert origin.differences(before, origin.made_of(Parts(RELEASE, silent), SINGLE)) == ("external",)
    (tmp_path / "modules" / "httpbin" / "more.go").write_text("package main")
    changed = origin.differences(before, origin.made_of(Parts(RELEASE, silent), SINGLE))
    assert changed == ("external", "httpbin", "images-1.31", "installed-1.31")


def test_what_a_profile_adds_belongs_to_it_too() -> None:
    usual = origin.made_of(Parts(RELEASE, silent), SINGLE)
    for form, more in (
        (hardened.Hardened.form, {"registry", "mesh-hardened-1.31"}),
        (managed.Managed.form, {"authorizer", "mesh-managed-1.31"}),
        (canary.CanaryProfile.form, {"images-1.29", "mesh-canary-stable-1.29", "mesh-canary-next-1.31"}),
    ):
        made = origin.made_of(Parts(RELEASE, silent), form)
        assert set(made) - set(usual) == {*more, f"profile {form.name}"}
