"""Outcomes that no answer to a request can have, or that each has: each as a line and a hint."""

from __future__ import annotations

import re
from collections.abc import Iterator

from clients.model.expect import Check, Expectation
from clients.model.outcome import OutcomeKind
from clients.model.probe import Probe
from runner.session.planning.unsent import RAW, Problem

_OF_BYTES = frozenset({OutcomeKind.RECEIVED, OutcomeKind.CLOSED})
_OF_HEADERS = frozenset({"_has_header", "_lacks_header"})
"""Names of checks that look at no body."""


def of_expectation(probe: Probe, expect: Expectation) -> Iterator[Problem]:
    """What of an outcome no answer to this request can have, or any has."""
    scheme, seen = probe.url.partition("://")[0], f"{expect.text} of {probe.url}"
    if (expect.status is not None or expect.kinds == {OutcomeKind.STATUS}) and scheme in RAW:
        yield f"{seen}: raw bytes have no status", "expect received(), closed() or no_reply()"
    if expect.kinds & _OF_BYTES and scheme not in RAW:
        yield f"{seen}: that is an outcome of raw bytes", "expect a status or no_reply()"
    if expect.grpc_status is not None and not scheme.startswith("grpc"):
        yield f"{seen}: that is an outcome of a gRPC call", "expect a status, or call grpc://"
    if expect.status is not None and not 100 <= expect.status <= 599:
        yield f"{expect.status} is no status of HTTP", "expect one of 100 to 599"
    yield from _of_checks(probe, expect, seen)


def _of_checks(probe: Probe, expect: Expectation, seen: str) -> Iterator[Problem]:
    if expect.checks and expect.status is None and OutcomeKind.RECEIVED not in expect.kinds:
        yield f"{seen}: without an answer there is nothing to check", "remove the checks"
    of_body = [check for check in expect.checks if _name(check) not in _OF_HEADERS]
    if probe.method == "HEAD" and probe.is_http and of_body:
        yield f"{seen}: an answer to HEAD has no body", "check headers, or send GET"
    for check in expect.checks:
        if "body" in _name(check) and not check.pattern:
            yield f"{seen}: each body contains an empty text", "state a text"
        elif _name(check) in ("_has_header", "_echoes_header") and (wrong := no_regex(check.pattern)):
            yield f"{seen}: {wrong}", ""


def _name(check: Check) -> str:
    return str(getattr(check.property, "__name__", ""))


def no_regex(pattern: str) -> str:
    """Why a text is no regular expression; empty where it is one."""
    try:
        re.compile(pattern)
    except re.error as error:
        return f"{pattern!r} is no regular expression: {error}"
    return ""
