"""Mutants that share an environment: it stays, and one that would change it is refused."""

from __future__ import annotations

import pytest

from clients.apply.environments import Environments
from clients.model.errors import ClusterError
from clients.proof.stage.running_stage import RunningStage
from runner.target.held_target import HeldTarget
from tests.mutants.entry import Area
from tests.mutants.kept import REFUSAL, Kept
from tests.mutants.mutant import Changed, Object
from tests.mutants.registry import MESH

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The classes that a kept mutant changes are as before when the test ends."""
    for where, name in (
        (Environments, "_ensure"),
        (Environments, "close"),
        (HeldTarget, "sweep"),
        (RunningStage, "_may_leave"),
    ):
        monkeypatch.setattr(where, name, vars(where)[name])


class Deployed(Environments):
    """Reads one manifest when it deploys."""

    def __init__(self, mutant: Kept) -> None:
        self.mutant = mutant
        self.kept: list[bool] = []

    def deploy(self) -> None:
        Environments._ensure(self, ())


def broken(objects: list[Object]) -> None:
    for body in objects:
        body["spec"] = "broken"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Object]:
    """What the environment's manifest has; deploying reads it."""
    objects: list[Object] = [{"kind": "Deployment", "spec": "right"}]

    def ensure(environments: Deployed, _: object) -> tuple[()]:
        environments.mutant.objects(objects)
        return ()

    monkeypatch.setattr(Environments, "_ensure", ensure)
    monkeypatch.setattr(Environments, "close", lambda self, *, keep: self.kept.append(keep))
    return objects


def test_a_change_of_the_environment_is_refused(read: list[Object]) -> None:
    kept = Kept(Changed(broken))
    with pytest.raises(ClusterError, match=REFUSAL):
        Deployed(kept).deploy()


def test_a_change_of_what_the_stage_applies_is_made(read: list[Object]) -> None:
    kept = Kept(Changed(lambda objects: broken(objects) if objects[0]["kind"] != "Deployment" else None))
    Deployed(kept).deploy()
    assert read == [{"kind": "Deployment", "spec": "right"}]
    policies: list[Object] = [{"kind": "AuthorizationPolicy", "spec": "right"}]
    kept.objects(policies)
    assert policies[0]["spec"] == "broken"


def test_the_environment_stays_and_the_stage_leaves_nothing(read: list[Object]) -> None:
    environments = Deployed(Kept(Changed(broken)))
    environments.close(keep=False)
    assert environments.kept == [True]
    assert HeldTarget.sweep(None) == []  # type: ignore[arg-type]
    assert not RunningStage._may_leave.fget(None)  # type: ignore[attr-defined]


def test_what_has_its_own_keys_or_works_from_outside_shares_nothing() -> None:
    sharing = {entry.id for entry in MESH.values() if entry.shares}
    assert "matches-nothing" in sharing
    assert not sharing & {"backend-down", "exec-forbidden", *(one.id for one in MESH.values() if one.area is Area.KEYS)}
