"""`junit.xml` is accepted by a schema of it, whatever the evidence holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import a_case, sample_report
from xmlschema import XMLSchema, XMLSchemaValidationError

from clients.model.evidence import Verdict
from reports.formats import junit
from reports.record.model import Report

pytestmark = pytest.mark.unit

HOSTILE = "a|b <img> &\n\x00\x1b[31m\ud83d \uffff ]]>"


@pytest.fixture(scope="module")
def schema() -> XMLSchema:
    return XMLSchema(Path(__file__).parent / "data" / "junit.xsd")


def test_the_report_of_a_run_is_accepted(schema: XMLSchema) -> None:
    text = junit.render(sample_report())
    schema.validate(text)
    assert all(f"<{name} " in text for name in ("failure", "error", "skipped", "property"))


@pytest.mark.parametrize("verdict", list(Verdict))
def test_hostile_evidence_is_accepted(schema: XMLSchema, verdict: Verdict) -> None:
    case = a_case(
        id=HOSTILE, title=HOSTILE, reason=HOSTILE, observed=HOSTILE, stage=HOSTILE, stage_title=HOSTILE, verdict=verdict
    )
    schema.validate(junit.render(replace(sample_report(), cases=(case,), not_run=(HOSTILE,))))


@pytest.mark.parametrize("cases", [(), (a_case(suite="", stage="", stage_title="", title="", reason=""),)])
def test_a_report_with_little_in_it_is_accepted(schema: XMLSchema, cases: tuple[object, ...]) -> None:
    schema.validate(junit.render(Report(sample_report().run, sample_report().target, cases)))  # type: ignore[arg-type]


@pytest.mark.parametrize("duration_s", [0.0, 1e-05, 0.1 + 0.2, 86_400.123456])
def test_times_have_no_exponent(schema: XMLSchema, duration_s: float) -> None:
    text = junit.render(replace(sample_report(), cases=(a_case(duration_s=duration_s),) * 3, not_run=()))
    schema.validate(text)
    assert f'time="{round(duration_s, 3)}"' in text


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('tests="41"', 'tests="41" skipped="3"'),
        ("<failure ", "<failed "),
        ('time="0.02"', 'time="2e-05"'),
        ("<testcase ", "<testcase result='pass' "),
        ('timestamp="2026-11-22T', 'timestamp="22.11.2026 '),
    ],
)
def test_the_schema_refuses_what_it_does_not_know(schema: XMLSchema, right: str, wrong: str) -> None:
    text = junit.render(sample_report())
    assert right in text
    changed = text.replace(right, wrong, 1).replace("</failure>", "</failed>" if "failed" in wrong else "</failure>", 1)
    with pytest.raises(XMLSchemaValidationError):
        schema.validate(changed)
