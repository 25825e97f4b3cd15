"""What a proxy reports about itself by its admin interface."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cluster_fakes import CLIENT_POD

from clients.mesh import sidecar
from clients.model.errors import InfrastructureError

pytestmark = pytest.mark.unit

UNUSED: Any = None


def answers(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sidecar, "admin", lambda *_, **__: text)


@pytest.mark.parametrize(
    ("stated", "version"),
    [
        ("b0f43d67aa25c1b03c97186a200cc187f4c22db3/1.37.0/Clean/RELEASE/BoringSSL", "1.37.0"),
        ("07bece5476a5e3c95c8b0a3df4e41d3dd0769df4/1.37.1-dev/Modified/RELEASE/BoringSSL", "1.37.1-dev"),
    ],
)
def test_the_version_of_envoy(stated: str, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, json.dumps({"version": stated}))
    assert sidecar.envoy_version(UNUSED, CLIENT_POD) == version


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', '{"version": "1.37.0"}'])
def test_a_version_that_cannot_be_read(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, text)
    with pytest.raises(InfrastructureError, match="does not report its version"):
        sidecar.envoy_version(UNUSED, CLIENT_POD)
