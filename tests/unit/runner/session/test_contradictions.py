"""Fields of a suite that contradict each other, or of which one would do nothing."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from clients.model.case import Case
from clients.model.decision import Decision, Mechanism, Proxy
from clients.model.expect import (
    Expectation,
    body_contains,
    body_lacks,
    closed,
    echoes_header,
    grpc,
    has_header,
    lacks_header,
    no_reply,
    rbac_denied,
    received,
    reset,
    status,
)
from clients.model.log_expectations import AccessLogExpectation, ServerLogExpectation
from clients.model.outcome import OutcomeKind
from clients.model.probe import Dial, Probe, Workload
from clients.model.refused import RefusedManifest
from clients.model.stage import Scale, Settle, Stage, Step
from clients.model.token import Token
from clients.probe.outside import through
from clients.proof.table import Table
from runner.session.planning import contradictions, impossible, unproven, unsent
from runner.session.planning.types import wrong_type

pytestmark = pytest.mark.unit

CLIENT = Workload("mtls-client", "sleep", "sleep")
OUTSIDE = through(Workload("ingress", "gateway", "istio-proxy"))
URL = "http://httpbin.mtls-service:8000/ip"
GET = CLIENT.get(URL)
OTHER = CLIENT.get("http://httpbin.mtls-service:8000/headers")
TCP, UDP = CLIENT.tcp("ledger.mtls-service:9000", "hello\r\n"), CLIENT.udp("example.com:443")
CALL = Probe(OUTSIDE, "grpc://cart.example.com/a.B/C", method="POST")


@pytest.mark.parametrize(
    ("probe", "problem"),
    [
        (replace(TCP, token="valid"), "token of a request to tcp://ledger.mtls-service:9000 would not be sent"),
        (replace(TCP, headers=(("a", "b"),), http2=True), "headers, http2 of a request"),
        (replace(TCP, method="POST"), "method of a request"),
        (replace(TCP, body="hello"), "do not end with CRLF"),
        (replace(UDP, body="hello"), "body of a request"),
        (replace(CALL, body="x"), "body of a request"),
        (replace(CALL, method="PUT"), "method of a request"),
        (Probe(OUTSIDE, "ws://echo.example.com/", method="POST"), "method of a request"),
        (Probe(OUTSIDE, URL, resolve="a:80"), "resolve of a request"),
        (Probe(OUTSIDE, URL, dial=Dial.POD), "dial of a request"),
        (replace(GET, insecure=True), "insecure of a request"),
        (replace(GET, resolve="a:80", dial=Dial.POD), "resolve and dial state two addresses"),
        (replace(GET, resolve="10.0.0.1"), "without a port"),
        (replace(GET, method="HEAD", body="x"), "a HEAD request"),
        (replace(GET, method="GET POST"), "no method 'GET POST'"),
        (replace(GET, method=""), "no method ''"),
        (replace(GET, headers=(("a:", "b"),)), "no header ('a:', 'b')"),
        (replace(GET, headers=(("", "b"),)), "no header"),
        (replace(GET, headers=(("a", "b\r\nc: d"),)), "no header"),
        (replace(GET, timeout_s=-1.0), "timeout_s is -1.0"),
        (replace(GET, timeout_s=float("nan")), "timeout_s is nan"),
        (replace(GET, url="http://a:80000/"), "is no URL: Port out of range"),
        (replace(GET, url="http:///ip"), "is no URL that can be sent"),
        (replace(GET, url="http://a/b c"), "is no URL that can be sent"),
        (replace(GET, url="http://a/b#c"), "the fragment of 'http://a/b#c' would not be sent"),
        (replace(GET, url="http://user:word@a/"), "has a user name"),
        (replace(GET, tokens=(Token("people", place="x-token"),)), "no place of a token 'x-token'"),
        (replace(GET, tokens=(Token("people", place="x-token:{}"),)), "no place of a token"),
        (replace(GET, tokens=(Token("people", place="?token"),)), "no place of a token"),
        (replace(GET, tokens=(Token("people", place="x-token: {} {}"),)), "no place of a token"),
        (replace(GET, tokens=(Token("people", place="x-token: {name}"),)), "no place of a token"),
        (replace(GET, token="valid", token_as="Authorization: Bearer"), "no place of a token"),
        (replace(GET, tokens=(Token(claims={"sub": "a"}),)), "claims ['sub'] of a token without an issuer"),
        (replace(GET, tokens=(Token("front", {"sub": "a"}),)), "is one of the run's own issuers"),
        (replace(GET, tokens=(Token("people", text="garbage"),)), "is sent as it is, without issuer, claims and kind"),
        (replace(GET, tokens=(Token(kind="expired", text="garbage"),)), "is sent as it is"),
    ],
)
def test_what_would_not_be_sent_is_refused(probe: Probe, problem: str) -> None:
    [(found, hint)] = unsent.of_probe(probe)
    assert problem in found
    assert "\n" not in found + hint


@pytest.mark.parametrize(
    "probe",
    [
        GET,
        TCP,
        UDP,
        CALL,
        replace(UDP, resolve="open.example.com:443", timeout_s=0.5),
        replace(GET, resolve="<gateway>:443"),
        replace(GET, dial=Dial.POD_WITH_HOST, method="x-own", headers=(("@claims", ""), ("Host", "a"), ("Host", "b"))),
        replace(GET, url="https://[fd00::1]:8443/a?b=%20", insecure=True, tls_max="1.2"),
        replace(
            GET, tokens=(Token("people", {"sub": None}, place="?token={}"), Token(text="garbage", place="x-a: {}"))
        ),
        replace(GET, tokens=(Token("people", kind="expired", place="Cookie: a=b; token={}; c=d"),)),
    ],
)
def test_what_is_sent_as_stated_is_not(probe: Probe) -> None:
    assert list(unsent.of_probe(probe)) == []


@pytest.mark.parametrize(
    ("probe", "expect", "problem"),
    [
        (TCP, status(200), "raw bytes have no status"),
        (GET, received(), "that is an outcome of raw bytes"),
        (GET, closed(), "that is an outcome of raw bytes"),
        (GET, grpc(7), "that is an outcome of a gRPC call"),
        (GET, status(4003), "4003 is no status of HTTP"),
        (GET, Expectation(reset().kinds, checks=(body_contains("x"),)), "without an answer there is nothing to check"),
        (replace(GET, method="HEAD"), rbac_denied(), "an answer to HEAD has no body"),
        (replace(GET, method="HEAD"), status(200, echoes_header("a", "b")), "an answer to HEAD has no body"),
        (GET, status(200, body_contains("")), "each body contains an empty text"),
        (GET, status(200, body_lacks("")), "each body contains an empty text"),
        (GET, status(200, has_header("a", "b(")), "'b(' is no regular expression"),
    ],
)
def test_an_outcome_that_no_answer_can_have_is_refused(probe: Probe, expect: Expectation, problem: str) -> None:
    assert [problem in found for found, _ in impossible.of_expectation(probe, expect)] == [True]


@pytest.mark.parametrize(
    ("probe", "expect"),
    [
        (GET, status(200, body_contains("x"), has_header("a", ""))),
        (replace(GET, method="HEAD"), status(403, lacks_header("a"))),
        (GET, no_reply(OutcomeKind.RESET, OutcomeKind.DNS)),
        (TCP, received(body_contains("x"))),
        (TCP, no_reply(OutcomeKind.CLOSED, OutcomeKind.RESET)),
        (UDP, no_reply(OutcomeKind.ANSWER_TIMEOUT)),
        (CALL, grpc(7, has_header("grpc-message", r"RBAC:\ access"))),
        (CALL, status(503)),
    ],
)
def test_an_outcome_that_an_answer_can_have_is_not(probe: Probe, expect: Expectation) -> None:
    assert list(impossible.of_expectation(probe, expect)) == []


NOTHING = Decision(Mechanism.AUTHORIZATION)
DENIED = Case("LAB-AUTHZ-02", GET, rbac_denied(), twin=OTHER)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"twin": None, "twin_expect": status(200)}, "it has twin_expect and no twin"),
        ({"twin": GET}, "its twin is the request itself"),
        ({"twin_expect": rbac_denied()}, "its twin may be refused as well"),
        ({"twin_expect": status(403)}, "its twin may be refused as well"),
        ({"twin_expect": reset()}, "its twin may be refused as well"),
        ({"expect": reset(), "twin_expect": rbac_denied()}, "its twin may be refused as well"),
        ({"expect": status(200), "decided": NOTHING}, "decided says how a request is refused"),
        ({"variant": "any [path]"}, "no variant 'any [path]'"),
        ({"variant": "any*"}, "no variant 'any*'"),
        ({"variant": "a\nb"}, "no variant"),
        ({"variant": " a"}, "no variant ' a'"),
        ({"repeat": -1}, "repeat is -1"),
        ({"holds_s": float("inf")}, "holds_s is inf"),
        ({"arrival": ServerLogExpectation(CLIENT, sni="example.com")}, "arrival has sni or client_cert without tls"),
        ({"expect_of": (("1.37", status(200)),)}, "expect_of names version '1.37' of Envoy"),
        ({"logged": (AccessLogExpectation(Proxy.SERVER, status=403, absent=True),)}, "logged has absent, and status"),
        ({"logged": (AccessLogExpectation(Proxy.SERVER, cluster="a("),)}, "cluster of logged: 'a(' is no regular"),
    ],
)
def test_a_case_that_contradicts_itself_is_refused(changes: dict[str, Any], problem: str) -> None:
    assert [problem in found for found, _ in contradictions.of_case(replace(DENIED, **changes))] == [True]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"decided": NOTHING, "repeat": 5, "holds_s": 30.0},
        {"twin_expect": status(418, body_contains("teapot"))},
        {"expect": closed(), "twin_expect": received()},
        {"logged": (AccessLogExpectation(Proxy.SERVER, details="a(", cluster=r"outbound\|80\|\|a"),)},
        {"logged": (AccessLogExpectation(Proxy.GATEWAY, tcp=True, absent=True),)},
        {"arrival": ServerLogExpectation(CLIENT, tls=True, sni="example.com")},
    ],
)
def test_a_case_that_does_not_is_not(changes: dict[str, Any]) -> None:
    assert list(contradictions.of_case(replace(DENIED, **changes))) == []


ONE = ("lab/environment", "lab/jwt/one.yaml")


@pytest.mark.parametrize(
    ("stage", "problem"),
    [
        (Stage("a", settle=(Settle(GET, status(200), needs=frozenset({"jtw"})),)), "unknown capability 'jtw'"),
        (Stage("a", steps=(Step("b", settle=(Settle(GET, status(200), needs=frozenset({"x"})),)),)), "capability 'x'"),
        (Stage("../a"), "no name of a stage: '../a'"),
        (Stage("two words"), "no name of a stage"),
        (Stage(""), "no name of a stage"),
        (Stage("a", apply=ONE[1:], removed=ONE[:1]), "lab/environment of removed is not in apply"),
        (Stage("a", apply=ONE[1:], without=ONE[1:]), "lab/jwt/one.yaml of without is not in environment"),
        (Stage("a", steps=(Step("b"), Step("b"))), "2 steps are called 'b'"),
        (Stage("a", steps=(Step(""),)), "1 steps are called ''"),
        (Stage("a", scaled=(Scale("a", "b", -1),)), "-1 replicas of b"),
    ],
)
def test_a_stage_that_contradicts_itself_is_refused(stage: Stage, problem: str) -> None:
    assert [problem in found for found, _ in contradictions.of_stage(stage)] == [True]


def test_a_manifest_in_a_folder_of_the_environment_may_be_deleted() -> None:
    stage = Stage("a", environment=ONE[:1], without=("lab/environment/a.yaml",), apply=ONE[1:], removed=ONE[1:])
    assert list(contradictions.of_stage(stage)) == []


@pytest.mark.parametrize(
    ("pair", "in_table", "problem"),
    [
        (("jtw", "istio-cni"), False, "unknown capability 'jtw' in substitutes"),
        (("mesh-wide", "cni"), False, "unknown capability 'cni' in substitutes"),
        (("jwt", "istio-cni"), False, "substitutes jwt, which nothing needs here"),
        (("mesh-wide", "istio-cni"), True, "substitutes of a cell of a table have no effect"),
        (("mesh-wide", "istio-cni"), False, ""),
    ],
)
def test_a_substitute_takes_the_place_of_something(pair: tuple[str, str], in_table: bool, problem: str) -> None:
    case = replace(DENIED, substitutes=(pair,))
    found = contradictions.of_substitutes(case, frozenset({"mesh-wide"}), in_table=in_table)
    assert [problem in text for text, _ in found] == ([True] if problem else [])


def test_cells_of_a_table_belong_together() -> None:
    other = replace(DENIED, control="LAB-AUTHZ-03")
    stepped = replace(DENIED, step="b", variant="c")
    assert "is of LAB-AUTHZ-03" in next(contradictions.of_table(Table("LAB-AUTHZ-02", (DENIED, other))))[0]
    assert "has cells of steps" in next(contradictions.of_table(Table("LAB-AUTHZ-02", (DENIED, stepped))))[0]
    assert list(contradictions.of_table(Table("LAB-AUTHZ-02", (DENIED, replace(DENIED, variant="c"))))) == []


def odd(stated: Any, **changes: Any) -> Any:
    """It with values that no type checker would let through."""
    return replace(stated, **changes)


def made(kind: Any, *values: Any, **more: Any) -> Any:
    """One of a kind of such values."""
    return kind(*values, **more)


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        (odd(DENIED, before=200), "before of Case is 200, and must be Expectation or None"),
        (odd(DENIED, twin="x"), "twin of Case is 'x', and must be Probe or None"),
        (odd(DENIED, needs="jwt"), "needs of Case is 'jwt', and must be a frozenset of text"),
        (odd(DENIED, probe=odd(GET, token=Token("people"))), "token of Probe is Token("),
        (
            odd(DENIED, probe=odd(GET, headers=("a", "b"))),
            "headers of Probe is ('a', 'b'), and must be a tuple of",
        ),
        (
            odd(DENIED, probe=odd(GET, tokens=(made(Token, claims=["a"]),))),
            "claims of Token is ['a'], and must be a dict",
        ),
        (odd(DENIED, probe=odd(GET, http2=1)), "http2 of Probe is 1, and must be True or False"),
        (odd(DENIED, repeat=2.5), "repeat of Case is 2.5, and must be a whole number"),
        (odd(DENIED, expect=made(status, "200")), "status of Expectation is '200'"),
        (odd(DENIED, expect_of=(("1.37.0", 200),)), "expect_of of Case is"),
        (made(Stage, "a", apply=["b"]), "apply of Stage is ['b'], and must be a tuple of text"),
        (made(Stage, "a", settle=Settle(GET, status(200))), "settle of Stage is Settle("),
        (made(Stage, "a", steps=(made(Step, "b", apply="c"),)), "apply of Step is 'c', and must be a tuple of text"),
    ],
)
def test_a_value_of_another_type_is_named(stated: Any, problem: str) -> None:
    assert problem in wrong_type(stated)


def test_whole_numbers_are_numbers() -> None:
    assert wrong_type(replace(DENIED, holds_s=30, probe=Probe(OUTSIDE, URL, timeout_s=2))) == ""


@pytest.mark.parametrize(
    ("given", "proves", "problem"),
    [
        ({"case": RefusedManifest("LAB-AUTHZ-02", "a", "b", "c")}, False, "CASES has RefusedManifest("),
        ({}, False, "it proves nothing: its module states no CASES"),
        ({"case": DENIED}, True, "its module states no STAGE"),
    ],
)
def test_a_test_proves_what_its_list_has(given: dict[str, Any], proves: bool, problem: str) -> None:
    item: Any = SimpleNamespace(fixturenames=["case", "prove"], module=None, callspec=SimpleNamespace(params=given))
    found = unproven.problem_of(item, proves=proves)
    assert found is not None
    assert problem in found[0]
