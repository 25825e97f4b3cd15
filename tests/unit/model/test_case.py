"""A probe as data: how evidence keeps it, and how it reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clients.model.probe import Probe, Workload
from clients.model.request_record import RequestRecord

pytestmark = pytest.mark.unit

CLIENT = Workload("mtls-client", "sleep", "sleep")
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


def test_the_record_has_the_request_as_it_is_sent() -> None:
    probe = Probe(
        CLIENT,
        "http://httpbin.mtls-service:8000/anything?x=1",
        method="post",
        headers=(("content-type", "application/json"), ("x-token", JWT)),
        http2=True,
        body='{"a": 1}',
    )
    assert probe.record == RequestRecord(
        method="post",
        url="http://httpbin.mtls-service:8000/anything?x=1",
        path="/anything?x=1",
        protocol="HTTP/2",
        headers=(("content-type", "application/json"), ("x-token", probe.record.headers[1][1])),
        body='{"a": 1}',
    )
    assert probe.record.headers[1][1].startswith("[redacted jwt ")
    assert probe.words == """post http://httpbin.mtls-service:8000/anything?x=1 by HTTP/2 with body '{"a": 1}'"""


def test_raw_tcp_has_no_method() -> None:
    probe = CLIENT.tcp("ledger.mtls-service:9000", "PING {id}\r\n")
    assert (probe.protocol, probe.record.method, probe.record.body) == ("TCP", "", "PING {id}\r\n")
    assert probe.destination == "ledger.mtls-service"
    assert replace(probe, url="http://[2001:db8:0::10]:80/ip").destination == "2001:db8::10"
    assert replace(probe, url="https://[2001:db8::10]").destination == "2001:db8::10"
    assert probe.words == r"tcp://ledger.mtls-service:9000 with body 'PING {id}\r\n'"


@pytest.mark.parametrize(
    ("url", "http2", "protocol"),
    [("http://a/", False, "HTTP/1.1"), ("https://a/", True, "HTTP/2"), ("grpc://a/x.Y/Z", False, "HTTP/2")],
)
def test_the_protocol_of_a_probe(url: str, http2: bool, protocol: str) -> None:
    assert Probe(CLIENT, url, http2=http2).record.protocol == protocol
