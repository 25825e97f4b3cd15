"""Whether lines of a proxy's access log can be read is seen in its configuration."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clients.mesh.access_logs import log_format

pytestmark = pytest.mark.unit

DEFAULT = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% '
    '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% '
    '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
    '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% '
    "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n"
)
"""Istio's (`EnvoyTextLogFormat`)."""
JSON = {
    "start_time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "upstream_host": "%UPSTREAM_HOST%",
}


def dump(log: dict[str, Any], kind: str = "file.v3.FileAccessLog") -> str:
    """Of listeners, one with a log of this configuration."""
    typed = {"@type": f"type.googleapis.com/envoy.extensions.access_loggers.{kind}", **log}
    chain = {"filters": [{"typed_config": {"access_log": [{"name": "log", "typed_config": typed}]}}]}
    return json.dumps(
        {"configs": [{"dynamic_listeners": [{"active_state": {"listener": {"filter_chains": [chain]}}}]}]}
    )


def to_stdout(**stated: Any) -> dict[str, Any]:
    return {"path": "/dev/stdout", "log_format": stated}


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (dump(to_stdout(text_format_source={"inline_string": DEFAULT})), True),
        (dump(to_stdout(text_format=DEFAULT)), True),
        (dump(to_stdout(json_format=JSON)), True),
        (dump(to_stdout(json_format={**JSON, "more": {"of": ["%BYTES_SENT%", 1]}})), True),
        (
            dump(to_stdout(text_format_source={"inline_string": "%START_TIME% %REQ(X-REQUEST-ID)% %RESPONSE_CODE%"})),
            False,
        ),
        (dump(to_stdout(json_format={"id": "%REQ(X-REQUEST-ID)%", "response_code": "%RESPONSE_CODE%"})), False),
        (dump({"log_format": {"json_format": {"code": "%RESPONSE_CODE%"}}}, "stream.v3.StdoutAccessLog"), False),
        (dump({"path": "/var/log/x", "log_format": {"text_format": "%PROTOCOL%"}}), True),  # another log
        (dump(to_stdout()), True),
        ("not JSON", True),
    ],
)
def test_a_log_is_known_by_a_line_that_it_would_make(text: str, known: bool) -> None:
    assert log_format.is_known(text) is known
