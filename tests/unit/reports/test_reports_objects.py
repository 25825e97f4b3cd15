"""Applied objects: once in a file, whole in every case that is read, also from files that had them in each case."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_samples import JWT, REQUIRE, a_case, sample_report

from reports.history import record
from reports.record import conformance, journal
from reports.record.journal import Journal
from reports.record.model import EVIDENCE, SCHEMA_2, ReportError

pytestmark = pytest.mark.unit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conformance.json"


def in_schema_2(data: dict[str, Any]) -> dict[str, Any]:
    """The file as schema 2 had it."""
    table = data.pop("objects")
    rows = [{**row, "applied": [table[key] for key in row["applied"]]} for row in data["cases"]]
    return {**data, "schema": SCHEMA_2, "cases": rows}


def test_an_object_is_in_the_file_once(path: Path) -> None:
    cases = tuple(a_case(id=f"X-{number}", applied=(JWT, REQUIRE)) for number in range(50))
    conformance.save(replace(sample_report(), cases=cases, not_run=(), recorded={}), path)
    assert path.read_text().count("name: require-jwt") == 1
    assert [case.applied for case in conformance.load(path).cases] == [(JWT, REQUIRE)] * 50


def test_the_file_has_a_case_a_line_and_is_what_is_told_of_it(path: Path) -> None:
    report = sample_report()
    conformance.save(report, path)
    lines = path.read_text().splitlines()
    assert sum(line.startswith('{"control":') for line in lines) == len(report.cases)
    assert json.loads(path.read_text()) == conformance.to_json(report)


def test_objects_that_differ_in_anything_stay_apart(path: Path) -> None:
    other = replace(JWT, yaml=JWT.yaml.replace("rs-1", "rs-2"))
    cases = (a_case(id="a", applied=(JWT,)), a_case(id="b", applied=(other,)))
    conformance.save(replace(sample_report(), cases=cases, not_run=(), recorded={}), path)
    assert conformance.load(path).cases[1].applied == (other,)


def test_schema_2_is_read(path: Path) -> None:
    path.write_text(json.dumps(in_schema_2(conformance.to_json(sample_report()))))
    assert conformance.load(path) == sample_report()


def test_a_history_finds_kinds_in_both(path: Path) -> None:
    data = conformance.to_json(sample_report())
    kinds = []
    for form in (data, in_schema_2(dict(data))):
        path.write_text(json.dumps(form))
        kinds.append({row.case: row.kinds for row in record.parse(path, *record.content(path)).rows})
    assert kinds[0] == kinds[1]
    assert kinds[0]["LAB-AUTHZ-02"] == ("AuthorizationPolicy", "RequestAuthentication")


def test_an_object_that_is_missing_is_named(path: Path) -> None:
    data = conformance.to_json(sample_report())
    key = next(key for row in data["cases"] for key in row["applied"])
    del data["objects"][key]
    path.write_text(json.dumps(data))
    with pytest.raises(
        ReportError, match=rf"cases\[\d+\]\.applied names the object '{key}', which is not among the ob"
    ):
        conformance.load(path)


def test_a_journal_has_an_object_once_per_writer(tmp_path: Path) -> None:
    file = tmp_path / "journal.ndjson"
    for begin in (0, 10):
        writer = Journal(file)
        for number in range(begin, begin + 10):
            writer.case(a_case(id=str(number), applied=(JWT, REQUIRE)))
    assert file.read_text().count("name: require-jwt") == 2
    contents = journal.read(file)
    assert [case.applied for _, case in contents.cases] == [(JWT, REQUIRE)] * 20
    assert contents.damaged == 0


def test_a_journal_of_schema_2_is_read(tmp_path: Path) -> None:
    case = a_case(applied=(JWT,))
    line = {"type": "case", "recorded": "2026-11-22T16:13:05Z", "data": EVIDENCE.dump_python(case, mode="json")}
    (tmp_path / "journal.ndjson").write_text(json.dumps(line) + "\n")
    assert [one for _, one in journal.read(tmp_path / "journal.ndjson").cases] == [case]


def test_a_case_without_its_objects_is_damage(tmp_path: Path) -> None:
    """Where their line is torn, the case would claim that nothing was applied."""
    file = tmp_path / "journal.ndjson"
    Journal(file).case(a_case(applied=(JWT,)))
    file.write_text(
        "".join(f"{line[:30]}\n" if '"object"' in line else f"{line}\n" for line in file.read_text().split("\n")[:2])
    )
    contents = journal.read(file)
    assert (contents.cases, contents.damaged) == ((), 2)
