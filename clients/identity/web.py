"""Base of the stand-ins for web services: a server on loopback, and the handling of one request."""

from __future__ import annotations

import ssl
import threading
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

HTML = "text/html; charset=utf-8"
JSON = "application/json"
_POLL_S = 0.05


class WebHandler(BaseHTTPRequestHandler):
    """One request and its answer. Subclasses have `get`, and `post` where they take forms."""

    def get(self) -> None:
        """Answer a GET."""
        raise NotImplementedError

    def post(self) -> None:
        """Answer a POST."""
        self.answer(405, "only GET is possible here")

    def do_GET(self) -> None:
        """Called by the library."""
        self.get()

    def do_POST(self) -> None:
        """Called by the library."""
        self.post()

    @property
    def route(self) -> str:
        """The path, without its query."""
        return urlsplit(self.path).path

    @property
    def query(self) -> dict[str, str]:
        """Parameters of the address; of several with one name, the first."""
        return _first_values(urlsplit(self.path).query)

    def read_body(self) -> str:
        """The request's body. It can be read once."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()

    def read_form(self) -> dict[str, str]:
        """The body as a form; of several fields with one name, the first."""
        return _first_values(self.read_body())

    def cookie(self, name: str) -> str:
        """Value of a cookie; empty where the client sends none."""
        for pair in self.headers.get("Cookie", "").split(";"):
            # One by one: SimpleCookie gives up at the first pair of the header that it cannot read.
            if pair.strip().startswith(f"{name}="):
                return SimpleCookie(pair)[name].value
        return ""

    def answer(self, status: int, body: str | bytes = "", kind: str = HTML, **headers: str) -> None:
        """Send status, headers and body; text as UTF-8."""
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def redirect(self, status: int, location: str, cookie: tuple[str, str] | None = None) -> None:
        """Send the client to another address.

        Args:
            cookie: name and value of a cookie for all paths, which scripts of pages cannot read.
        """
        headers = {"Location": location}
        if cookie:
            [morsel] = SimpleCookie(dict([cookie])).values()
            morsel["path"], morsel["httponly"] = "/", True
            headers["Set-Cookie"] = morsel.OutputString()
        self.answer(status, **headers)

    def log_message(self, *_: Any) -> None:
        """Log nothing: addresses, forms and headers hold codes, passwords and tokens."""


class WebServer:
    """A server on a free port of 127.0.0.1; a context manager.

    Args:
        handler: subclass of `WebHandler`.
        outer: becomes the handlers' attribute `outer`.
        certificate: file with certificate and key; the server then speaks TLS.
        values: further attributes of the handlers.
    """

    def __init__(
        self, handler: type[WebHandler], outer: object, certificate: Path | None = None, **values: object
    ) -> None:
        bound = type(handler.__name__, (handler,), {"outer": outer, **values})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), bound)
        self.port = int(self._server.server_port)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering. May be called again."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def _first_values(form: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(form).items()}
