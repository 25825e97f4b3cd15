from __future__ import annotations

import pytest

from clients.model import expect
from clients.model.outcome import KIND_OF_EXIT_CODE, TIMEOUTS, Outcome, OutcomeKind, infrastructure

pytestmark = pytest.mark.unit


def ok(body: str = "", status: int = 200) -> Outcome:
    return Outcome(OutcomeKind.STATUS, "id", status=status, exit_code=0, body=body)


def failed(exit_code: int, status: int | None = None) -> Outcome:
    kind = KIND_OF_EXIT_CODE.get(exit_code, OutcomeKind.OTHER)
    return Outcome(kind, "id", status=status, exit_code=exit_code)


TIMED_OUT = [Outcome(kind, "id", exit_code=28) for kind in (OutcomeKind.DNS, *sorted(TIMEOUTS))]
RAW = [Outcome(OutcomeKind.CLOSED, "id", exit_code=0), Outcome(OutcomeKind.RECEIVED, "id", exit_code=0, body="PONG")]
EVERY_KIND = [
    *(ok(), ok(status=403), infrastructure("id", "exec lost")),
    *(*map(failed, (*KIND_OF_EXIT_CODE, 1, 18)), *TIMED_OUT, *RAW),
]


def matching(expectation: expect.Expectation) -> list[str]:
    return [outcome.summary for outcome in EVERY_KIND if expectation.problem(outcome) is None]


def test_each_expectation_matches_its_own_outcome_alone() -> None:
    assert matching(expect.status(200)) == ["200"]
    assert matching(expect.status(403)) == ["403"]
    assert matching(expect.reset()) == ["000 reset (56)"]
    assert matching(expect.no_reply(OutcomeKind.CONNECT_TIMEOUT)) == ["000 connect_timeout (28)"]
    assert matching(expect.no_reply(OutcomeKind.TLS_TIMEOUT)) == ["000 tls_timeout (28)"]
    assert matching(expect.no_reply(OutcomeKind.ANSWER_TIMEOUT)) == ["000 answer_timeout (28)"]
    assert matching(expect.no_reply(OutcomeKind.DNS)) == ["000 dns (6)", "000 dns (28)"]
    assert matching(expect.no_reply(OutcomeKind.REFUSED)) == ["000 refused (7)"]
    assert matching(expect.no_reply(OutcomeKind.EMPTY_REPLY)) == ["000 empty_reply (52)"]
    assert matching(expect.no_reply(OutcomeKind.TLS_ERROR)) == ["000 tls_error (35)"]
    assert matching(expect.no_reply(OutcomeKind.CERTIFICATE)) == ["000 certificate (60)"]
    assert matching(expect.closed()) == ["000 closed (0)"]
    assert matching(expect.received()) == matching(expect.received(expect.body_contains("ON"))) == ["received 4 bytes"]
    assert matching(expect.received(expect.body_contains("PING"))) == []
    assert matching(expect.no_reply(OutcomeKind.RESET, OutcomeKind.EMPTY_REPLY)) == [
        "000 empty_reply (52)",
        "000 reset (56)",
    ]


def test_infrastructure_matches_nothing() -> None:
    lost = infrastructure("id", "exec lost")
    for expectation in (expect.status(200), expect.reset(), expect.rbac_denied()):
        assert "exec lost" in (expectation.problem(lost) or "")


def test_a_reset_after_a_status_line_is_neither_reset_nor_success() -> None:
    broken = failed(56, status=200)
    assert expect.reset().problem(broken) == "expected 000 reset (56), saw 200 reset (56)"
    assert expect.status(200).problem(broken) == "expected 200, saw 200 reset (56)"


def test_rbac_denial_is_distinguished_from_an_applications_own_403() -> None:
    assert expect.rbac_denied().problem(ok("RBAC: access denied", 403)) is None
    assert "body lacks" in (expect.rbac_denied().problem(ok("forbidden by the shop", 403)) or "")
    assert expect.rbac_denied().problem(ok("RBAC: access denied", 200)) == (
        "expected 403, body contains 'RBAC: access denied', saw 200"
    )


@pytest.mark.parametrize("kinds", [(), (OutcomeKind.STATUS,), (OutcomeKind.INFRASTRUCTURE,), (OutcomeKind.OTHER,)])
def test_no_reply_takes_only_kinds_of_missing_reply(kinds: tuple[OutcomeKind, ...]) -> None:
    with pytest.raises(ValueError, match="not a kind of missing reply"):
        expect.no_reply(*kinds)


XFCC = '{"headers": {"X-Forwarded-Client-Cert": ["By=spiffe://a;URI=spiffe://b"], "Accept": "*/*"}}'


def test_echoed_header_in_both_httpbins() -> None:
    assert expect.echoed_header(XFCC, "x-forwarded-client-cert") == "By=spiffe://a;URI=spiffe://b"
    assert expect.echoed_header(XFCC, "ACCEPT") == "*/*"
    assert expect.echoed_header('{"headers": {"X": ["a", "b"]}}', "x") == "a,b"
    assert expect.echoed_header(XFCC, "Cookie") is None


@pytest.mark.parametrize("body", ["", "upstream connect error", "[]", "{}", '{"headers": []}', '{"headers": null}'])
def test_a_body_without_a_header_list_proves_no_absence(body: str) -> None:
    assert "not a list of request headers" in (expect.echoes_no_header("X").problem(ok(body)) or "")


def test_header_checks() -> None:
    present = expect.status(200, expect.echoes_header("X-Forwarded-Client-Cert", r"By=spiffe://.*"))
    absent = expect.status(200, expect.echoes_no_header("X-Forwarded-Client-Cert"))
    bare = ok('{"headers": {"Accept": "*/*"}}')
    assert present.problem(ok(XFCC)) is None
    assert absent.problem(bare) is None
    assert "did not receive" in (present.problem(bare) or "")
    assert "received header" in (absent.problem(ok(XFCC)) or "")
    partly = expect.echoes_header("X-Forwarded-Client-Cert", "By=spiffe://")
    assert "is 'By=spiffe://a;URI=spiffe://b'" in (partly.problem(ok(XFCC)) or "")


def test_header_check_on_a_body_that_is_no_list_is_a_mismatch() -> None:
    check = expect.echoes_header("X", ".*")
    assert check.problem(ok("upstream connect error")) is not None


@pytest.mark.parametrize(
    ("expectation", "text"),
    [
        (expect.status(200), "200"),
        (expect.reset(), "000 reset (56)"),
        (expect.rbac_denied(), "403, body contains 'RBAC: access denied'"),
        (expect.no_reply(OutcomeKind.CONNECT_TIMEOUT, OutcomeKind.RESET), "000 connect_timeout (28) or 000 reset (56)"),
    ],
)
def test_text(expectation: expect.Expectation, text: str) -> None:
    assert expectation.text == text


def test_expectations_that_differ_only_in_a_pattern_are_not_the_same():
    # Their prose was, so that one baseline served both and a changed cell counted as unchanged.
    one, other = (expect.status(200, expect.echoes_header("x-user", pattern)) for pattern in ("alice", "bob"))
    assert one != other
    assert one.text != other.text
    assert one == expect.status(200, expect.echoes_header("x-user", "alice"))
    assert hash(one) == hash(expect.status(200, expect.echoes_header("x-user", "alice")))


@pytest.mark.parametrize("kind", sorted(set(KIND_OF_EXIT_CODE.values())))
def test_every_kind_of_missing_reply_can_be_expected_by_its_exit_codes(kind: OutcomeKind):
    codes = [code for code, known in KIND_OF_EXIT_CODE.items() if known is kind]
    assert all(str(code) in expect.no_reply(kind).text for code in codes)


@pytest.mark.parametrize(("value", "matches"), [("envoy", True), ("istio-envoy", False), ("envoy-2", False)])
def test_a_header_must_match_as_a_whole(value: str, matches: bool):
    outcome = Outcome(OutcomeKind.STATUS, "id", status=200, exit_code=0, headers={"server": (value,)})
    assert (expect.status(200, expect.has_header("Server", "envoy")).problem(outcome) is None) is matches
