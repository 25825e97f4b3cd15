"""Stages: baseline before the change, everything put back afterwards, also when the change breaks off."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cluster_fakes import CLIENT, FakeRig, answered, broken, lost

from clients.model.attempt import Phase
from clients.model.case import Case
from clients.model.errors import ClusterError, UnreadyError
from clients.model.evidence import Applied
from clients.model.expect import reset, status
from clients.model.stage import Scale, Settle, Stage, Step
from clients.probe.converge import converge
from clients.proof.stage import observation, why_unready
from clients.proof.stage.running_stage import RunningStage

pytestmark = pytest.mark.unit

PROBE = CLIENT.get("http://httpbin.mtls-service:8000/ip")
CASE = Case("X-1", PROBE, reset(), before=status(200))


class Name(str):
    """An object that has nothing but a name."""

    __slots__ = ()
    namespace = "mtls-service"
    api_version, kind, manifest = "security.istio.io/v1", "PeerAuthentication", "lab/x.yaml"

    @property
    def key(self) -> str:
        return str(self)

    @property
    def body(self) -> str:
        return str(self)


class PatchedApplier:
    """Keeps what is in force, and writes to the rig's log."""

    timeout_s = 1.0

    def __init__(self, rig: FakeRig) -> None:
        self.rig, self.in_force, self.break_at = rig, [], ""

    def load(self, paths: Any) -> list[Name]:
        return [Name(path) for path in paths]

    def check(self, items: list[str]) -> None:
        self.say("check", items)

    def admit(self, items: list[str]) -> None:
        self.check(items)

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
            self.rig.cluster.log.append(f"{what} {','.join(items)}")


def make_rig() -> FakeRig:
    """A mesh that resets connections while `strict` is in force."""
    rig = FakeRig(lambda _, name: broken(56, name) if "strict" in rig.applier.in_force else answered(200, name))
    rig.applier = PatchedApplier(rig)
    return rig


def test_enter_observes_then_changes_and_exit_puts_back():
    rig = make_rig()
    with RunningStage(rig, Stage("s", environment=("g",), apply=("strict",)), [CASE]) as running:
        assert rig.cluster.log == ["environment g", "check strict", "apply strict"]
        assert running.baselines["X-1"].problem == ""
        assert [applied.manifest for applied in running.applied] == ["strict"]
        before = running.baselines["X-1"].before(running.changed_at)
        assert {attempt.phase for attempt in before} == {Phase.BASELINE}
        assert all(attempt.at_s <= 0 for attempt in before)
    assert rig.applier.in_force == []


def test_the_first_baseline_has_the_whole_budget_and_the_others_what_is_left(monkeypatch: pytest.MonkeyPatch):
    """Entering a stage deletes what the last one left; on a busy machine that change had half the time of any other."""
    given = []

    def asked(send: Any, expect: Any, policy: Any, **more: Any) -> Any:
        given.append(policy.budget_s)
        return converge(send, expect, policy, **more)

    monkeypatch.setattr(observation, "converge", asked)
    rig = make_rig()
    rig.policy = replace(rig.policy, budget_s=40.0)
    other = replace(CASE, probe=replace(PROBE, url=f"{PROBE.url}?other"))
    with RunningStage(rig, Stage("s"), [CASE, other]):
        assert len(given) == 2
        assert 40.0 > given[0] > given[1] > 35.0


@pytest.mark.parametrize(("at", "there"), [("environment", []), ("change", ["strict"]), ("step", ["strict", "more"])])
def test_what_does_not_become_ready_is_explained_while_it_is_there(
    monkeypatch: pytest.MonkeyPatch, at: str, there: list[str]
):
    rig = make_rig()
    monkeypatch.setattr(why_unready, "why", lambda *_: f"by {list(rig.applier.in_force)}")

    def unready(*_: Any) -> Any:
        raise UnreadyError("Deployment sleep is not ready in time")

    if at == "environment":
        monkeypatch.setattr(rig, "deploy", unready)
    if at == "change":
        monkeypatch.setattr(rig.applier, "wait_ready", unready)
    stage = Stage("s", apply=("strict",), steps=(Step("one", ("more",)),))

    def entered() -> None:
        with RunningStage(rig, stage, [CASE]) as running:
            monkeypatch.setattr(rig.applier, "wait_ready", unready)
            running.reach("one")

    with pytest.raises(UnreadyError) as caught:
        entered()
    assert caught.value.why == f"by {there}"


def test_a_baseline_that_does_not_hold_is_known():
    rig = make_rig()
    wrong = Case("X-1", PROBE, reset(), before=status(404))
    with RunningStage(rig, Stage("s", apply=("strict",)), [wrong]) as running:
        assert running.baselines["X-1"].problem.startswith("expected 404, saw 200")
        assert running.baselines["X-1"].conclusive


def test_a_baseline_that_could_not_be_seen_is_inconclusive():
    rig = make_rig()
    rig.answer = lambda _, name: lost(name)
    with RunningStage(rig, Stage("s"), [CASE]) as running:
        assert not running.baselines["X-1"].conclusive


def test_a_removal_waits_until_the_change_has_settled():
    rig = make_rig()
    stage = Stage("s", apply=("strict", "other"), removed=("strict",), settle=(Settle(PROBE, reset()),))
    with RunningStage(rig, stage, [CASE]) as running:
        assert [seen.problem for seen in running.settled] == [""]
        assert rig.applier.in_force == ["other"]
        assert rig.cluster.log[-1] == "delete strict"


def test_a_change_that_never_settled_is_not_removed():
    rig = make_rig()
    stage = Stage("s", apply=("other",), removed=("other",), settle=(Settle(PROBE, reset()),))
    with RunningStage(rig, stage, []) as running:
        assert running.settled[0].problem
        assert rig.applier.in_force == ["other"]
    assert rig.applier.in_force == []


def stepped(*, settle: tuple[Settle, ...] = (), restarts: bool = False) -> Stage:
    return Stage("s", steps=(Step("one", apply=("other",), settle=settle), Step("two", ("strict",), restarts=restarts)))


def test_steps_are_taken_in_order_and_put_back():
    rig = make_rig()
    with RunningStage(rig, stepped(settle=(Settle(PROBE, status(200)),)), []) as running:
        running.reach("")
        assert rig.applier.in_force == []
        running.reach("two")
        assert rig.applier.in_force == ["other", "strict"]
        assert [applied.manifest for applied in running.applied] == ["other", "strict"]
        assert [seen.problem for seen in running.settled] == [""]
        assert running.settled[0].at < running.changed_at
    assert rig.applier.in_force == []


def test_a_step_is_not_taken_twice_nor_back():
    rig = make_rig()
    with RunningStage(rig, stepped(), []) as running:
        running.reach("two")
        running.reach("two")
        assert rig.applier.in_force == ["other", "strict"]
        with pytest.raises(ClusterError, match="past its step one"):
            running.reach("one")


def test_no_step_is_taken_after_a_state_that_did_not_settle():
    rig = make_rig()
    with RunningStage(rig, stepped(settle=(Settle(PROBE, reset()),)), []) as running:
        running.reach("two")
        assert running.settled[0].problem
        assert rig.applier.in_force == ["other"]


def test_steps_that_a_case_needs_are_checked_once_before_the_stage_is_entered():
    rig = make_rig()
    wanted = replace(CASE, before=None, step="one")
    with RunningStage(rig, stepped(), [wanted]) as running:
        assert [line for line in rig.cluster.log if line.startswith("check")] == ["check other"]
        running.reach("two")
        assert [line for line in rig.cluster.log if line.startswith("check")] == ["check other", "check strict"]


def test_a_step_restarts_istiod_before_it_applies(monkeypatch: pytest.MonkeyPatch):
    rig = make_rig()
    monkeypatch.setattr("clients.mesh.istiod.restart", lambda cluster, _: cluster.log.append("restart"))
    with RunningStage(rig, stepped(restarts=True), []) as running:
        running.reach("two")
    assert rig.cluster.log[-4:-1] == ["restart", "apply strict", "delete strict"]


@pytest.mark.parametrize(("break_at", "error"), [("apply", ClusterError), ("wait", KeyboardInterrupt)])
def test_a_change_that_breaks_off_is_put_back(break_at: str, error: type[BaseException]):
    rig = make_rig()
    rig.applier.break_at = break_at
    with pytest.raises(error):
        RunningStage(rig, Stage("s", apply=("strict",)), []).__enter__()
    assert rig.applier.in_force == []


def test_a_state_that_does_not_come_back_is_an_error():
    rig = make_rig()
    running = RunningStage(rig, Stage("s", apply=("strict",)), [CASE])
    running.__enter__()
    rig.answer = lambda _, name: broken(56, name)
    with pytest.raises(ClusterError, match="after stage s: X-1: the state before did not come back"):
        running.__exit__(None, None, None)


def test_deployments_are_scaled_and_scaled_back():
    rig = make_rig()
    meta = {"name": "httpbin", "namespace": "mtls-service", "generation": 1}
    status_of = dict.fromkeys(("observedGeneration", "replicas", "updatedReplicas", "availableReplicas"), 2)
    rig.cluster.put(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": 2}, "status": status_of}
    )
    stage = Stage("s", scaled=(Scale("mtls-service", "httpbin", 0),))
    rig.cluster.log.clear()
    real_patch = rig.cluster.patch

    def patch(*args: Any) -> Any:
        count = args[-1]["spec"]["replicas"]
        deployment = rig.cluster.store["Deployment", "mtls-service", "httpbin"]
        deployment["spec"]["replicas"] = count
        deployment["status"] |= dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), count)
        return real_patch(*args)

    rig.cluster.patch = patch
    with RunningStage(rig, stage, []) as running:
        assert running.applied[0].yaml == "spec:\n  replicas: 0\n"
    assert [line for line in rig.cluster.log if line.startswith("patch")] == [
        "patch Deployment mtls-service/httpbin {'spec': {'replicas': 0}}",
        "patch Deployment mtls-service/httpbin {'spec': {'replicas': 2}}",
    ]


def test_what_has_settled_is_replaced_and_both_are_put_back() -> None:
    rig = make_rig()
    stage = Stage("s", apply=("strict",), settle=(Settle(PROBE, reset()),), replaced=("other",))
    with RunningStage(rig, stage, [CASE]) as running:  # type: ignore[arg-type]
        assert rig.applier.in_force == ["strict", "other"]
        assert [one.name for one in running.applied] == ["strict", "other"]
    assert rig.applier.in_force == []


def test_nothing_is_replaced_when_the_first_half_has_not_settled() -> None:
    rig = make_rig()
    stage = Stage("s", apply=("loose",), settle=(Settle(PROBE, reset()),), replaced=("other",))
    with RunningStage(rig, stage, []):  # type: ignore[arg-type]
        assert rig.applier.in_force == ["loose"]


def test_objects_that_the_stage_does_without_come_back() -> None:
    rig = make_rig()
    rig.applier.in_force = ["web"]
    with RunningStage(rig, Stage("s", without=("web",)), []):  # type: ignore[arg-type]
        assert rig.applier.in_force == []
    assert rig.applier.in_force == ["web"]


def changes_of(rig: FakeRig) -> list[str]:
    return [line for line in rig.cluster.log if not line.startswith("environment")]


def test_the_next_stage_begins_with_what_the_last_one_left() -> None:
    rig = make_rig()
    with RunningStage(rig, Stage("one", apply=("a", "b")), []):  # type: ignore[arg-type]
        pass
    assert rig.applier.in_force == ["a", "b"]
    rig.cluster.log.clear()
    with RunningStage(rig, Stage("two", apply=("b", "c")), []) as running:  # type: ignore[arg-type]
        assert sorted(rig.applier.in_force) == ["b", "c"]
        assert [one.name for one in running.applied] == ["b", "c"]
    assert changes_of(rig) == ["check c", "apply b,c", "delete a"]
    rig.stage_objects.clear()
    assert rig.applier.in_force == []


def test_a_baseline_is_observed_without_the_objects_of_the_last_stage() -> None:
    rig = make_rig()
    with RunningStage(rig, Stage("one", apply=("strict",)), []):  # type: ignore[arg-type]
        pass
    with RunningStage(rig, Stage("two", apply=("strict",)), [CASE]) as running:  # type: ignore[arg-type]
        assert running.baselines["X-1"].problem == ""
    assert rig.applier.in_force == []


@pytest.mark.parametrize(
    "stage",
    [
        Stage("far", apply=("a",), needs=frozenset({"mesh-wide"})),
        Stage("goes on", apply=("a", "b"), removed=("b",)),
        Stage("without", apply=("a",), without=("web",)),
    ],
    ids=lambda stage: stage.name,
)
def test_a_stage_that_others_can_notice_or_that_goes_on_is_put_back(stage: Stage) -> None:
    rig = make_rig()
    with RunningStage(rig, stage, []):  # type: ignore[arg-type]
        assert "a" in rig.applier.in_force
    assert "a" not in rig.applier.in_force


def test_a_stage_in_the_root_namespace_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = make_rig()
    monkeypatch.setattr(Name, "namespace", "istio-system")
    with RunningStage(rig, Stage("far", apply=("a",)), []):  # type: ignore[arg-type]
        pass
    assert rig.applier.in_force == []


def test_a_change_that_breaks_off_removes_the_objects_of_the_last_stage_too() -> None:
    rig = make_rig()
    with RunningStage(rig, Stage("one", apply=("a",)), []):  # type: ignore[arg-type]
        pass
    rig.applier.break_at = "apply"
    with pytest.raises(ClusterError):
        RunningStage(rig, Stage("two", apply=("b",)), []).__enter__()  # type: ignore[arg-type]
    assert rig.applier.in_force == []
