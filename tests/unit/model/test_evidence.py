from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from clients.model.evidence import Applied, Attempt, Evidence, Phase, Sample, TwinProof, Verdict

pytestmark = pytest.mark.unit

BARE = Evidence(
    control="LAB-MTLS-03",
    id="LAB-MTLS-03",
    title="A plaintext call is refused",
    polarity="deny",
    verdict=Verdict.PASS,
    reason="",
    expected="000 reset (56)",
    observed="000 reset (56)",
)
FULL = replace(
    BARE,
    id="LAB-MTLS-03[x]",
    verdict=Verdict.INCONCLUSIVE,
    reason="exec lost",
    attempts=(
        Attempt(-0.5, Phase.BASELINE, True, "200", "mp-1"),
        Attempt(0.2, Phase.CONVERGE, False, "200", "mp-2", "expected 000 reset (56), saw 200"),
        Attempt(0.3, Phase.CONFIRM, True, "000 reset (56)", "mp-3"),
        Attempt(0.4, Phase.TWIN, True, "200", "mp-4"),
    ),
    samples=(Sample(0.2, "200", "mp-2", "10.0.0.1:8000", 0.01, {"vary": ["A", "B"]}, "body é", "why"),),
    flaps=2,
    time_to_first_s=0.3,
    twin=TwinProof("LAB-MTLS-02", Verdict.PASS, "200", "200", "mp-4", "GET http://h/ from a/b"),
    proof={"backend_log": "request id absent in 2 replicas"},
    applied=(Applied("lab/strict.yaml", "PeerAuthentication", "istio-system", "mesh-wide-mtls", "spec: {}\n"),),
    slow=True,
)


@pytest.mark.parametrize("evidence", [BARE, FULL])
@pytest.mark.parametrize("verdict", list(Verdict))
def test_it_survives_json(evidence: Evidence, verdict: Verdict) -> None:
    evidence = replace(evidence, verdict=verdict)
    assert Evidence.from_json(json.loads(json.dumps(evidence.to_json()))) == evidence


def test_json_holds_plain_values_only() -> None:
    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return all(type(key) is str and plain(item) for key, item in value.items())
        if isinstance(value, list):
            return all(map(plain, value))
        return value is None or type(value) in (str, int, float, bool)

    data = FULL.to_json()
    assert plain(data)
    assert set(data) == {field.name for field in fields(Evidence)}
    assert data["attempts"][0]["phase"] == "baseline"
    assert data["verdict"] == "inconclusive"


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "maybe"},
        {"unknown": 1},
        {"attempts": [{"at_s": 1}]},
        {"attempts": [{**FULL.to_json()["attempts"][0], "phase": "later"}]},
        {"twin": {"control": "X"}},
        {"samples": [{"colour": "red"}]},
    ],
)
def test_what_is_no_evidence_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError, KeyError)):
        Evidence.from_json({**FULL.to_json(), **change})


@pytest.mark.parametrize("name", ["control", "verdict", "expected"])
def test_a_missing_field_is_refused(name: str) -> None:
    data = BARE.to_json()
    del data[name]
    with pytest.raises((TypeError, KeyError)):
        Evidence.from_json(data)
