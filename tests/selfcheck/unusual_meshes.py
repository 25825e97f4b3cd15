"""Meshes that are right and yet unlike the testbed's: other logs, traces of some requests, several replicas."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import yaml

from tests.mutants import mesh_config, outside

REPLICAS = 2
_TELEMETRY = ("telemetry.istio.io/v1", "Telemetry", "only-failures", "istio-system")


def configured(change: Callable[[dict[str, Any]], None]) -> Callable[[], AbstractContextManager[None]]:
    """The mesh with other settings, which `change` makes in place."""

    @contextmanager
    def around() -> Iterator[None]:
        before = mesh_config.read()
        mesh = yaml.safe_load(before)
        change(mesh)
        mesh_config.write(yaml.safe_dump(mesh))
        time.sleep(outside.SPREAD_S)
        try:
            yield
        finally:
            mesh_config.write(before)
            time.sleep(outside.SPREAD_S)

    return around


def json_logs_and_traces(mesh: dict[str, Any]) -> None:
    """JSON logs; half of the requests are traced, and Envoy marks these in their ids."""
    mesh["accessLogEncoding"] = "JSON"
    mesh["defaultConfig"]["tracing"] = {"sampling": 50.0}
    mesh["defaultConfig"]["concurrency"] = 1


def no_logs(mesh: dict[str, Any]) -> None:
    """No proxy writes an access log."""
    mesh["accessLogFile"] = ""


@contextmanager
def logs_of_failures() -> Iterator[None]:
    """Proxies log refused and failed requests only."""
    cluster = outside.administrator()
    api_version, kind, name, namespace = _TELEMETRY
    rule = {"providers": [{"name": "envoy"}], "filter": {"expression": "response.code >= 400 || response.code == 0"}}
    meta = {"name": name, "namespace": namespace}
    cluster.create({"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": {"accessLogging": [rule]}})
    time.sleep(outside.SPREAD_S)
    try:
        yield
    finally:
        cluster.delete(*_TELEMETRY)
        time.sleep(outside.SPREAD_S)


class Doubled:
    """Every Deployment that names no number of replicas, or one, has two."""

    def pytest_meshproof_objects(self, objects: list[dict[str, Any]]) -> None:
        """Change what is about to be applied."""
        for body in objects:
            if body["kind"] == "Deployment" and body["spec"].get("replicas", 1) == 1:
                body["spec"]["replicas"] = REPLICAS


def pytest_configure(config: pytest.Config) -> None:
    """Install the plugin of doubled workloads: `-p tests.selfcheck.unusual_meshes`."""
    config.pluginmanager.register(Doubled(), "meshproof-doubled")
