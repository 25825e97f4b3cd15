"""A real issuer for tests: it has a key that no run has, and provides its tokens by every kind of source."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from clients.identity.tokens import TokenIssuer

NAME = "https://accounts.example.com"
AUDIENCE = "the-front-door"


class Issuer:
    """Signs tokens with any claims."""

    def __init__(self, algorithm: str = "RS256") -> None:
        self._keys = TokenIssuer()
        self._algorithm = algorithm

    def token(self, life_s: float = 3600, **changes: Any) -> str:
        """A token that is valid for `life_s` seconds; a change to None removes a claim."""
        now = int(time.time())
        claims = {"iss": NAME, "aud": AUDIENCE, "sub": "someone", "iat": now, "exp": now + life_s, **changes}
        return self._keys.sign({name: value for name, value in claims.items() if value is not None}, self._algorithm)

    def command(self, folder: Path, life_s: float) -> tuple[str, Path]:
        """A setting that provides tokens by a program, and the file to which the program appends each token.

        The program has the key; `{audience}` makes it sign for any audience that is requested.
        """
        key_id, key = self._keys.signing_key(self._algorithm)
        log, program = folder / "given", folder / "give-token"
        claims = {"iss": NAME, "sub": "someone"}
        program.touch(mode=0o700)
        program.write_text(
            f"#!{sys.executable}\nimport jwt, sys, time\nnow = int(time.time())\n"
            f"claims = {claims!r} | dict(aud=sys.argv[1], iat=now, exp=now + {life_s})\n"
            f"token = jwt.encode(claims, {key!r}, {self._algorithm!r}, headers=dict(kid={key_id!r}))\n"
            f"open({str(log)!r}, 'a').write(token + '\\n')\n"
            "print(token)\n"
        )
        return f"command:{program} {{audience}}", log

    @property
    def jwks(self) -> dict[str, Any]:
        """Its public keys."""
        return self._keys.jwks()

    def save(self, file: Path) -> Path:
        """Write the public keys to a file."""
        file.write_text(json.dumps(self.jwks))
        return file


class Metadata:
    """What Google's metadata server, and an issuer's own site, answer on loopback.

    Attributes:
        asked: (path, query, Metadata-Flavor) of every request.
        answers: path → status and text; the identity endpoint answers by itself.
    """

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.asked: list[tuple[str, dict[str, list[str]], str]] = []
        self.answers: dict[str, tuple[int, str]] = {}
        self.flavor = "Google"
        self.port = 0

    def answer(self, path: str, audience: str) -> tuple[int, str]:
        """Status and text."""
        if path in self.answers:
            return self.answers[path]
        if path.endswith("/identity"):
            return 200, self.issuer.token(aud=audience)
        return 404, "no such page"


@contextmanager
def metadata_server(issuer: Issuer) -> Iterator[Metadata]:
    """The server, listening on loopback."""
    outer = Metadata(issuer)

    class IssuerHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            outer.asked.append((parts.path, query, self.headers.get("Metadata-Flavor", "")))
            status, text = outer.answer(parts.path, query.get("audience", [""])[0])
            self.send_response(status)
            self.send_header("Metadata-Flavor", outer.flavor)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), IssuerHandler)
    outer.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield outer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
