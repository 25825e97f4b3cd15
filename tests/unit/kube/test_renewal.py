"""Credentials that expire during a run: by a plug-in for tokens or certificates, and in a file."""

from __future__ import annotations

import json
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clients.kube import renewal
from clients.kube.cluster import Cluster
from clients.kube.login import User
from clients.kube.renewal import EARLY_S, PAUSE_S, REREAD_S, Renewal
from clients.model.errors import AccessError

pytestmark = pytest.mark.unit

NOW = 1_800_000_000.0


class MovedClock:
    """Both clocks, which tests move."""

    def __init__(self) -> None:
        self.passed = 0.0

    def wall(self) -> float:
        return NOW + self.passed

    def __call__(self) -> float:
        return self.passed


class NumberedLogins:
    """The library's, whose credentials are numbered.

    Args:
        valid_s: seconds until those that it gives expire; none where it does not say.
    """

    def __init__(self, clock: MovedClock, *valid_s: float | None) -> None:
        self._clock, self._valid_s = clock, list(valid_s)
        self.logins = 0
        self.fails = False
        self._load_authentication()

    def _load_authentication(self) -> None:
        self.logins += 1
        if self.fails:
            raise OSError("no session")
        self.token = f"Bearer {self.logins}\n"
        valid_s = self._valid_s.pop(0) if len(self._valid_s) > 1 else self._valid_s[0]
        if valid_s is not None:
            self.expiry = datetime_of(self._clock.wall() + valid_s)


class HeaderOnly:
    def __init__(self) -> None:
        self.api_key: dict[str, str] = {}


def datetime_of(seconds: float) -> Any:
    return datetime.fromtimestamp(seconds, UTC)


def renewing(
    clock: MovedClock, *valid_s: float | None, user: dict[str, Any] | None = None
) -> tuple[NumberedLogins, Renewal]:
    loader = NumberedLogins(clock, *valid_s)
    return loader, Renewal(loader, User("u", user or {"exec": {}}), clock.wall, clock)


def logins(clock: MovedClock, loader: NumberedLogins, renewed: Renewal, for_s: int) -> int:
    """How often it logs in while a request is sent each second."""
    before = loader.logins
    for _ in range(for_s):
        clock.passed += 1
        renewed.keep(HeaderOnly())
    return loader.logins - before


@pytest.mark.parametrize(
    ("valid_s", "for_s", "times"),
    [(3600.0, 3600 - int(EARLY_S) - 1, 0), (3600.0, 3600 - int(EARLY_S), 1), (300.0, 239, 0), (300.0, 1200, 5)],
)
def test_a_plugin_is_asked_again_shortly_before_its_credentials_expire(valid_s: float, for_s: int, times: int) -> None:
    """For credentials of five minutes, as Keycloak's and Pinniped's, it was started by every single request."""
    clock = MovedClock()
    loader, renewed = renewing(clock, valid_s)
    assert logins(clock, loader, renewed, for_s) == times


def test_credentials_that_seem_to_have_expired_do_not_start_it_each_time() -> None:
    """This machine's clock may be fast."""
    clock = MovedClock()
    loader, renewed = renewing(clock, -100.0)
    assert logins(clock, loader, renewed, 60) == 60 / PAUSE_S


def test_credentials_that_state_no_end_are_kept() -> None:
    clock = MovedClock()
    loader, renewed = renewing(clock, 60.0, None)
    assert logins(clock, loader, renewed, 10_000) == 1


def test_a_file_is_read_again_as_kubectl_does() -> None:
    clock = MovedClock()
    loader, renewed = renewing(clock, None, user={"tokenFile": "t"})
    made = HeaderOnly()
    clock.passed = REREAD_S - 1
    renewed.keep(made)
    assert loader.logins == 1
    clock.passed = REREAD_S
    renewed.keep(made)
    assert (loader.logins, made.api_key) == (2, {"BearerToken": "Bearer 2"})


def test_where_it_fails_the_old_ones_are_kept_and_the_reason_is_known_until_it_does_not() -> None:
    clock = MovedClock()
    loader, renewed = renewing(clock, 60.0)
    before = renewed.current
    loader.fails = True
    assert logins(clock, loader, renewed, 58) == 3
    assert (renewed.failed, renewed.current) == ("no session", before)
    loader.fails = False
    assert logins(clock, loader, renewed, 5) == 1
    assert not renewed.failed
    assert renewed.current != before


@pytest.mark.parametrize("user", [{"exec": {}}, {"tokenFile": "t"}, {"auth-provider": {"name": "oidc"}}])
def test_what_the_server_refuses_is_replaced_at_once(user: dict[str, Any]) -> None:
    clock = MovedClock()
    loader, renewed = renewing(clock, None, user=user)
    refused = renewed.current
    assert renewed.again(HeaderOnly(), refused)
    assert renewed.again(HeaderOnly(), refused), "another thread has renewed them meanwhile"
    assert loader.logins == 2
    assert not renewed.again(HeaderOnly(), renewed.current), "so soon there are no others"


@pytest.mark.parametrize("user", [{"token": "t"}, {"client-certificate": "crt"}, {"username": "u"}])
def test_what_never_changes_is_not_tried_again(user: dict[str, Any]) -> None:
    loader, renewed = renewing(MovedClock(), None, user=user)
    assert not renewed.again(HeaderOnly(), renewed.current)
    assert loader.logins == 1


class Verifying(BaseHTTPRequestHandler):
    """Accepts the newest credentials only: a token that it was told of, or the certificate of a name."""

    protocol_version = "HTTP/1.1"
    accepted = ""
    seen: list[str]

    def do_GET(self) -> None:
        certificate: Any = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        names = dict(pair[0] for pair in certificate["subject"]) if certificate else {}
        sent = (self.headers.get("authorization") or "").removeprefix("Bearer ") or names.get("commonName", "")
        type(self).seen.append(sent)
        body = b'{"gitVersion": "v1.34.0"}' if sent == self.accepted else b'{"message": "Unauthorized"}'
        self.send_response(200 if sent == self.accepted else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    monkeypatch.setattr(Verifying, "seen", [], raising=False)
    monkeypatch.setattr(renewal, "PAUSE_S", 0.0)
    made = ThreadingHTTPServer(("127.0.0.1", 0), Verifying)
    made.daemon_threads = True
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def connected(folder: Path, address: str, user: dict[str, Any], **cluster: Any) -> Cluster:
    parts = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": address, **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    (folder / "config").write_text(json.dumps(parts))
    return Cluster.connect(folder / "config")


def plugin(folder: Path) -> dict[str, Any]:
    """A user by an exec plug-in that prints the status in a file."""
    program = folder / "our-login"
    made = 'print(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": json.loads(status)}))'
    text = (
        f"import json, pathlib\nversion = {VERSION!r}\nstatus = pathlib.Path({str(folder / 'status')!r}).read_text()\n"
    )
    program.write_text(f"#!{sys.executable}\n{text}{made}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": VERSION, "command": "./our-login", "interactiveMode": "Never"}}


VERSION = "client.authentication.k8s.io/v1"


def test_a_token_in_a_file_that_ends_with_a_line_break_and_is_written_again(
    tmp_path: Path, server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("first\n")
    monkeypatch.setattr(Verifying, "accepted", "first")
    cluster = connected(tmp_path, f"http://127.0.0.1:{server.server_port}", {"tokenFile": "token"})
    (tmp_path / "token").write_text("second\n")
    monkeypatch.setattr(Verifying, "accepted", "second")
    assert cluster.api.json("GET", "/version")
    assert cluster.api.json("GET", "/version")
    assert Verifying.seen == ["first", "first", "second", "second"]
    cluster.close()


def test_credentials_are_looked_after_once_for_a_request(
    tmp_path: Path, server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library has a hook of its own for it, which each header asked a second time."""
    (tmp_path / "token").write_text("first")
    monkeypatch.setattr(Verifying, "accepted", "first")
    looks: list[int] = []
    keep = Renewal.keep
    monkeypatch.setattr(Renewal, "keep", lambda self, made: (looks.append(1), keep(self, made))[-1])
    cluster = connected(tmp_path, f"http://127.0.0.1:{server.server_port}", {"tokenFile": "token"})
    for request in (
        lambda: cluster.api.json("GET", "/version"),
        lambda: cluster.api.riding_out(lambda: cluster.api.client.param_serialize("GET", "/version")),
    ):
        looks.clear()
        request()
        assert len(looks) == 1
    cluster.close()


def test_a_plugins_token_that_the_server_does_not_accept_any_more(
    tmp_path: Path, server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may say nothing about its end, or this machine's clock may be slow."""
    user = plugin(tmp_path)
    (tmp_path / "status").write_text('{"token": "first"}')
    monkeypatch.setattr(Verifying, "accepted", "first")
    cluster = connected(tmp_path, f"http://127.0.0.1:{server.server_port}", user)
    (tmp_path / "status").write_text('{"token": "second"}')
    monkeypatch.setattr(Verifying, "accepted", "second")
    assert cluster.api.json("GET", "/version")
    monkeypatch.setattr(Verifying, "accepted", "third")
    with pytest.raises(AccessError, match="Unauthorized"):
        cluster.api.json("GET", "/version")
    cluster.close()


def test_a_plugins_certificate_is_renewed_for_requests_and_for_discovery(
    tmp_path: Path, server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of Pinniped and Teleport are valid for minutes; the library never asks for another one."""
    first, second = (certificate(tmp_path, name) for name in ("first", "second"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "first.pem", tmp_path / "first.key")
    for name in ("first", "second"):
        context.load_verify_locations(tmp_path / f"{name}.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True)
    user = plugin(tmp_path)
    (tmp_path / "status").write_text(json.dumps(first))
    monkeypatch.setattr(Verifying, "accepted", "first")
    address = f"https://127.0.0.1:{server.server_port}"
    cluster = connected(tmp_path, address, user, **{"certificate-authority": "first.pem"})
    (tmp_path / "status").write_text(json.dumps(second))
    monkeypatch.setattr(Verifying, "accepted", "second")
    assert cluster.api.json("GET", "/version")
    answer = cluster.api.client.call_api(*cluster.api.client.param_serialize("GET", "/version"))
    assert answer.response.status == 200, "the library's own requests have the new one too"
    assert Verifying.seen == ["first", "first", "second", "second"]
    cluster.close()


def test_a_server_that_is_not_verified_as_stated_warns_of_nothing(
    tmp_path: Path, server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate(tmp_path, "first")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "first.pem", tmp_path / "first.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setattr(Verifying, "accepted", "t")
    address = f"https://127.0.0.1:{server.server_port}"
    connected(tmp_path, address, {"token": "t"}, **{"insecure-skip-tls-verify": True}).close()
    assert Verifying.seen == ["t"]


def certificate(folder: Path, name: str) -> dict[str, str]:
    """A certificate that signs itself, as the status of a plug-in."""
    words = f"req -x509 -newkey rsa:2048 -nodes -subj /CN={name} -days 2 -keyout {name}.key -out {name}.pem"
    more = ("-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run(["openssl", *words.split(), *more], cwd=folder, check=True, capture_output=True)
    key, text = (folder / f"{name}.key").read_text(), (folder / f"{name}.pem").read_text()
    return {"clientCertificateData": text, "clientKeyData": key}
