"""Whether sidecars write a log that can be read, where a Telemetry of the run has turned it on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cluster_fakes import SERVER_POD, FakeCluster

from clients.mesh import sidecar
from clients.mesh.discovery import MeshInfo
from clients.proof.rig import access_logs
from clients.proof.rig.access_logs import AccessLogs

pytestmark = pytest.mark.unit

READ = {"response_code": "%RESPONSE_CODE%", "request_id": "%REQ(X-REQUEST-ID)%", "upstream_host": "%UPSTREAM_HOST%"}
READ |= {"response_code_details": "%RESPONSE_CODE_DETAILS%"}


def log(path: str, **fields: str) -> str:
    return json.dumps({"access_log": [{"path": path, "log_format": {"json_format": fields}}]})


@pytest.mark.parametrize(
    ("listeners", "written"),
    [
        (log("/dev/stdout", **READ), True),
        (log("/dev/stdout", **{**READ, "request_id": "%TRACE_ID%"}), False),
        (log("/var/log/envoy.log", **READ), False),
        ("{}", False),
    ],
)
def test_a_sidecar_shows_whether_a_log_is_written_that_can_be_read(
    monkeypatch: pytest.MonkeyPatch, listeners: str, written: bool
) -> None:
    """The mesh's own format counts for a Telemetry as well, and its configuration may not be for us to read."""
    monkeypatch.setattr(access_logs, "SPREAD_S", 0.01)
    monkeypatch.setattr(sidecar, "admin", lambda *_: listeners)
    cluster: Any = FakeCluster(pods_of={"mtls-service": [SERVER_POD]})
    found = AccessLogs(cluster, MeshInfo("istio", capabilities=frozenset({"access-log"}), log_provider="envoy"))
    found.look(["mtls-service"])
    assert found.written is written
