"""The request from outside the cluster by libcurl, with the options that the program curl has in a pod.

The program itself is not used: it would be one process for each request, it mixes trailers with the body, and it cannot
carry the frames of a WebSocket.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import certifi
import pycurl

from clients.model.addresses import joined
from clients.model.outcome import Outcome, infrastructure
from clients.probe import answer, curl
from clients.probe.answer import MAX_BODY_BYTES, MAX_TRANSFER_BYTES, Transfer
from clients.probe.request import WITH_BODY, Request

Options = dict[int, Any]
"""Option of libcurl → its value, of whatever type it wants."""

_KEPT_BYTES = MAX_BODY_BYTES + 16
"""A little more than an outcome keeps: the prefix of a gRPC message, and a character that the limit would split."""


def send(request: Request, to: tuple[str, int], roots: str = "") -> Outcome:
    """One request on a fresh connection to `to`."""
    return Exchange(request, to, roots).run()


@dataclass
class Exchange:
    """One request on a connection of its own, and the answer. Other protocols override what differs.

    Attributes:
        request: what is sent; its own `connect_to` is ignored.
        to: address and port to dial, whatever host the URL names.
        roots: PEM of the authorities to trust; empty for those that `certifi` lists.
        lines: status lines, headers and trailers as they came, with their line ends.
        body: the body as it came, cut at a little more than an outcome keeps.
        handle: of libcurl; it is closed at the end of `run`.
    """

    request: Request
    to: tuple[str, int]
    roots: str = ""
    lines: list[bytes] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    handle: pycurl.Curl = field(default_factory=pycurl.Curl)

    def run(self) -> Outcome:
        """Send the request and wait for the end of the answer, for at most `timeout_s` of the request."""
        with self.handle:
            return self.perform()

    def perform(self) -> Outcome:
        """As `run`, but the handle stays open, and with it what a subclass keeps open."""
        try:
            curl.check([self.request])
            for option, value in self.options().items():
                self.handle.setopt(option, value)
        except (ValueError, pycurl.error) as error:
            return infrastructure(self.request.request_id, f"the request could not be sent: {error}")
        exit_code, message = 0, ""
        try:
            self.handle.perform()
        except pycurl.error as error:
            exit_code, message = error.args[:2]
        transfer = self.transfer(exit_code, message)
        sent = self.request
        return answer.outcome(sent.request_id, sent.method, transfer, http2=sent.http2, continues=sent.continues)

    def options(self) -> Options:
        """Options of libcurl for this request: those of `curl.config`, and where to dial."""
        request = self.request
        return {
            **_ALWAYS,
            pycurl.URL: request.url.encode(),
            pycurl.REQUEST_TARGET: _target(request.url).encode(),
            pycurl.CONNECT_TO: [f"::{joined(*self.to)}"],
            pycurl.TIMEOUT_MS: round(request.timeout_s * 1000),
            pycurl.CONNECTTIMEOUT_MS: round(request.connect_timeout_s * 1000),
            pycurl.USERAGENT: (request.user_agent or self.own_user_agent()).encode(),
            pycurl.HTTPHEADER: [curl.header_line(*header).encode() for header in self.headers()],
            pycurl.LOCALPORT: request.local_port,
            pycurl.HEADERFUNCTION: self.on_line,
            pycurl.WRITEFUNCTION: self.on_data,
            **self._trust(),
            **self._certificate(),
            **self._version_of_tls(),
            **({pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE} if request.http2 else {}),
            **_method(request),
        }

    def headers(self) -> list[tuple[str, str]]:
        """Headers that are sent in addition to those that curl adds by itself, in order."""
        if self.request.ordinary or self.request.http2:
            return self.stated()
        return [("Connection", "close"), *self.stated()]

    def stated(self) -> list[tuple[str, str]]:
        """The request's own headers and its id, in the order of `curl.config`."""
        request_id = ("x-request-id", self.request.request_id)
        own = self.request.headers
        return [*own, request_id] if self.request.ordinary else [request_id, *own]

    def own_user_agent(self) -> str:
        """User agent of a request that states none: that of the program curl."""
        return f"curl/{pycurl.version_info()[1]}"

    def on_line(self, line: bytes) -> int | None:
        """Keep a status line, a header, a trailer or an empty line. A wrong length ends the transfer."""
        self.lines.append(line)
        return None

    def on_data(self, data: bytes) -> int | None:
        """Keep a part of the body. A wrong length ends the transfer."""
        self.body += data[: _KEPT_BYTES - len(self.body)]
        return None

    def text(self) -> bytes:
        """The part of the body that the outcome shows."""
        return bytes(self.body)

    def ended(self, exit_code: int, message: str) -> tuple[int, str]:
        """Exit code and message of the outcome."""
        return exit_code, message

    def _trust(self) -> Options:
        if self.request.insecure:
            return {pycurl.SSL_VERIFYPEER: 0, pycurl.SSL_VERIFYHOST: 0}
        return {pycurl.CAINFO_BLOB: self.roots.encode()} if self.roots else {pycurl.CAINFO: certifi.where()}

    def _certificate(self) -> Options:
        if not (shown := self.request.certificate):
            return {}
        return {pycurl.SSLCERT_BLOB: shown.pem.encode(), pycurl.SSLKEY_BLOB: shown.pem.encode()}

    def _version_of_tls(self) -> Options:
        if not (newest := self.request.tls_max):
            return {}
        return {
            pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_0 | _NEWEST[newest],
            pycurl.SSL_CIPHER_LIST: curl.OLD_CIPHERS,
        }

    def transfer(self, exit_code: int, message: str) -> Transfer:
        """What libcurl knows of the exchange, once it has ended."""
        exit_code, message = self.ended(exit_code, message)
        info = self.handle.getinfo
        return Transfer(
            exit_code,
            info(pycurl.RESPONSE_CODE),
            info(pycurl.NUM_CONNECTS),
            message,
            answer.headers_of(line.decode(errors="replace").rstrip("\r\n") for line in self.lines),
            self.text().decode(errors="replace"),
            remote=joined(info(pycurl.PRIMARY_IP), info(pycurl.PRIMARY_PORT)),
            local=joined(info(pycurl.LOCAL_IP), info(pycurl.LOCAL_PORT)),
            certs=_certificates(self.handle.getinfo_raw(pycurl.INFO_CERTINFO)),
            http_version=_VERSIONS.get(info(pycurl.INFO_HTTP_VERSION), ""),
            scheme=self.request.url.partition("://")[0],
            time_namelookup=info(pycurl.NAMELOOKUP_TIME),
            time_connect=info(pycurl.CONNECT_TIME),
            time_appconnect=info(pycurl.APPCONNECT_TIME),
            time_total=info(pycurl.TOTAL_TIME),
        )


_VERSIONS = {
    pycurl.CURL_HTTP_VERSION_1_0: "1",
    pycurl.CURL_HTTP_VERSION_1_1: "1.1",
    pycurl.CURL_HTTP_VERSION_2_0: "2",
}
"""Versions as the program curl writes them."""

_NEWEST = {
    "1.0": pycurl.SSLVERSION_MAX_TLSv1_0,
    "1.1": pycurl.SSLVERSION_MAX_TLSv1_1,
    "1.2": pycurl.SSLVERSION_MAX_TLSv1_2,
}

_ALWAYS: Options = {
    pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
    pycurl.PATH_AS_IS: 1,  # as in a pod; `_target` does the rest
    pycurl.PROXY: "",  # ignores the environment
    pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
    pycurl.MAXFILESIZE: MAX_TRANSFER_BYTES,
    pycurl.OPT_CERTINFO: 1,
    pycurl.FRESH_CONNECT: 1,
    pycurl.FORBID_REUSE: 1,
    pycurl.NOSIGNAL: 1,  # several threads send requests
}


def _target(url: str) -> str:
    """Path and query exactly as written: libcurl would turn `%2e` into `%2E`, and drop a fragment."""
    rest = url.partition("://")[2]
    target = rest[len(re.split("[/?#]", rest, maxsplit=1)[0]) :]
    return target if target.startswith("/") else f"/{target}"


def _method(request: Request) -> Options:
    if request.method == "HEAD":
        return {pycurl.NOBODY: 1}
    body = {pycurl.POSTFIELDS: request.body.encode()} if request.body or request.method in WITH_BODY else {}
    return {**body, pycurl.CUSTOMREQUEST: request.method.encode()} if body or request.method != "GET" else {}


def _certificates(chain: list[list[tuple[bytes, bytes]]] | None) -> str:
    """The chain as `%{certs}` of the program shows it: lines `name:value`, and each certificate as plain PEM."""
    lines = []
    for certificate in chain or ():
        for name, value in certificate:
            text = value.decode(errors="replace").rstrip("\n")
            lines.append(text if name == b"Cert" else f"{name.decode()}:{text}")
    return "".join(f"{line}\n" for line in lines)
