"""The restart of istiod: new pods before the old ones end, and the number of replicas as before."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import FakeCluster

from clients.kube.api import RequestError
from clients.kube.pods import Pod
from clients.mesh import istiod
from clients.model.errors import ClusterError

pytestmark = pytest.mark.unit


class Controlled(FakeCluster):
    """As many pods as the Deployment wants: new ones are ready at once, and the cheapest go first."""

    def __init__(self, *, starts: bool = True, judges: bool = True) -> None:
        super().__init__()
        self.running, self.cheap, self.starts, self.judges = ["old"], set[str](), starts, judges

    @property
    def api(self) -> Any:
        return SimpleNamespace(json=lambda verb, path, body: self.log.append(f"{verb} {path.split('/')[-1]} {body}"))

    def pods(self, namespace: str, _: str = "") -> list[Pod]:
        return [Pod(namespace, name, ready=name == "old" or self.starts) for name in self.running]

    def get(self, _: str, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        return {"metadata": {"name": name}} if name in self.running else None

    def patch(self, _: str, kind: str, name: str, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
        if kind == "Pod":
            self.cheap.add(name)
        else:
            wanted = body["spec"]["replicas"]
            self.log.append(f"scale {wanted}")
            if wanted > len(self.running):
                self.running.append("new")
            elif wanted < len(self.running):
                self.running = [name for name in self.running if name not in self.cheap]
        return body

    def apply(self, body: dict[str, Any], *, manager: str, dry_run: bool = False) -> dict[str, Any]:
        assert dry_run
        if not self.judges:
            raise RequestError("apply", 500, "failed calling webhook")
        return body


def test_the_new_pod_is_ready_before_the_old_one_ends() -> None:
    cluster = Controlled()
    istiod.restart(cluster, 1.0)  # type: ignore[arg-type]
    assert cluster.running == ["new"]
    assert cluster.log == ["scale 2", "scale 1", "DELETE old {'gracePeriodSeconds': 1}"]


def test_without_a_new_pod_the_old_one_is_not_hurried() -> None:
    cluster = Controlled(starts=False)
    with pytest.raises(ClusterError, match="did not come back"):
        istiod.restart(cluster, 0.1)  # type: ignore[arg-type]
    assert cluster.log == ["scale 2", "scale 1"]


def test_a_webhook_that_cannot_be_reached_is_waited_for() -> None:
    with pytest.raises(ClusterError, match="webhook"):
        istiod.restart(Controlled(judges=False), 0.1)  # type: ignore[arg-type]
