"""An environment that is not ready stays so for every stage that needs it, until it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from clients.apply.environments import AGAIN_S, Environments
from clients.apply.item import Item
from clients.apply.stage_objects import StageObjects
from clients.model.errors import UnreadyError

pytestmark = pytest.mark.unit


def deployment(manifest: str, name: str) -> Item:
    meta = {"name": name, "namespace": "shop"}
    return Item(manifest, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {}})


class SlowApplier:
    """Of two manifests; `lacking` are the Deployments that are not ready."""

    def __init__(self, *lacking: str) -> None:
        self.lacking = set(lacking)
        self.waited: list[tuple[list[str], float]] = []
        self.applied: list[str] = []

    def load(self, paths: Sequence[str]) -> list[Item]:
        return [deployment(f"{path}/1.yaml", path.rpartition("/")[2]) for path in paths]

    def admit(self, _: Sequence[Item]) -> None:
        pass

    def apply(self, items: Sequence[Item]) -> list[Any]:
        self.applied += [item.name for item in items]
        return [item.name for item in items]

    def wait_ready(self, items: Sequence[Item], within_s: float = math.inf) -> None:
        self.waited += [([item.name for item in items], within_s)]
        if late := [item.name for item in items if item.name in self.lacking]:
            raise UnreadyError(f"{late[0]} is not ready: exceeded quota: bank")

    def ask_to_delete(self, _: Sequence[Item]) -> Callable[[], None]:
        return lambda: None


def environments(applier: SlowApplier) -> Environments:
    return Environments(applier, StageObjects(applier))  # type: ignore[arg-type]


def test_what_is_not_ready_is_not_for_the_next_stage_either() -> None:
    """The second stage went on without the server, and its cases failed: 503 by a mesh that does what it should."""
    applier = SlowApplier("web")
    made = environments(applier)
    for _ in range(3):
        with pytest.raises(UnreadyError, match="exceeded quota: bank"):
            made.ensure(["lab/web"])
    assert applier.applied == ["web"], "once"
    assert [within_s for _, within_s in applier.waited] == [math.inf, AGAIN_S, AGAIN_S], "and waited for once"
    applier.lacking = set()
    made.ensure(["lab/web"])
    made.ensure(["lab/web"])
    assert applier.waited[3:] == [(["web"], AGAIN_S)], "it has become ready meanwhile"


def test_a_stage_that_needs_other_manifests_is_not_held_up() -> None:
    applier = SlowApplier("web")
    made = environments(applier)
    with pytest.raises(UnreadyError):
        made.ensure(["lab/web", "lab/pay"])
    made.ensure(["lab/pay"])
    assert applier.waited[1:] == [(["pay"], AGAIN_S)]
    with pytest.raises(UnreadyError):
        made.ensure(["lab/pay", "lab/web"])


def test_what_is_deployed_again_is_waited_for_anew() -> None:
    applier = SlowApplier("web")
    made = environments(applier)
    with pytest.raises(UnreadyError):
        made.ensure(["lab/web"])
    made.leave(["lab/web"])
    applier.lacking = set()
    made.ensure(["lab/web"])
    assert applier.waited[-1] == (["web"], math.inf)


def test_one_that_was_prepared_in_the_background_and_is_not_ready_is_looked_at_again() -> None:
    applier = SlowApplier("web")
    made = environments(applier)
    made.prepare_in_background(["lab/web"])
    for _ in range(2):
        with pytest.raises(UnreadyError):
            made.ensure(["lab/web"])
    assert [within_s for _, within_s in applier.waited] == [math.inf, AGAIN_S]
