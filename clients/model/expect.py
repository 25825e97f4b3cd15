"""What a case expects of an outcome: a pinned kind, and further checks that must hold.

`Expectation.problem(outcome)` returns why an outcome does not match, or None when it matches.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from clients.model.outcome import TIMEOUTS, Outcome, OutcomeKind, answered, exit_codes

RBAC_DENIED = "RBAC: access denied"
"""Body that Envoy's RBAC filter sends with its 403 (Envoy, HTTP RBAC filter)."""

_BAD_REQUEST = 400
"""From here on HTTP's status codes are errors (RFC 9110, section 15)."""


Property = Callable[[Outcome, str, str], str | None]
"""Why an outcome lacks a property, given a name and a pattern; None when it has it. A function of a module: checks
compare by value, and two closures are never equal."""


@dataclass(frozen=True)
class Check:
    """One property of an outcome in addition to its kind. Two checks are equal when they check the same.

    Attributes:
        text: how it reads in a report, for instance `body contains 'RBAC: access denied'`.
        property: the function that checks it.
        name, pattern: arguments of that function, which defines their meaning.
    """

    text: str
    property: Property
    name: str = ""
    pattern: str = ""

    def problem(self, outcome: Outcome) -> str | None:
        """Why the outcome does not have the property; None when it has."""
        return self.property(outcome, self.name, self.pattern)


@dataclass(frozen=True)
class Expectation:
    """A pinned outcome: one of `kinds`, the exact status where there is one, and every check.

    Attributes:
        grpc_status: status of the gRPC call; None for any other request, whose outcome must then have no such status.
    """

    kinds: frozenset[OutcomeKind]
    status: int | None = None
    checks: tuple[Check, ...] = ()
    grpc_status: int | None = None

    @property
    def refuses(self) -> bool:
        """Whether it means that the request was not served: no answer, an error's status, or that of a gRPC call."""
        if OutcomeKind.RECEIVED in self.kinds:
            return False
        return self.status is None or self.status >= _BAD_REQUEST or bool(self.grpc_status)

    @property
    def text(self) -> str:
        """For people: `403, body contains 'RBAC: access denied'` or `000 reset (56)`."""
        replied = self.status is not None
        head = answered(self.status, self.grpc_status) if replied else " or ".join(sorted(map(_no_reply, self.kinds)))
        return ", ".join([head, *(check.text for check in self.checks)])

    @property
    def may_time_out(self) -> bool:
        """Whether probes should be sent in parallel, because each may take its whole time limit."""
        return bool(self.kinds & {*TIMEOUTS, OutcomeKind.DNS})

    def problem(self, outcome: Outcome) -> str | None:
        """Why `outcome` is not the expected one; None when it is. Infrastructure never matches."""
        seen, stated = (outcome.status, outcome.grpc_status), (self.status, self.grpc_status)
        if outcome.kind not in self.kinds or seen != stated:
            return f"expected {self.text}, saw {outcome.summary}"
        return next((why for check in self.checks if (why := check.problem(outcome))), None)


def _no_reply(kind: OutcomeKind) -> str:
    if kind is OutcomeKind.RECEIVED:
        return "bytes received"
    return f"000 {kind} ({', '.join(map(str, exit_codes(kind)))})"


def status(code: int, *checks: Check) -> Expectation:
    """An HTTP response with exactly this status."""
    return Expectation(frozenset({OutcomeKind.STATUS}), code, checks)


def grpc(code: int, *checks: Check) -> Expectation:
    """A gRPC call that ends with exactly this status; the HTTP status is always 200 (gRPC over HTTP/2, Responses)."""
    return Expectation(frozenset({OutcomeKind.STATUS}), 200, checks, code)


def no_reply(*kinds: OutcomeKind) -> Expectation:
    """No HTTP response (`000`), for one of the named reasons.

    Raises:
        ValueError: a kind is not one of a missing reply, or there is none.
    """
    wrong = [kind for kind in kinds if not exit_codes(kind)]
    if wrong or not kinds:
        raise ValueError(f"not a kind of missing reply: {wrong or 'none given'}")
    return Expectation(frozenset(kinds))


def received(*checks: Check) -> Expectation:
    """Raw TCP, or UDP: bytes came back; `body_contains` and its like check which."""
    return Expectation(frozenset({OutcomeKind.RECEIVED}), checks=checks)


def closed() -> Expectation:
    """Raw TCP: the connection ended in order, and no byte came back: how Envoy refuses a TCP connection."""
    return no_reply(OutcomeKind.CLOSED)


def reset() -> Expectation:
    """`000` with curl exit 56: how a plaintext call to a STRICT server ends."""
    return no_reply(OutcomeKind.RESET)


def rbac_denied(method: str = "GET") -> Expectation:
    """403 by Envoy's RBAC filter, distinguished from an application's own 403 by its body.

    An answer to HEAD has none (RFC 9110, section 9.3.2): there only the proxy's log tells them apart.
    """
    return status(403) if method == "HEAD" else status(403, body_contains(RBAC_DENIED))


def body_contains(text: str) -> Check:
    """The response body has `text` in it."""
    return Check(f"body contains {text!r}", _body_contains, pattern=text)


def _body_contains(outcome: Outcome, _: str, text: str) -> str | None:
    return None if text in outcome.body else f"body lacks {text!r}: {outcome.body[:120]!r}"


def body_lacks(text: str) -> Check:
    """The response body does not have `text` in it."""
    return Check(f"body lacks {text!r}", _body_lacks, pattern=text)


def _body_lacks(outcome: Outcome, _: str, text: str) -> str | None:
    return f"body has {text!r}" if text in outcome.body else None


def has_header(name: str, pattern: str) -> Check:
    """The response has header `name`, and one whole value of it matches `pattern`."""
    return Check(f"header {name} {pattern}", _has_header, name, pattern)


def _has_header(outcome: Outcome, name: str, pattern: str) -> str | None:
    values = outcome.headers.get(name.lower(), ())
    if any(re.fullmatch(pattern, value) for value in values):
        return None
    return f"header {name} is {', '.join(map(repr, values)) or 'absent'}, not {pattern!r}"


def lacks_header(name: str) -> Check:
    """The response has no header `name`."""
    return Check(f"no header {name}", _lacks_header, name)


def _lacks_header(outcome: Outcome, name: str, _: str) -> str | None:
    values = outcome.headers.get(name.lower())
    return None if values is None else f"header {name} is {', '.join(values)!r}"


def echoes_header(name: str, pattern: str) -> Check:
    """An httpbin `/headers` body echoes request header `name`, and the whole value matches `pattern`."""
    return Check(f"server received {name} {pattern}", _echoes_header, name, pattern)


def _echoes_header(outcome: Outcome, name: str, pattern: str) -> str | None:
    try:
        value = echoed_header(outcome.body, name)
    except ValueError as error:
        return str(error)
    if value is None:
        return f"the server did not receive header {name}"
    return None if re.fullmatch(pattern, value) else f"header {name} is {value!r}, not {pattern!r}"


def echoes_no_header(name: str) -> Check:
    """An httpbin `/headers` body shows that the server did not receive `name`. A body without a header list fails."""
    return Check(f"server received no {name}", _echoes_no_header, name)


def _echoes_no_header(outcome: Outcome, name: str, _: str) -> str | None:
    try:
        value = echoed_header(outcome.body, name)
    except ValueError as error:
        return str(error)
    return None if value is None else f"the server received header {name}: {value!r}"


def echoed_header(body: str, name: str) -> str | None:
    """Value of `name` in an httpbin `/headers` body; lists (go-httpbin) are joined by a comma; None when absent.

    Raises:
        ValueError: the body is no such list, so absence proves nothing.
    """
    try:
        headers = json.loads(body)["headers"]
        pairs = {str(key).lower(): value for key, value in headers.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"the body is not a list of request headers: {body[:120]!r}") from None
    value = pairs.get(name.lower())
    return ",".join(value) if isinstance(value, list) else value
