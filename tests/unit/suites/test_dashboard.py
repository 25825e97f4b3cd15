"""The Grafana dashboard is what Grafana's own published model of a dashboard holds, to the last key."""

from __future__ import annotations

import json
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from runner.config.settings import ROOT

pytestmark = pytest.mark.unit

FILE = ROOT / "deploy" / "monitoring" / "dashboard.json"


def read_by_grafana(given: dict[str, Any]) -> dict[str, Any]:
    """The dashboard as the model of Grafana 10.1 (`schemaVersion` 38) reads it and writes it again."""
    plugins.register_default_plugins()
    again: dict[str, Any] = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(given)))
    return again


def lost(given: Any, again: Any, path: str = "") -> list[str]:
    """Paths whose value the model did not keep; defaults that it adds are none."""
    if isinstance(given, dict) and isinstance(again, dict):
        return [
            found
            for key, value in given.items()
            for found in ([f"{path}/{key}"] if key not in again else lost(value, again[key], f"{path}/{key}"))
        ]
    if isinstance(given, list) and isinstance(again, list) and len(given) == len(again):
        pairs = enumerate(zip(given, again, strict=True))
        return [found for at, (one, other) in pairs for found in lost(one, other, f"{path}/{at}")]
    return [] if given == again else [path]


def dashboard() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return data


def test_grafanas_model_keeps_every_key_and_value() -> None:
    assert lost(dashboard(), read_by_grafana(dashboard())) == []


@pytest.mark.parametrize("section", ["", "templating", "panels", "gridPos", "options", "defaults"])
def test_a_misspelt_key_is_found(section: str) -> None:
    given = dashboard()
    panel = given["panels"][0]
    places = {
        "": given,
        "templating": given["templating"]["list"][0],
        "panels": panel,
        "gridPos": panel["gridPos"],
        "options": panel["options"],
        "defaults": panel["fieldConfig"]["defaults"],
    }
    places[section]["misspelt"] = 1
    assert [path.rpartition("/")[2] for path in lost(given, read_by_grafana(given))] == ["misspelt"]


def test_panels_are_distinct_and_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
