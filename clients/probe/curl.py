"""curl as the probe: the config of a batch of requests. Pure; no I/O. `curl_output` reads what the batch writes.

Needs curl 7.75 or newer (`exitcode` and `errormsg` in `%{json}`).
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Sequence
from urllib.parse import quote

from clients.model.addresses import split
from clients.probe.answer import MAX_TRANSFER_BYTES
from clients.probe.request import WITH_BODY, Request

SCHEMES = frozenset({"http", "https", "tcp", "udp"})
"""Of what a client in a pod can send."""
_ALWAYS = (
    "silent",  # the error text is in the JSON; standard error is left to real trouble
    "include",
    "globoff",
    "path-as-is",  # a path with `/../` must reach the policy as it was written
    'noproxy = "*"',
    f"max-filesize = {MAX_TRANSFER_BYTES}",
)
_CLOSE = 'header = "Connection: close"'
"""One connection per probe; `answer` finds a server that ignores it."""
OLD_CIPHERS = "DEFAULT@SECLEVEL=0"
"""For OpenSSL, which by itself offers none that versions of TLS before 1.2 know."""
_CERTIFICATE, _KEY = 3, 4
"""File descriptors of the client's certificate and its key: both are in the script, and in no file and no argument."""
PORTS_TRIED = 16
"""Ports from a request's own on that curl tries where one is taken."""


def new_sentinel() -> str:
    """A random word that no server can guess; one per batch."""
    return f"mp{secrets.token_hex(16)}"


def check(requests: Sequence[Request]) -> None:
    """Refuse what no batch can hold.

    Raises:
        ValueError: a control character in a request, which would end the option that holds it; raw bytes without CRLF
            at their end; a client's certificate without TLS.
    """
    for request in requests:
        sent = (request.method, request.url, request.user_agent, request.request_id, request.connect_to)
        _quote("".join((*sent, *(text for header in request.headers for text in header))))
        _quote_body(request.body)
        if request.raw and not request.body.endswith(_CRLF):
            raise ValueError(f"raw bytes must end with CRLF: {request.body[-60:]!r}")
        if request.certificate and not request.url.startswith("https"):
            raise ValueError(f"no certificate can be shown to {request.url}")


def config(requests: Sequence[Request], sentinel: str) -> str:
    """Text for `curl --disable --config -` on stdin: every request, in order, each on a fresh connection.

    Ordinary ones come last, as they leave connections that others would use.

    Secrets are in this text only, never in an argument.

    Raises:
        ValueError: a control character in a request, which would end the option that holds it.
    """
    return "next\n".join(_block(request, index, sentinel) for index, request in _ordered(requests))


def script(requests: Sequence[Request], sentinel: str, *, parallel: bool = False) -> str:
    """POSIX shell text for a running `sh`: runs the batch; `finished` recognises the end of its output.

    Args:
        requests: the batch.
        sentinel: from `new_sentinel`, for this batch only.
        parallel: one curl process per request, all at once, for probes that may time out. Needs `cat`; each answer
            waits in a pipe for its turn, so outputs never mix.

    Raises:
        ValueError: a control character in a request.
    """
    begin, end = f"printf '\\n%s begin -\\n' {sentinel}\n", f"printf '\\n%s end %s\\n' {sentinel} \"$?\"\n"
    if not parallel or len(requests) < 2:
        return begin + "".join(_processes(requests, sentinel)) + end
    functions, pipeline = "", ""
    for index in reversed(range(len(requests))):
        name = f"{sentinel}_{index}"
        # A lost answer ends at its own `done` frame instead of running into the next one.
        done = f"printf '\\n%s done %s\\n' {sentinel} \"$?\"\n"
        functions += f"{name}() {{\n{_curl([(index, requests[index])], sentinel)}{done}}}\n"
        pipeline = f"{name} | {{ {pipeline}; cat; }}" if pipeline else name
    return f"{functions}{begin}{pipeline}\n{end}"


def command(request: Request, *options: str) -> str:
    """The request as a curl command, with further options, that a person could repeat. Not redacted."""
    if request.raw:
        host, port = split(request.connect_to or request.url.partition("://")[2])
        sent = shlex.quote(request.body.encode("unicode_escape").decode())
        return f"printf %b {sent} | nc {shlex.quote(host)} {port}"
    if request.datagram:
        return shlex.join(["curl", *options, "--tftp-no-options", _url(request)])
    words = ["curl", "-i", *options, *{"GET": (), "HEAD": ("-I",)}.get(request.method, ("-X", request.method))]
    if request.http2:
        words.append("--http2" if request.url.startswith("https") else "--http2-prior-knowledge")
    if request.body or request.method in WITH_BODY:
        words += ["--data-raw" if request.body else "-d", request.body]
    words += ["--connect-to", f"::{request.connect_to}"] if request.connect_to else []
    words += ["-k"] if request.insecure else []
    words += ["--tlsv1.0", "--tls-max", request.tls_max, "--ciphers", OLD_CIPHERS] if request.tls_max else []
    words += ["--cert", "foreign.pem", "--key", "foreign.key"] if request.certificate else []
    for name, value in (*request.headers, ("x-request-id", request.request_id)):
        words += ["-H", header_line(name, value)]
    return shlex.join([*words, request.url])


def _ordered(requests: Sequence[Request]) -> list[tuple[int, Request]]:
    """The requests with their numbers, ordinary ones last: they leave connections that others would use."""
    return sorted(enumerate(requests), key=lambda numbered: numbered[1].ordinary)


def _processes(requests: Sequence[Request], sentinel: str) -> list[str]:
    """The curl processes of a batch: HTTP/2 has no `Connection: close`, so each has a process of its own.

    So has a request with a certificate, which can be read once from its descriptor. What continues on a connection is
    sent by the process that has it.
    """
    batches: list[list[tuple[int, Request]]] = []
    alone = True
    for index, request in _ordered(requests):
        own = request.http2 or request.certificate is not None
        joins = request.continues and request.certificate is None
        if not joins and (alone or own):
            batches.append([])
        batches[-1].append((index, request))
        alone = own
    return [_curl(batch, sentinel) for batch in batches]


def _curl(batch: Sequence[tuple[int, Request]], sentinel: str) -> str:
    """One process; only one of a single request can have a certificate."""
    certificate = batch[0][1].certificate
    given = [(str(descriptor), certificate.pem) for descriptor in (_CERTIFICATE, _KEY)] if certificate else []
    given.append(("", "next\n".join(_block(request, index, sentinel) for index, request in batch)))
    redirections = " ".join(f"{descriptor}<<'{sentinel}_EOF{descriptor}'" for descriptor, _ in given)
    texts = "".join(f"{text}{sentinel}_EOF{descriptor}\n" for descriptor, text in given)
    return f"curl --disable --config - {redirections}\n{texts}"


def _block(request: Request, index: int, sentinel: str) -> str:
    lines = [
        *_ALWAYS,
        f"url = {_quote(_url(request))}",
        *_version(request),
        f"max-time = {request.timeout_s:.3f}",
        f"connect-timeout = {request.connect_timeout_s:.3f}",
        f'write-out = "\\n{sentinel} {index} %{{json}}\\n"',
    ]
    if request.connect_to and not request.datagram:
        lines.append(f"connect-to = {_quote('::' + request.connect_to)}")
    if request.local_port:
        lines.append(f"local-port = {request.local_port}-{request.local_port + PORTS_TRIED - 1}")
    if request.is_http:
        lines += _of_http(request)
    return "".join(f"{line}\n" for line in lines)


def _of_http(request: Request) -> list[str]:
    """The options that only a request of HTTP has."""
    request_id = ("x-request-id", request.request_id)
    headers = (*request.headers, request_id) if request.ordinary else (request_id, *request.headers)
    lines = [f"user-agent = {_quote(request.user_agent)}"] if request.user_agent else []
    lines += [f"header = {_quote(header_line(name, value))}" for name, value in headers]
    if request.insecure:
        lines.append("insecure")
    if request.tls_max:
        lines += ["tlsv1.0", f"tls-max = {request.tls_max}", f'ciphers = "{OLD_CIPHERS}"']
    if request.certificate:
        lines += [f'cert = "/dev/fd/{_CERTIFICATE}"', f'key = "/dev/fd/{_KEY}"']
    if request.method == "HEAD":
        lines.append("head")  # `request = "HEAD"` would wait for a body
    elif request.method != "GET" or request.body:
        lines.append(f"request = {_quote(request.method)}")
    if request.body:
        lines.append(f"data-raw = {_quote_body(request.body)}")
    elif request.method in WITH_BODY:
        lines.append('data = ""')  # sends Content-Length: 0
    return lines


_CRLF = "\r\n"


def _url(request: Request) -> str:
    """The URL as curl takes it. It sends raw bytes by Gopher: the selector as it is, then CRLF (RFC 1436, section 2).

    Newer releases take a selector of one line; more lines are then a request that could not be tried. It sends a
    datagram by TFTP (RFC 1350), which has no name but that of the file: the address that is dialled replaces the host.
    """
    if request.datagram:
        return f"tftp://{request.connect_to or request.url.partition('://')[2]}/{request.request_id}"
    if not request.raw:
        return request.url
    where = request.url.partition("://")[2].partition("/")[0]
    return f"gopher://{where}/_{quote(request.body.removesuffix(_CRLF), safe='')}"


def _version(request: Request) -> tuple[str, ...]:
    if request.datagram:
        return ('proto = "=tftp"', "tftp-no-options")
    if request.raw:
        return ('proto = "=gopher"',)
    allowed = 'proto = "=http,https"'
    if request.http2:
        return (allowed, "http2" if request.url.startswith("https") else "http2-prior-knowledge")
    return (allowed, "http1.1") if request.ordinary else (allowed, "http1.1", _CLOSE)


def header_line(name: str, value: str) -> str:
    """A header in the form that curl takes."""
    return f"{name}: {value}" if value else f"{name};"  # `Name:` would remove the header


def _quote(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError(f"control character in {text[:60]!r}")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quote_body(text: str) -> str:
    """A body in a config; it may also have tabs and ends of lines, for which curl has escapes."""
    parts = re.split(r"([\t\n\r])", text)
    return (
        '"' + "".join({"\t": r"\t", "\n": r"\n", "\r": r"\r"}.get(part) or _quote(part)[1:-1] for part in parts) + '"'
    )
