"""Access logs of Envoy, and request ids in any application's log: whether a request reached the backend."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Set
from dataclasses import dataclass


@dataclass(frozen=True)
class AccessLogEntry:
    """One request (or TCP connection) as a proxy logged it. `-` in the log is an empty string here.

    Attributes:
        status: response code; 0 where none was sent (TCP, or reset before a response); None when not logged.
        flags: Envoy's response flags (`UAEX`, `NR`, `DC`, …).
        details: response code details, for instance `rbac_access_denied_matched_policy[none]`.
        upstream_host: address that the request was sent on to; empty when it was not sent on.
        upstream_cluster: `outbound|80|subset|host`, without a trailing `;`.
        route: route name, for instance `block_all`.
        sni: server name that the client asked for in its TLS hello.
        failure: why the connection to the upstream failed (`…CERTIFICATE_VERIFY_FAILED…`).
        protocol: `HTTP/1.1`; empty for TCP.
        upstream_local, downstream_local, downstream_remote: this proxy's end of the connection to the upstream, its
            end of the one from the client, and the client's end of that.
        raw: the line.
    """

    request_id: str
    status: int | None
    flags: str
    details: str
    upstream_host: str
    upstream_cluster: str
    path: str
    method: str
    authority: str
    user_agent: str
    raw: str
    route: str = ""
    sni: str = ""
    failure: str = ""
    protocol: str = ""
    upstream_local: str = ""
    downstream_local: str = ""
    downstream_remote: str = ""


_TEXT = re.compile(
    r'\[[^\]]*\] "(?P<request>.*?)" (?P<status>\d+) (?P<flags>\S+)(?P<details> \S.*?)?'
    r' "(?P<failure>[^"]*)" (?P<numbers>\S+ \S+ \S+ \S+)'
    r' "(?P<forwarded_for>[^"]*)" "(?P<user_agent>.*)" "(?P<request_id>[^"]*)" "(?P<authority>[^"]*)"'
    r' "(?P<upstream_host>[^"]*)"(?P<tail>.*)'
)
"""Istio's default text format (istio.io, "Envoy Access Logs"); before 1.8 there is a quoted Mixer status in the
place of the details, before 1.6 nothing."""
_BEGINS = re.compile(r'\[\d{4}-\d\d-\d\dT[\d:.]+Z\] "|\{"(?=.*"response_code|.*"start_time)')
"""How an entry begins, in both formats."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UUID_LENGTH, _VERSION = 36, 14
"""Characters of a UUID, and the place of its version's digit."""


def parse(lines: Iterable[str]) -> list[AccessLogEntry]:
    """Entries of Istio's default text format and JSON format, in order; lines that are neither are left out."""
    return [entry for line in lines if (entry := _json_entry(line) or _text_entry(line)) is not None]


def torn(line: str) -> bool:
    """Whether a line begins as an entry and is none: another program's line came between its halves.

    A sidecar's container has one output for Envoy and its agent, and a pipe that is full takes long lines in parts.
    """
    return _BEGINS.match(line.strip()) is not None and not parse([line])


def forwarded(entry: AccessLogEntry) -> bool:
    """Whether the proxy sent the request on: it names an upstream host.

    Read the log of the server's own sidecar: the client's sidecar names an upstream host even when the server refused.
    """
    return entry.upstream_host not in ("", "-")


def as_details(text: str) -> str:
    """A reason as Envoy writes it into response code details: without blanks, and as `parse` gives them back."""
    return re.sub(r"\s", "_", text).replace('"', "")


def belongs(request_id: str, user_agent: str, ids: Set[str]) -> str:
    """Which of our request ids a logged request has; empty for none.

    A gateway gives every request an id of its own (Envoy does so at the edge of a mesh), but passes the user agent
    on, which ends with ours.
    """
    return next((one for one in (canonical(request_id), user_agent.rpartition(" ")[2]) if one in ids), "")


def canonical(request_id: str) -> str:
    """The id as its sender wrote it: in a UUID Envoy rewrites the digit of the version, to keep its sampling decision.

    Source: Envoy, "UUID request ID" extension. A UUID of version 4 is assumed; any other id is left as it is.
    """
    if len(request_id) != _UUID_LENGTH or not _UUID.fullmatch(request_id):
        return request_id
    return f"{request_id[:_VERSION]}4{request_id[_VERSION + 1 :]}"


def stem(request_id: str) -> str:
    """The beginning of an id that no proxy rewrites, for a quick search."""
    return request_id[:_VERSION] if _UUID.fullmatch(request_id) else request_id


def mentions(lines: Iterable[str], request_id: str) -> list[str]:
    """Lines of any log that hold `request_id` whole (the user agent of every probe carries it).

    Raises:
        ValueError: `request_id` is empty, so that its absence would prove nothing.
    """
    if not request_id:
        raise ValueError("no request id to look for")
    start = stem(request_id)
    rewritten = rf"[0-9a-f]{re.escape(request_id[_VERSION + 1 :])}" if start != request_id else ""
    whole = re.compile(rf"(?<![\w-]){re.escape(start)}{rewritten}(?![\w-])")
    # the plain search first: it is fifty times as fast, and nearly every line is of another request
    return [line for line in lines if start in line and whole.search(line)]


def _text_entry(line: str) -> AccessLogEntry | None:
    match = _TEXT.search(line)
    if match is None:
        return None
    field = match.groupdict(default="")
    method, _, rest = field["request"].partition(" ")
    path, _, protocol = rest.rpartition(" ")
    # cluster, local address towards the server, the same towards the client, the client, server name, route name
    tail = [*field["tail"].split(), *[""] * 6]
    return AccessLogEntry(
        request_id=canonical(_value(field["request_id"])),
        status=int(field["status"]),
        flags=_value(field["flags"]),
        details=" ".join(filter(None, map(_value, field["details"].replace('"', "").split()))),
        upstream_host=_value(field["upstream_host"]),
        upstream_cluster=_cluster(tail[0]),
        path=_value(path),
        method=_value(method),
        authority=_value(field["authority"]),
        user_agent=_value(field["user_agent"]),
        raw=line,
        route=_value(tail[5]),
        sni=_value(tail[4]),
        failure=_value(field["failure"]),
        protocol=_value(protocol),
        upstream_local=_value(tail[1]),
        downstream_local=_value(tail[2]),
        downstream_remote=_value(tail[3]),
    )


def _json_entry(line: str) -> AccessLogEntry | None:
    start = line.find("{")
    if start < 0 or '"response_code"' not in line:
        return None
    try:
        data = json.loads(line[start:])
    except ValueError:
        return None
    if not isinstance(data, dict) or "response_code" not in data:
        return None
    text = {key: _value("" if value is None else str(value)) for key, value in data.items()}
    status = text.get("response_code", "")
    return AccessLogEntry(
        request_id=canonical(text.get("request_id", "")),
        status=int(status) if status.isdigit() else None,
        flags=text.get("response_flags", ""),
        details=" ".join(filter(None, (text.get("response_code_details"), text.get("connection_termination_details")))),
        upstream_host=text.get("upstream_host", ""),
        upstream_cluster=_cluster(text.get("upstream_cluster", "")),
        path=text.get("path", ""),
        method=text.get("method", ""),
        authority=text.get("authority", ""),
        user_agent=text.get("user_agent", ""),
        raw=line,
        route=text.get("route_name", ""),
        sni=text.get("requested_server_name", ""),
        failure=text.get("upstream_transport_failure_reason", ""),
        protocol=text.get("protocol", ""),
        upstream_local=text.get("upstream_local_address", ""),
        downstream_local=text.get("downstream_local_address", ""),
        downstream_remote=text.get("downstream_remote_address", ""),
    )


def _cluster(name: str) -> str:
    return _value(name.rstrip(";"))


def _value(text: str) -> str:
    return "" if text == "-" else text
