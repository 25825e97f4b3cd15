from __future__ import annotations

import json

import pytest

from clients.mesh.access_logs.accesslog import belongs, canonical, forwarded, mentions, parse, torn

pytestmark = pytest.mark.unit

ALLOWED = (
    '[2026-11-22T16:16:30.123Z] "GET /ip?a=b HTTP/1.1" 200 - via_upstream - "-" 0 29 3 2 "-" '
    '"meshproof/LAB-MTLS-01 mp-r1-0a" "mp-r1-0a" "httpbin.mtls-service:8000" "10.244.0.9:8080" '
    "inbound|8080|| 127.0.0.6:40001 10.244.0.9:8080 10.244.0.7:51200 "
    "outbound_.8000_._.httpbin.mtls-service.svc.cluster.local default"
)
DENIED = (
    '[2026-11-22T16:16:31.000Z] "GET /headers HTTP/1.1" 403 - '
    'rbac_access_denied_matched_policy[ns[mtls-service]-policy[require-jwt]-rule[0]] - "-" 0 19 0 - "-" '
    '"meshproof/LAB-AUTHZ-02 mp-r1-0b" "mp-r1-0b" "httpbin.mtls-service:8000" "-" inbound|8080|| - '
    "10.244.0.9:8080 10.244.0.7:51201 outbound_.8000_._.httpbin.mtls-service.svc.cluster.local default"
)
BLOCKED = (
    '[2026-11-22T16:16:31.000Z] "GET / HTTP/1.1" 502 - direct_response - "-" 0 0 0 - "-" "curl/7.88.1" "mp-r1-0c" '
    '"example.com" "-" - - 198.18.0.10:80 10.244.0.7:51201 - block_all'
)
FAILED = (
    '[2026-11-22T16:16:31.000Z] "GET / HTTP/1.1" 503 UF,URX upstream_reset_before_response_started{remote_reset} - '
    '"delayed connect error: 111" 0 91 7 - "-" "curl/7.88.1" "mp-r1-0d" "x" "10.0.0.1:80" outbound|80||x; - - - - -'
)
TCP = (
    '[2026-11-22T16:04:38.608Z] "- - -" 0 - - - "-" 1363 5539 10 - "-" "-" "-" "-" "198.18.0.10:443" '
    "outbound|443||example.com 10.1.4.31:51098 10.1.4.31:8443 10.1.1.15:57030 example.com -"
)
BEFORE_1_8 = (
    '     [2020-09-14T17:37:08.045Z] "HEAD / HTTP/1.1" 200 - "-" "-" 0 0 5 4 "-" "curl/7.67.0" "d57ea5ad" '
    '"example.com" "10.1.4.12:8080" outbound|80||gw.istio-egress.svc.cluster.local 10.1.0.17:42140 '
    "198.18.0.10:80 10.1.0.17:60326 - - "
)


def test_the_text_format() -> None:
    (entry,) = parse([ALLOWED])
    assert (entry.method, entry.path, entry.status, entry.flags) == ("GET", "/ip?a=b", 200, "")
    assert (entry.details, entry.request_id) == ("via_upstream", "mp-r1-0a")
    assert entry.user_agent == "meshproof/LAB-MTLS-01 mp-r1-0a"
    assert entry.authority == "httpbin.mtls-service:8000"
    assert (entry.upstream_host, entry.upstream_cluster) == ("10.244.0.9:8080", "inbound|8080||")
    assert (entry.sni, entry.route) == ("outbound_.8000_._.httpbin.mtls-service.svc.cluster.local", "default")
    assert entry.raw == ALLOWED
    assert forwarded(entry)


def test_a_denial_went_nowhere() -> None:
    (entry,) = parse([DENIED])
    assert entry.status == 403
    assert entry.details == "rbac_access_denied_matched_policy[ns[mtls-service]-policy[require-jwt]-rule[0]]"
    assert entry.upstream_cluster == "inbound|8080||"
    assert not forwarded(entry)


def test_the_allow_list_of_the_sidecar() -> None:
    (entry,) = parse([BLOCKED])
    assert (entry.status, entry.details, entry.route, entry.upstream_cluster) == (
        502,
        "direct_response",
        "block_all",
        "",
    )
    assert not forwarded(entry)


def test_flags_failure_reason_and_a_trailing_semicolon() -> None:
    (entry,) = parse([FAILED])
    assert (entry.flags, entry.details) == ("UF,URX", "upstream_reset_before_response_started{remote_reset}")
    assert (entry.upstream_cluster, entry.request_id) == ("outbound|80||x", "mp-r1-0d")


def test_a_tcp_connection() -> None:
    (entry,) = parse([TCP])
    assert (entry.status, entry.method, entry.path, entry.request_id) == (0, "", "", "")
    assert (entry.upstream_cluster, entry.sni) == ("outbound|443||example.com", "example.com")
    assert forwarded(entry)


def test_the_format_of_old_releases() -> None:
    (entry,) = parse([BEFORE_1_8])
    assert (entry.method, entry.status, entry.details, entry.request_id) == ("HEAD", 200, "", "d57ea5ad")
    assert entry.upstream_cluster == "outbound|80||gw.istio-egress.svc.cluster.local"


def test_a_user_agent_with_quotes_does_not_shift_the_fields() -> None:
    (entry,) = parse([ALLOWED.replace("meshproof/LAB-MTLS-01 mp-r1-0a", 'x" "y')])
    assert (entry.user_agent, entry.request_id) == ('x" "y', "mp-r1-0a")
    assert entry.upstream_host == "10.244.0.9:8080"


def json_line(**changes: object) -> str:
    fields: dict[str, object] = {
        "start_time": "2026-11-22T16:16:30.123Z",
        "method": "GET",
        "path": "/ip",
        "response_code": 200,
        "response_flags": "-",
        "response_code_details": "via_upstream",
        "request_id": "mp-r1-0e",
        "authority": "httpbin",
        "user_agent": "curl",
        "upstream_host": "10.0.0.1:80",
        "upstream_cluster": "outbound|80||httpbin;",
        "route_name": "default",
        "requested_server_name": None,
    }
    return json.dumps({**fields, **changes})


def test_the_json_format() -> None:
    (entry,) = parse([json_line()])
    assert (entry.status, entry.flags, entry.request_id, entry.sni) == (200, "", "mp-r1-0e", "")
    assert entry.upstream_cluster == "outbound|80||httpbin"
    assert forwarded(entry)
    (denied,) = parse([json_line(upstream_host=None, response_code=403)])
    assert denied.status == 403
    assert not forwarded(denied)
    (dash,) = parse([json_line(upstream_host="-")])
    assert not forwarded(dash)


def test_a_time_stamp_before_the_line_is_no_obstacle() -> None:
    assert len(parse([f"2026-11-22T16:16:30Z {ALLOWED}", f"2026-11-22T16:16:30Z {json_line()}"])) == 2


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2026-11-22T16:16:30Z\tinfo\txdsproxy\tconnected",
        '{"level":"info","msg":"response_code"}',
        '{"response_code": 200',
        '["response_code"]',
        "[2026] broken",
        ALLOWED[:150],
    ],
)
def test_other_lines_are_left_out(line: str) -> None:
    assert parse([line]) == []


def test_ids_are_found_whole_in_any_log() -> None:
    lines = [
        'time=2026-11-22T16:16:30Z level=INFO msg="200 GET /ip" user_agent="meshproof/LAB-MTLS-01 mp-r1-0a"',
        "user_agent=meshproof/X mp-r1-0ab",
        "mp-r1-0a-2",
        ALLOWED,
    ]
    assert mentions(lines, "mp-r1-0a") == [lines[0], lines[3]]
    assert mentions(lines, "mp-r1-ff") == []
    with pytest.raises(ValueError, match="no request id"):
        mentions(lines, "")


SENT = "0f3a5c1e-7b2d-4e6f-9a01-23456789abcd"
REWRITTEN = "0f3a5c1e-7b2d-ae6f-9a01-23456789abcd"
"""As Envoy passes it on: the digit of the version says whether the request is sampled."""


@pytest.mark.parametrize("logged", [SENT, REWRITTEN])
def test_a_uuid_is_found_whatever_a_proxy_makes_of_its_version(logged: str) -> None:
    line = ALLOWED.replace("mp-r1-0a", logged)
    [entry] = parse([line])
    assert entry.request_id == SENT
    assert mentions([line, ALLOWED], SENT) == [line]
    assert belongs(logged, "curl/7.88.1", {SENT}) == SENT


def test_another_uuid_is_another_request() -> None:
    other = "0f3a5c1e-7b2d-4e6f-9a01-23456789abce"
    line = ALLOWED.replace("mp-r1-0a", other)
    assert mentions([line], SENT) == []
    assert belongs(other, "", {SENT}) == ""
    assert canonical("mp-r1-0a") == "mp-r1-0a"


def test_a_line_is_torn_that_begins_as_an_entry_and_is_none() -> None:
    whole = json.dumps({"start_time": "2026-11-22T16:16:30.123Z", "response_code": 200, "request_id": "x"})
    assert [torn(line) for line in (ALLOWED, DENIED, TCP, whole)] == [False] * 4
    assert [torn(line[:70]) for line in (ALLOWED, DENIED, TCP)] == [True] * 3
    assert [torn(line[70:]) for line in (ALLOWED, DENIED, TCP)] == [False] * 3
    assert torn(whole[:-9])
    assert not torn("[2026-11-22 16:16:30.123][1][info] the proxy's own log")
    assert not torn('{"level":"info","time":"2026-11-22T16:16:30.123Z","msg":"of the agent"}')
