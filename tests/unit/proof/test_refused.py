"""A manifest that the API must refuse: with the stated reason, while its twin is accepted."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from clients.kube.api import RequestError
from clients.model.errors import AccessError, ClusterError
from clients.model.evidence import Evidence, FindingVerdict, Grade, Subject, Verdict
from clients.model.outcome import OutcomeKind
from clients.model.refused import RefusedManifest
from clients.proof import refused as refused_proof
from clients.proof.refused import prove_refused

pytestmark = pytest.mark.unit

REFUSED = RefusedManifest("X-A", "a/bad.yaml", "requires a selector", "a/good.yaml", variant="v")
BY_WEBHOOK = RequestError("apply", 400, 'admission webhook "x" denied the request: it requires a selector')
NAME = f"one that {REFUSED.reason}"
"""Of the object: it has the words of the reason, and is in the messages of other refusals."""
SUBJECT = Subject(control="X-A", id=REFUSED.id, expected=REFUSED.expected)


class DumpedCluster:
    def __init__(self, answers: dict[str, list[Exception | None]]) -> None:
        self.answers = answers

    def apply(self, body: dict[str, Any], *, manager: str, dry_run: bool) -> None:
        assert dry_run
        own = self.answers[body["path"]]
        if answer := own.pop(0) if len(own) > 1 else own[0]:
            raise answer


def prove(
    bad: list[Exception | None],
    good: list[Exception | None],
    monkeypatch: pytest.MonkeyPatch,
    budget_s: float = 0.02,
) -> Evidence:
    monkeypatch.setattr(refused_proof, "POLL_S", 0.001)
    applier = SimpleNamespace(load=lambda paths: [SimpleNamespace(body={"path": path}, name=NAME) for path in paths])
    rig = SimpleNamespace(applier=applier, cluster=DumpedCluster({"a/bad.yaml": bad, "a/good.yaml": good}))
    return prove_refused(rig, REFUSED, SUBJECT, budget_s=budget_s, worker="w0")  # type: ignore[arg-type]


def test_a_refusal_with_the_reason_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = prove([BY_WEBHOOK], [None], monkeypatch)
    assert (seen.verdict, seen.grade, len(seen.attempts)) == (Verdict.PASS, Grade.FULL, 1)
    assert [finding.name for finding in seen.findings] == ["admission", "twin"]
    assert "denied the request" in seen.observed
    assert seen.command == "kubectl apply --server-side --dry-run=server -f a/bad.yaml"
    assert (seen.id, seen.expected) == ("X-A[v]", "refused when applied: requires a selector")


def test_a_refusal_that_comes_late_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = prove([ClusterError("no route"), None, BY_WEBHOOK], [None], monkeypatch, budget_s=60.0)
    assert [attempt.matched for attempt in seen.attempts] == [False, False, True]
    assert seen.attempts[0].kind is OutcomeKind.INFRASTRUCTURE
    assert seen.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("bad", "good", "verdict", "word"),
    [
        (None, None, Verdict.FAIL, "accepted"),
        (RequestError("apply", 422, "spec.x: unknown"), None, Verdict.FAIL, "spec.x: unknown"),
        (RequestError("PATCH /requires a selector", 422, "spec.x: unknown"), None, Verdict.FAIL, "spec.x: unknown"),
        (RequestError("apply", 422, f'X "{NAME}" is invalid: spec.x'), None, Verdict.FAIL, "spec.x"),
        (AccessError("may not patch"), None, Verdict.FAIL, "may not patch"),
        (ClusterError("no route to the API"), None, Verdict.INCONCLUSIVE, "no route"),
        (RequestError("apply", 503, "starting"), None, Verdict.INCONCLUSIVE, "starting"),
        (RequestError("apply", 500, 'failed calling webhook "x": EOF'), None, Verdict.INCONCLUSIVE, "failed calling"),
        (RequestError("apply", 500, "failed to create typed patch object: .spec.x"), None, Verdict.FAIL, ".spec.x"),
        (RequestError("apply", 500, 'webhook "x" denied the request: no'), None, Verdict.FAIL, "denied the request"),
        (AccessError("may not patch"), AccessError("may not patch"), Verdict.INCONCLUSIVE, "may not patch"),
        (RequestError("apply", 422, "spec.x: no"), ClusterError("no route"), Verdict.INCONCLUSIVE, "spec.x: no"),
        (None, AccessError("may not patch"), Verdict.FAIL, "accepted"),
        (BY_WEBHOOK, BY_WEBHOOK, Verdict.INCONCLUSIVE, "a/good.yaml: refused"),
        (BY_WEBHOOK, ClusterError("no route"), Verdict.INCONCLUSIVE, "no route"),
    ],
)
def test_any_other_answer_does_not(
    bad: Exception | None, good: Exception | None, verdict: Verdict, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = prove([bad], [good], monkeypatch)
    assert (seen.verdict, seen.grade, seen.time_to_first_s) == (verdict, None, None)
    assert word in seen.reason
    assert all(finding.verdict is not FindingVerdict.NOT_CHECKED for finding in seen.findings)


def test_a_refusal_without_words_would_match_an_accepted_manifest() -> None:
    with pytest.raises(ValueError, match="needs the words of its reason"):
        replace(REFUSED, reason=" ")
