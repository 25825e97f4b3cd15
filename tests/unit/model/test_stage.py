"""Stages: baseline before the change, everything put back afterwards, also when the change breaks off."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cluster_fakes import CLIENT, FakeWorld, answered, broken, lost

from clients.model.case import Case
from clients.model.errors import ClusterError
from clients.model.evidence import Applied, Phase
from clients.model.expect import reset, status
from clients.model.stage import Scale, Settle, Stage, Step
from clients.proof.running_stage import RunningStage

pytestmark = pytest.mark.unit

PROBE = CLIENT.get("http://httpbin.mtls-service:8000/ip")
CASE = Case("X-1", PROBE, reset(), before=status(200))


class Name(str):
    """An object that is told by nothing but its name."""

    __slots__ = ()
    namespace = "mtls-service"

    @property
    def key(self) -> str:
        return str(self)

    @property
    def body(self) -> str:
        return str(self)


class Applier:
    """Keeps what is in force, and tells the world's log."""

    timeout_s = 1.0

    def __init__(self, world: FakeWorld) -> None:
        self.world, self.in_force, self.break_at = world, [], ""

    def load(self, paths: Any) -> list[Name]:
        return [Name(path) for path in paths]

    def check(self, items: list[str]) -> None:
        self.say("check", items)

    def apply(self, items: list[str]) -> list[Applied]:
        self.say("apply", items)
        self.in_force += [item for item in items if item not in self.in_force]
        if self.break_at == "apply":
            raise ClusterError("broke off")
        return [Applied(item, "PeerAuthentication", item.namespace, item, "") for item in items]

    def wait_ready(self, items: list[str]) -> None:
        if self.break_at == "wait":
            raise KeyboardInterrupt

    def delete(self, items: list[str]) -> None:
        self.say("delete", items)
        self.in_force = [item for item in self.in_force if item not in items]

    def say(self, what: str, items: list[str]) -> None:
        if items:
            self.world.cluster.log.append(f"{what} {','.join(items)}")


def make_world() -> FakeWorld:
    """A mesh that resets connections while `strict` is in force."""
    world = FakeWorld(lambda _, name: broken(56, name) if "strict" in world.applier.in_force else answered(200, name))
    world.applier = Applier(world)
    return world


def test_enter_observes_then_changes_and_exit_puts_back():
    world = make_world()
    with RunningStage(world, Stage("s", environment=("g",), apply=("strict",)), [CASE]) as running:
        assert world.cluster.log == ["ground g", "check strict", "apply strict"]
        assert running.baselines["X-1"].problem == ""
        assert [applied.manifest for applied in running.applied] == ["strict"]
        before = running.baselines["X-1"].before(running.changed_at)
        assert {attempt.phase for attempt in before} == {Phase.BASELINE}
        assert all(attempt.at_s <= 0 for attempt in before)
    assert world.applier.in_force == []


def test_a_baseline_that_does_not_hold_is_known():
    world = make_world()
    wrong = Case("X-1", PROBE, reset(), before=status(404))
    with RunningStage(world, Stage("s", apply=("strict",)), [wrong]) as running:
        assert running.baselines["X-1"].problem.startswith("expected 404, saw 200")
        assert running.baselines["X-1"].conclusive


def test_a_baseline_that_could_not_be_seen_is_inconclusive():
    world = make_world()
    world.answer = lambda _, name: lost(name)
    with RunningStage(world, Stage("s"), [CASE]) as running:
        assert not running.baselines["X-1"].conclusive


def test_a_removal_waits_until_the_change_has_settled():
    world = make_world()
    stage = Stage("s", apply=("strict", "other"), removed=("strict",), settle=(Settle(PROBE, reset()),))
    with RunningStage(world, stage, [CASE]) as running:
        assert [seen.problem for seen in running.settled] == [""]
        assert world.applier.in_force == ["other"]
        assert world.cluster.log[-1] == "delete strict"


def test_what_never_settled_is_not_removed():
    world = make_world()
    stage = Stage("s", apply=("other",), removed=("other",), settle=(Settle(PROBE, reset()),))
    with RunningStage(world, stage, []) as running:
        assert running.settled[0].problem
        assert world.applier.in_force == ["other"]
    assert world.applier.in_force == []


def stepped(*, settle: tuple[Settle, ...] = (), restarts: bool = False) -> Stage:
    return Stage("s", steps=(Step("one", apply=("other",), settle=settle), Step("two", ("strict",), restarts=restarts)))


def test_steps_are_taken_in_order_and_put_back():
    world = make_world()
    with RunningStage(world, stepped(settle=(Settle(PROBE, status(200)),)), []) as running:
        running.reach("")
        assert world.applier.in_force == []
        running.reach("two")
        assert world.applier.in_force == ["other", "strict"]
        assert [applied.manifest for applied in running.applied] == ["other", "strict"]
        assert [seen.problem for seen in running.settled] == [""]
        assert running.settled[0].at < running.changed_at
    assert world.applier.in_force == []


def test_a_step_is_not_taken_twice_nor_back():
    world = make_world()
    with RunningStage(world, stepped(), []) as running:
        running.reach("two")
        running.reach("two")
        assert world.applier.in_force == ["other", "strict"]
        with pytest.raises(ClusterError, match="past its step one"):
            running.reach("one")


def test_no_step_is_taken_from_a_state_that_never_came():
    world = make_world()
    with RunningStage(world, stepped(settle=(Settle(PROBE, reset()),)), []) as running:
        running.reach("two")
        assert running.settled[0].problem
        assert world.applier.in_force == ["other"]


def test_steps_are_looked_at_before_the_stage_is_entered_where_a_case_wants_them_and_once():
    world = make_world()
    wanted = replace(CASE, before=None, step="one")
    with RunningStage(world, stepped(), [wanted]) as running:
        assert [line for line in world.cluster.log if line.startswith("check")] == ["check other"]
        running.reach("two")
        assert [line for line in world.cluster.log if line.startswith("check")] == ["check other", "check strict"]


def test_a_step_starts_istiod_anew_before_it_applies(monkeypatch: pytest.MonkeyPatch):
    world = make_world()
    monkeypatch.setattr("clients.mesh.istiod.restart", lambda cluster, _: cluster.log.append("restart"))
    with RunningStage(world, stepped(restarts=True), []) as running:
        running.reach("two")
    assert world.cluster.log[-4:-1] == ["restart", "apply strict", "delete strict"]


@pytest.mark.parametrize(("break_at", "error"), [("apply", ClusterError), ("wait", KeyboardInterrupt)])
def test_a_change_that_breaks_off_is_put_back(break_at: str, error: type[BaseException]):
    world = make_world()
    world.applier.break_at = break_at
    with pytest.raises(error):
        RunningStage(world, Stage("s", apply=("strict",)), []).__enter__()
    assert world.applier.in_force == []


def test_a_state_that_does_not_come_back_is_an_error():
    world = make_world()
    running = RunningStage(world, Stage("s", apply=("strict",)), [CASE])
    running.__enter__()
    world.answer = lambda _, name: broken(56, name)
    with pytest.raises(ClusterError, match="after stage s: X-1: the state before did not come back"):
        running.__exit__(None, None, None)


def test_deployments_are_scaled_and_scaled_back():
    world = make_world()
    meta = {"name": "httpbin", "namespace": "mtls-service", "generation": 1}
    status_of = dict.fromkeys(("observedGeneration", "replicas", "updatedReplicas", "availableReplicas"), 2)
    world.cluster.put(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": 2}, "status": status_of}
    )
    stage = Stage("s", scaled=(Scale("mtls-service", "httpbin", 0),))
    world.cluster.log.clear()
    real_patch = world.cluster.patch

    def patch(*args: Any) -> Any:
        count = args[-1]["spec"]["replicas"]
        deployment = world.cluster.store["Deployment", "mtls-service", "httpbin"]
        deployment["spec"]["replicas"] = count
        deployment["status"] |= dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), count)
        return real_patch(*args)

    world.cluster.patch = patch
    with RunningStage(world, stage, []) as running:
        assert running.applied[0].yaml == "spec:\n  replicas: 0\n"
    assert [line for line in world.cluster.log if line.startswith("patch")] == [
        "patch Deployment mtls-service/httpbin {'spec': {'replicas': 0}}",
        "patch Deployment mtls-service/httpbin {'spec': {'replicas': 2}}",
    ]


def test_what_has_settled_is_replaced_and_both_are_put_back() -> None:
    world = make_world()
    stage = Stage("s", apply=("strict",), settle=(Settle(PROBE, reset()),), replaced=("other",))
    with RunningStage(world, stage, [CASE]) as running:  # type: ignore[arg-type]
        assert world.applier.in_force == ["strict", "other"]
        assert [one.name for one in running.applied] == ["strict", "other"]
    assert world.applier.in_force == []


def test_nothing_is_replaced_when_the_first_half_has_not_settled() -> None:
    world = make_world()
    stage = Stage("s", apply=("loose",), settle=(Settle(PROBE, reset()),), replaced=("other",))
    with RunningStage(world, stage, []):  # type: ignore[arg-type]
        assert world.applier.in_force == ["loose"]


def test_what_is_taken_from_the_ground_comes_back() -> None:
    world = make_world()
    world.applier.in_force = ["ground"]
    with RunningStage(world, Stage("s", without=("ground",)), []):  # type: ignore[arg-type]
        assert world.applier.in_force == []
    assert world.applier.in_force == ["ground"]


def changes_of(world: FakeWorld) -> list[str]:
    return [line for line in world.cluster.log if not line.startswith("ground")]


def test_the_next_stage_begins_with_what_the_last_one_left() -> None:
    world = make_world()
    with RunningStage(world, Stage("one", apply=("a", "b")), []):  # type: ignore[arg-type]
        pass
    assert world.applier.in_force == ["a", "b"]
    world.cluster.log.clear()
    with RunningStage(world, Stage("two", apply=("b", "c")), []) as running:  # type: ignore[arg-type]
        assert sorted(world.applier.in_force) == ["b", "c"]
        assert [one.name for one in running.applied] == ["b", "c"]
    assert changes_of(world) == ["check c", "apply b,c", "delete a"]
    world.stage_objects.clear()
    assert world.applier.in_force == []


def test_who_sees_the_state_before_gets_it_without_what_was_left() -> None:
    world = make_world()
    with RunningStage(world, Stage("one", apply=("strict",)), []):  # type: ignore[arg-type]
        pass
    with RunningStage(world, Stage("two", apply=("strict",)), [CASE]) as running:  # type: ignore[arg-type]
        assert running.baselines["X-1"].problem == ""
    assert world.applier.in_force == []


@pytest.mark.parametrize(
    "stage",
    [
        Stage("far", apply=("a",), needs=frozenset({"mesh-wide"})),
        Stage("goes on", apply=("a", "b"), removed=("b",)),
        Stage("takes", apply=("a",), without=("ground",)),
    ],
    ids=lambda stage: stage.name,
)
def test_what_others_can_see_or_what_goes_on_is_put_back(stage: Stage) -> None:
    world = make_world()
    with RunningStage(world, stage, []):  # type: ignore[arg-type]
        assert "a" in world.applier.in_force
    assert "a" not in world.applier.in_force


def test_a_stage_in_the_root_namespace_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    monkeypatch.setattr(Name, "namespace", "istio-system")
    with RunningStage(world, Stage("far", apply=("a",)), []):  # type: ignore[arg-type]
        pass
    assert world.applier.in_force == []


def test_a_change_that_breaks_off_takes_what_was_left_with_it() -> None:
    world = make_world()
    with RunningStage(world, Stage("one", apply=("a",)), []):  # type: ignore[arg-type]
        pass
    world.applier.break_at = "apply"
    with pytest.raises(ClusterError):
        RunningStage(world, Stage("two", apply=("b",)), []).__enter__()  # type: ignore[arg-type]
    assert world.applier.in_force == []
