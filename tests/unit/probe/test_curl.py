"""The framing of a batch, by made-up output; `test_curl_runs.py` has the real curl."""

from __future__ import annotations

import pytest
from curl_samples import BEGIN, END, OK, S, frame, parse_one, request

from clients.model import expect
from clients.model.outcome import Outcome, OutcomeKind
from clients.probe import curl, curl_output
from clients.probe.answer import MAX_BODY_BYTES
from clients.probe.request import Request

pytestmark = pytest.mark.unit


def test_a_response_with_headers_and_body() -> None:
    outcome = parse_one(f"{BEGIN}{OK}{frame(0)}{END}")
    assert outcome == Outcome(
        OutcomeKind.STATUS, "mp-r1-0", 200, 0, "", "hello\n", {"server": ("x",)}, "10.0.0.1:80", total_s=0.01
    )


def test_output_before_the_batch_is_not_its_body() -> None:
    assert parse_one(f"left over\n{BEGIN}{OK}{frame(0)}{END}").body == "hello\n"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (6, OutcomeKind.DNS),
        (7, OutcomeKind.REFUSED),
        (35, OutcomeKind.TLS_ERROR),
        (52, OutcomeKind.EMPTY_REPLY),
        (56, OutcomeKind.RESET),
        (60, OutcomeKind.CERTIFICATE),
        (1, OutcomeKind.NOT_HTTP),
        (18, OutcomeKind.PARTIAL),
        (55, OutcomeKind.SEND_ERROR),
        (92, OutcomeKind.HTTP2_ERROR),
    ],
)
def test_failures_by_exit_code(code: int, kind: OutcomeKind) -> None:
    outcome = parse_one(BEGIN + frame(0, exitcode=code, http_code=0, errormsg="why") + END)
    assert (outcome.kind, outcome.status, outcome.exit_code, outcome.error) == (kind, None, code, "why")


@pytest.mark.parametrize("code", [2, 3, 23, 27, 43, 48])
def test_what_curl_could_not_try_is_infrastructure(code: int) -> None:
    outcome = parse_one(BEGIN + frame(0, exitcode=code, http_code=0, errormsg="bad") + END)
    assert outcome.kind is OutcomeKind.INFRASTRUCTURE
    assert f"exit code {code}" in outcome.error


def test_a_version_of_tls_that_the_client_does_not_know_is_infrastructure() -> None:
    message = "TLS connect error: error:0A0000BF:SSL routines::no protocols available"
    outcome = parse_one(BEGIN + frame(0, exitcode=35, http_code=0, errormsg=message) + END)
    assert outcome.kind is OutcomeKind.INFRASTRUCTURE
    script = curl.script([request(url="https://a.b/", tls_max="1.1")], S)
    assert 'tlsv1.0\ntls-max = 1.1\nciphers = "DEFAULT@SECLEVEL=0"\n' in script
    assert "--tlsv1.0 --tls-max 1.1" in curl.command(request(url="https://a.b/", tls_max="1.1"))


@pytest.mark.parametrize(
    "changes", [{}, {"exitcode": 56, "http_code": 0}, {"exitcode": 52, "http_code": 0}, {"exitcode": 18}]
)
def test_an_old_connection_is_infrastructure(changes: dict[str, object]) -> None:
    outcome = parse_one(f"{BEGIN}{OK}{frame(0, num_connects=0, **changes)}{END}")
    assert outcome.kind is OutcomeKind.INFRASTRUCTURE
    assert "old connection" in outcome.error


@pytest.mark.parametrize("code", [6, 7, 28])
def test_without_a_connection_there_is_no_old_one(code: int) -> None:
    outcome = parse_one(BEGIN + frame(0, num_connects=0, exitcode=code, http_code=0, remote_ip="") + END)
    assert outcome.exit_code == code
    assert outcome.remote_address == ""


def test_a_reset_after_the_status_line_keeps_both() -> None:
    outcome = parse_one(f"{BEGIN}{OK}{frame(0, exitcode=56)}{END}")
    assert (outcome.kind, outcome.status) == (OutcomeKind.RESET, 200)


def test_a_body_that_is_too_long_for_curl_still_has_its_status() -> None:
    outcome = parse_one(f"{BEGIN}HTTP/1.1 200 OK\r\n\r\n{frame(0, exitcode=63)}{END}")
    assert (outcome.kind, outcome.status) == (OutcomeKind.STATUS, 200)


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("", "lost"),
        (BEGIN, "lost"),
        (f"{BEGIN}{OK}", "lost"),
        (f"{BEGIN}{OK}{frame(0)[:-20]}", "lost"),
        (f"{BEGIN}\n{S} end 127\n", "exit code 127"),
        (f"{BEGIN}\n{S} 0 {{}}\n{END}", "unreadable"),
        (f"{BEGIN}\n{S} 0 broken\n{END}", "unreadable"),
        (f"{BEGIN}\n{S} 0 [1]\n{END}", "unreadable"),
    ],
)
def test_lost_output_is_infrastructure(output: str, why: str) -> None:
    outcome = parse_one(output)
    assert outcome.kind is OutcomeKind.INFRASTRUCTURE
    assert why in outcome.error
    assert outcome.request_id == "mp-r1-0"


def test_only_the_lost_answer_of_a_batch_is_lost() -> None:
    batch = [request(0), request(1), request(2)]
    outcomes = curl_output.parse(
        f"{BEGIN}{OK}{frame(0)}HTTP/1.1 200 OK\r\n\r\ntorn\n{S} done 137\n{OK}{frame(2)}{END}", batch, S
    )
    assert [o.summary.split(":")[0] for o in outcomes] == ["200", "infrastructure", "200"]
    assert [o.request_id for o in outcomes] == ["mp-r1-0", "mp-r1-1", "mp-r1-2"]
    assert outcomes[2].body == "hello\n"


def test_frames_that_a_server_sends_do_not_count() -> None:
    body = '\nmpother 0 {"exitcode": 0, "http_code": 500}\n'
    outcome = parse_one(f"{BEGIN}HTTP/1.1 200 OK\r\n\r\n{body}{frame(0)}{END}")
    assert (outcome.status, outcome.body) == (200, body)


def test_frames_may_come_in_any_order() -> None:
    outcomes = curl_output.parse(
        f"{BEGIN}{OK}{frame(1, http_code=500)}{OK}{frame(0)}{END}", [request(0), request(1)], S
    )
    assert [o.status for o in outcomes] == [200, 500]


def test_the_body_is_cut() -> None:
    long = parse_one(f"{BEGIN}HTTP/1.1 200 OK\r\n\r\n{'é' * 20_000}{frame(0)}{END}")
    assert len(long.body.encode()) == MAX_BODY_BYTES


def test_interim_responses_and_repeated_headers() -> None:
    head = (
        "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nVary: A\r\nX: 1\r\nvary: B\r\nX-Empty:\r\n\r\n"
    )
    outcome = parse_one(f"{BEGIN}{head}HTTP/1.1 100 no header\r\n\r\n{frame(0)}{END}")
    assert outcome.headers == {"vary": ("A", "B"), "x": ("1",), "x-empty": ("",)}
    assert outcome.body == "HTTP/1.1 100 no header\r\n\r\n"


def test_ipv6_addresses_are_bracketed() -> None:
    assert parse_one(f"{BEGIN}{OK}{frame(0, remote_ip='::1')}{END}").remote_address == "[::1]:80"


def test_finished_needs_the_whole_last_line() -> None:
    output = f"{BEGIN}{OK}{frame(0)}{END}"
    assert curl_output.finished(output, S)
    assert not any(curl_output.finished(output[:end], S) for end in range(len(output)))


@pytest.mark.parametrize("where", ["url", "user_agent", "request_id"])
def test_control_characters_are_refused(where: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        curl.config([request(**{where: 'a\nurl = "http://evil/"'})], S)
    with pytest.raises(ValueError, match="control character"):
        curl.config([request(headers=(("a", "b\r\nX: y"),))], S)


def test_secrets_are_in_no_argument() -> None:
    text = curl.script([request(headers=(("Authorization", "Bearer abc"),))], S)
    arguments = [line for line in text.splitlines() if line.startswith("curl ")]
    assert arguments == [f"curl --disable --config - <<'{S}_EOF'"]


def test_the_command_can_be_repeated() -> None:
    asked = request(headers=(("Authorization", "Bearer a b"), ("X-Empty", "")), method="POST")
    assert curl.command(asked) == (
        "curl -i -X POST -d '' -H 'Authorization: Bearer a b' -H 'X-Empty;' -H 'x-request-id: mp-r1-0' http://h/"
    )
    assert curl.command(request(method="HEAD")).startswith("curl -i -I -H")


def test_sentinels_differ() -> None:
    assert len({curl.new_sentinel() for _ in range(100)}) == 100


CONNECTED = {"time_namelookup": 0.001, "time_connect": 0.002}


@pytest.mark.parametrize(
    ("info", "url", "kind"),
    [
        pytest.param({}, "http://a.b/", OutcomeKind.DNS, id="no name was resolved"),
        pytest.param(
            {"errormsg": "Resolving timed out after 2000 milliseconds", "time_namelookup": 2.0},
            "http://a.b/",
            OutcomeKind.DNS,
            id="curl says so",
        ),
        pytest.param({"time_namelookup": 0.001}, "http://a.b/", OutcomeKind.CONNECT_TIMEOUT, id="no connection"),
        pytest.param({"time_namelookup": 0.001}, "https://a.b/", OutcomeKind.CONNECT_TIMEOUT, id="none for TLS"),
        pytest.param(CONNECTED, "https://a.b/", OutcomeKind.TLS_TIMEOUT, id="no handshake"),
        pytest.param(
            {"time_namelookup": 0.001, "remote_ip": "10.0.0.1", "num_connects": 1},
            "https://a.b/",
            OutcomeKind.TLS_TIMEOUT,
            id="no handshake, as 7.88 reports it",
        ),
        pytest.param(CONNECTED, "http://a.b/", OutcomeKind.ANSWER_TIMEOUT, id="no answer"),
        pytest.param(
            {**CONNECTED, "time_appconnect": 0.003}, "https://a.b/", OutcomeKind.ANSWER_TIMEOUT, id="none after TLS"
        ),
    ],
)
def test_a_timeout_has_the_kind_of_its_phase(info: dict[str, object], url: str, kind: OutcomeKind) -> None:
    nothing = {"exitcode": 28, "http_code": 0, "num_connects": 0, "remote_ip": ""}
    outcome = parse_one(BEGIN + frame(0, **{**nothing, **info}) + END, request(url=url))
    assert (outcome.kind, outcome.exit_code) == (kind, 28)


def test_a_name_that_is_not_resolved_in_time_is_never_a_timeout_of_the_network() -> None:
    info = {"exitcode": 28, "http_code": 0, "num_connects": 0, "errormsg": "Resolving timed out after 750 milliseconds"}
    outcome = parse_one(BEGIN + frame(0, **info, remote_ip="") + END)
    assert outcome.summary == "000 dns (28)"
    assert expect.no_reply(OutcomeKind.CONNECT_TIMEOUT, OutcomeKind.REFUSED).problem(outcome)
    assert expect.no_reply(OutcomeKind.DNS).problem(outcome) is None


def test_an_answer_of_another_version_is_an_error_of_http2() -> None:
    output = f"{BEGIN}{OK}{frame(0, http_version='1.1')}{END}"
    assert parse_one(output, request(http2=True)).summary == "200 http2_error (0)"
    assert parse_one(output).summary == "200"
    good = parse_one(output.replace('"1.1"', '"2"'), request(http2=True))
    assert (good.summary, good.protocol) == ("200", "HTTP/2")


@pytest.mark.parametrize("code", [52, 92])
def test_an_answer_that_curl_7_may_have_dropped_is_infrastructure(code: int) -> None:
    def seen(asked: Request, version: str = "libcurl/7.88.1 OpenSSL/3.0.19") -> Outcome:
        return parse_one(BEGIN + frame(0, exitcode=code, http_code=0, curl_version=version) + END, asked)

    dropped = [seen(request(http2=True, **how)) for how in ({"method": "PUT"}, {"method": "post", "body": "{}"})]
    assert [one.kind for one in dropped] == [OutcomeKind.INFRASTRUCTURE] * 2
    assert "before the body is sent" in dropped[0].error
    believed = [
        seen(request(http2=True)),
        seen(request(method="PUT")),
        seen(request(http2=True, method="PUT"), "libcurl/8.5.0 OpenSSL/3"),
        seen(request(http2=True, method="PUT"), ""),
    ]
    assert {one.exit_code for one in believed} == {code}
    broken = parse_one(f"{BEGIN}{OK}{frame(0, exitcode=92, http_version='2')}{END}", request(http2=True, body="{}"))
    assert broken.summary == "200 http2_error (92)"


def test_each_request_of_http2_has_a_process_of_its_own() -> None:
    batch = [request(n, http2=n in {1, 2}) for n in range(5)]
    script = curl.script(batch, S)
    assert script.count("curl --disable") == 4  # 0 | 1 | 2 | 3 and 4
    assert script.count("http2-prior-knowledge\n") == 2
    assert script.count("Connection: close") == 3
    assert "http2\n" in curl.script([request(url="https://a.b/", http2=True)], S)


def test_raw_bytes_must_end_as_curl_ends_them() -> None:
    with pytest.raises(ValueError, match="CRLF"):
        curl.check([request(url="tcp://a.b:9000", body="PING\n")])
    config = curl.config([request(url="tcp://a.b:9000", body="GET / %HTTP\r\n\r\n")], S)
    assert 'url = "gopher://a.b:9000/_GET%20%2F%20%25HTTP%0D%0A"' in config


def test_a_datagram_is_a_read_request_of_tftp_for_the_requests_id() -> None:
    config = curl.config([request(url="udp://a.b:443", connect_to="10.0.0.1:443", request_id="mp-1")], S)
    assert 'url = "tftp://10.0.0.1:443/mp-1"' in config
    assert 'proto = "=tftp"\ntftp-no-options\n' in config
    assert not {"header", "user-agent", "request", "connect-to"} & {
        line.partition(" ")[0] for line in config.split("\n")
    }


def test_the_command_repeats_version_method_and_body() -> None:
    command = curl.command(request(method="post", http2=True, body='{"a": 1}'))
    assert " -X post --http2-prior-knowledge --data-raw '{\"a\": 1}' " in command
    raw = curl.command(request(url="tcp://a.b:9000", body="PING\r\n"))
    assert raw == r"printf %b 'PING\r\n' | nc a.b 9000"
    raw = curl.command(request(url="tcp://a.b:9000", connect_to="[fd00::7]:9000", body="PING\r\n"))
    assert raw == r"printf %b 'PING\r\n' | nc fd00::7 9000"
    datagram = curl.command(request(url="udp://a.b:443", request_id="mp-1"))
    assert datagram == "curl --tftp-no-options tftp://a.b:443/mp-1"
