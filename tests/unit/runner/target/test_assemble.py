"""What the rig of a process is made of: the cluster's own values, not this machine's."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import jwt
import pytest
from cluster_fakes import FakeCluster

from clients.identity.tokens import TokenIssuer
from reports.record.model import TargetInfo
from runner.config.settings import Settings
from runner.target import assemble
from runner.target.descriptor import TargetDescriptor

pytestmark = pytest.mark.unit

NOW = 1_900_000_000


class ClockedCluster(FakeCluster):
    """Its API server states a time."""

    server = "https://198.18.0.1:6443"
    api = SimpleNamespace(time=lambda: float(NOW))


def test_tokens_of_a_run_are_made_by_the_clusters_clock(tmp_path: Path) -> None:
    TokenIssuer().dump(tmp_path / "tokens")
    descriptor = TargetDescriptor(TargetInfo("live", "1.34"), tokens=str(tmp_path / "tokens"))
    rig = assemble.rig(ClockedCluster(), descriptor, Settings(), "run-1", "main", lambda _: None, {})  # type: ignore[arg-type]
    expired = jwt.decode(rig.tokens.mint("just-expired"), options={"verify_signature": False})["exp"]
    assert -60 < expired - (NOW - 300) < 60
