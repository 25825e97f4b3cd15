"""Whether the access log of a proxy has a format that is read here: by its configuration, and a line it would make.

Source of the shapes: Envoy's API, `FileAccessLog`, `StdoutAccessLog`, `SubstitutionFormatString`; its documentation,
"Access logging", command operators.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from clients.mesh.access_logs import accesslog
from clients.mesh.survey.meshconfig import STDOUT

_STDOUT_TYPE = "StdoutAccessLog"
_OPERATOR = re.compile(r"%([A-Z_0-9]+)(?:\(([^%]*?)\))?(?::\d+)?%")
"""`%REQ(X-REQUEST-ID)%`, `%START_TIME%`."""
_ID, _STATUS, _UPSTREAM = "mp-format-0123456789", 403, "10.0.0.7:80"
_DETAILS = "rbac_access_denied_matched_policy[none]"
_VALUES = {
    "START_TIME": "2026-01-01T00:00:00.000Z",
    "RESPONSE_CODE": str(_STATUS),
    "RESPONSE_CODE_DETAILS": _DETAILS,
    "UPSTREAM_HOST": _UPSTREAM,
    "PROTOCOL": "HTTP/1.1",
}
_HEADERS = {"X-REQUEST-ID": _ID, ":METHOD": "GET", "X-ENVOY-ORIGINAL-PATH?:PATH": "/", ":PATH": "/"}


def is_known(text: str) -> bool:
    """Whether lines of the log to standard output can be read, by a dump of the proxy's listeners.

    One that has no such log, or whose format is not found, is taken to be as Istio's own.
    """
    try:
        found = list(_formats(json.loads(text)))
    except ValueError:
        return True
    return not found or any(map(_is_read, found))


def _formats(value: Any) -> Iterator[Any]:
    """The formats of the logs to standard output: a text, or a mapping for JSON."""
    if isinstance(value, list):
        for one in value:
            yield from _formats(one)
    if isinstance(value, dict):
        if value.get("path") == STDOUT or str(value.get("@type", "")).endswith(_STDOUT_TYPE):
            stated = value.get("log_format") or {}
            text = (stated.get("text_format_source") or {}).get("inline_string") or stated.get("text_format")
            yield from filter(None, [stated.get("json_format") or text or value.get("format")])
        else:
            for one in value.values():
                yield from _formats(one)


def _is_read(stated: Any) -> bool:
    """Whether a refused request would be read as it was."""
    line = _filled(stated) if isinstance(stated, str) else json.dumps(_filled_in(stated))
    seen = [(one.request_id, one.status, one.details, one.upstream_host) for one in accesslog.parse([line.strip()])]
    return seen == [(_ID, _STATUS, _DETAILS, _UPSTREAM)]


def _filled_in(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _filled_in(one) for key, one in value.items()}
    return _filled(value) if isinstance(value, str) else value


def _filled(text: str) -> str:
    """The text with a value for each operator; `-`, as for what is not there, for those that no proof reads."""
    return _OPERATOR.sub(lambda one: _VALUES.get(one[1], _HEADERS.get(one[2] or "", "-")), text)
