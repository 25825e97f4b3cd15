from __future__ import annotations

import pytest

from clients.model.outcome import KIND_OF_EXIT_CODE, Outcome, OutcomeKind, infrastructure

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, "not_http"),
        (6, "dns"),
        (7, "refused"),
        (16, "http2_error"),
        (18, "partial"),
        (35, "tls_error"),
        (52, "empty_reply"),
        (56, "reset"),
        (60, "certificate"),
        (92, "http2_error"),
    ],
)
def test_exit_codes_have_the_kinds_of_curls_manual(code: int, kind: str) -> None:
    assert KIND_OF_EXIT_CODE[code] == kind


def test_no_exit_code_means_status_or_infrastructure() -> None:
    assert not {OutcomeKind.STATUS, OutcomeKind.INFRASTRUCTURE, OutcomeKind.OTHER} & set(KIND_OF_EXIT_CODE.values())


@pytest.mark.parametrize(
    ("outcome", "summary"),
    [
        (Outcome(OutcomeKind.STATUS, "a", status=403, exit_code=0), "403"),
        (Outcome(OutcomeKind.RESET, "a", exit_code=56), "000 reset (56)"),
        (Outcome(OutcomeKind.RESET, "a", status=200, exit_code=56), "200 reset (56)"),
        (Outcome(OutcomeKind.TLS_ERROR, "a", exit_code=35), "000 tls_error (35)"),
        (Outcome(OutcomeKind.OTHER, "a", exit_code=8), "000 other (8)"),
        (infrastructure("a", "pod gone"), "infrastructure: pod gone"),
    ],
)
def test_summary(outcome: Outcome, summary: str) -> None:
    assert outcome.summary == summary


def test_infrastructure_never_ran() -> None:
    outcome = infrastructure("id", "exec lost")
    assert (outcome.kind, outcome.exit_code, outcome.status) == (OutcomeKind.INFRASTRUCTURE, None, None)
