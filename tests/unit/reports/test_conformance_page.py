"""docs/conformance.md describes `conformance.json`: every field with its type, and no field that does not exist."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import TypeAdapter

from clients.model.attempt import Attempt, Phase, Sample
from clients.model.evidence import (
    Applied,
    Evidence,
    Finding,
    FindingVerdict,
    Grade,
    LeakBound,
    Picture,
    TwinProof,
    Verdict,
)
from clients.model.known import Advisory, KnownFailure
from clients.model.marker import MarkerRecord, MarkerState
from clients.model.outcome import OutcomeKind
from clients.model.request_record import RequestRecord
from reports.gates import Baseline, Gates
from reports.record import conformance, schema1, series
from reports.record.about import About, ControlRecord, Document, Provenance, StatedRequirement
from reports.record.model import SCHEMA, MeshRecord, Report, RunInfo, TargetInfo
from runner.config.settings import ROOT

pytestmark = pytest.mark.unit

PAGE = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
RECORDS: dict[str, type] = {
    "run": RunInfo,
    "gates": Gates,
    "baseline": Baseline,
    "target": TargetInfo,
    "mesh": MeshRecord,
    "case": Evidence,
    "request": RequestRecord,
    "attempts": Attempt,
    "sample": Sample,
    "twin": TwinProof,
    "leak": LeakBound,
    "marker": MarkerRecord,
    "finding": Finding,
    "applied object": Applied,
    "picture": Picture,
    "advisory": Advisory,
    "known failure": KnownFailure,
    "about": About,
    "document": Document,
    "control": ControlRecord,
    "requirement": StatedRequirement,
    "provenance": Provenance,
}
JSON_NAMES = {"array": "list"}
FIELD = re.compile(r"^- `(\w+)` \(([a-z ]+)\): ", re.MULTILINE)


def section(heading: str, page: str = PAGE) -> str:
    return re.split(r"^## ", page.split(f"\n## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def described(heading: str) -> dict[str, set[str]]:
    """Field → its JSON types, as the page has them."""
    found = FIELD.findall(section(heading))
    assert len(found) == len({name for name, _ in found}), f"{heading}: a field twice"
    return {name: set(types.split(" or ")) for name, types in found}


def types_of(schema: dict[str, Any], whole: dict[str, Any]) -> set[str]:
    """The JSON types of a field's schema."""
    if "$ref" in schema:
        return types_of(whole["$defs"][schema["$ref"].rpartition("/")[2]], whole)
    if "anyOf" in schema:
        return set[str]().union(*(types_of(one, whole) for one in schema["anyOf"]))
    return {JSON_NAMES.get(schema["type"], schema["type"])}


def fields_of(record: type) -> dict[str, set[str]]:
    """Field → its JSON types, as they are written."""
    schema = TypeAdapter(record).json_schema(mode="serialization")
    return {name: types_of(one, schema) for name, one in schema["properties"].items()}


@pytest.mark.parametrize("heading", RECORDS)
def test_every_field_is_described_with_its_type(heading: str) -> None:
    expected = fields_of(RECORDS[heading])
    if heading == "case":  # as `conformance._case_to_json` writes it
        expected |= {"attempts": {"integer"}, "timeline": {"list"}, "recorded": {"string"}}
    if heading == "attempts":  # as `series.fold` writes them
        expected |= {name: {"list"} for name in series.OF_EACH}
    assert described(heading) == expected


def test_the_whole_file_and_its_totals_are_described() -> None:
    written = conformance.to_json(Report(RunInfo("r", "", ""), TargetInfo("kind")))
    assert set(described("The whole file")) == set(written)
    assert described("totals") == {name: {"integer"} for name in written["totals"]}


def test_every_record_has_its_place() -> None:
    """A nested record that is new needs a section of its own."""
    nested = set[str]().union(
        *(TypeAdapter(one).json_schema(mode="serialization").get("$defs", {}) for one in (Evidence, TargetInfo))
    )
    enums = {"Verdict", "Grade", "FindingVerdict", "Phase", "OutcomeKind", "MarkerState"}
    assert nested - enums <= {one.__name__ for one in RECORDS.values()}


@pytest.mark.parametrize(
    ("heading", "values"),
    [
        ("case", (*Verdict, *Grade)),
        ("finding", tuple(FindingVerdict)),
        ("marker", tuple(MarkerState)),
        ("attempts", (*Phase, *OutcomeKind)),
    ],
)
def test_every_value_is_named(heading: str, values: tuple[str, ...]) -> None:
    assert [value for value in values if f"`{value}`" not in section(heading)] == []


def test_schemas_are_named() -> None:
    assert SCHEMA in section("The whole file")
    assert schema1.SCHEMA in section("For readers of schema 1")


@pytest.mark.parametrize("name", re.findall(r"\]\(#([\w-]+)\)", PAGE))
def test_a_link_leads_to_a_section(name: str) -> None:
    assert section(name.replace("-", " "))


def test_a_missing_field_is_noticed() -> None:
    without = PAGE.replace("- `worker` (string)", "- worker (string)")
    assert "worker" not in dict(FIELD.findall(section("case", without)))
