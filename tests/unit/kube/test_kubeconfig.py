"""Kubeconfigs that cannot be used, and servers that are none: one line with the object, the cause and a hint."""

from __future__ import annotations

import base64
import json
import logging
import stat
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from clients.kube import renewal
from clients.kube.api import Api
from clients.kube.cluster import Cluster
from clients.kube.cluster_time import ClusterTime
from clients.kube.kubeconfig import check_context
from clients.kube.no_answer import one_line
from clients.model.errors import AccessError, ClusterError, MeshproofError
from runner.commands import cli
from runner.config.settings import Settings
from runner.target.live import Live

pytestmark = pytest.mark.unit

Json = dict[str, Any]
NOBODY = "http://127.0.0.1:9"
"""Nothing listens there."""
PAGE = "<!DOCTYPE html>\n<html><title>Sign in</title></html>"
EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}


def kubeconfig(folder: Path, *, user: Json | None = None, cluster: Json | None = None, **changed: Any) -> Path:
    """A kubeconfig of one context, with `changed` instead of its parts."""
    parts = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": NOBODY, **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
    }
    path = folder / "config"
    path.write_text(json.dumps({**parts, **changed}))
    return path


def expired(issuer: str) -> Json:
    """Credentials of OpenID Connect whose token is of 1970."""
    claims = base64.urlsafe_b64encode(b'{"exp":1}').decode().rstrip("=")
    config = {"id-token": f"e30.{claims}.x", "idp-issuer-url": issuer, "client-id": "me", "client-secret": "s"}
    return {"auth-provider": {"name": "oidc", "config": {**config, "refresh-token": "r"}}}


@pytest.mark.parametrize(
    "text", ["a: [b", "\t", "a: b: c", "[1]", "5", "clusters: 5", "{contexts: [5]}", "", "\0", "&"]
)
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    assert_refused(path, says=f"{path} cannot be used: ", hint="name a file by --kubeconfig and a context by --context")


def test_a_folder_in_its_place_is_said_in_words(tmp_path: Path) -> None:
    """And not `[Errno 21] Is a directory: '…'`."""
    assert_refused(tmp_path, says=f"{tmp_path} cannot be used: Is a directory", hint="name a file by --kubeconfig")


@pytest.mark.parametrize(
    ("user", "says", "hint"),
    [
        (
            {"auth-provider": {"name": "gcp"}},
            "user u cannot log in by auth-provider gcp: kubectl has not had it since 1.26",
            "exec plugin",
        ),
        (
            {"auth-provider": {"name": "azure", "config": {"client-id": "x"}}},
            "user u cannot log in by auth-provider azure: kubectl has not had it since 1.26",
            "exec plugin",
        ),
        (expired(NOBODY), "user u cannot log in by auth-provider oidc: HTTPConnectionPool", "its issuer answers"),
        (
            {"auth-provider": {"name": "oidc", "config": {"id-token": "no token"}}},
            "user u cannot log in by auth-provider oidc: it gave no credentials",
            "its issuer answers",
        ),
        ({"tokenFile": "/nowhere/token"}, "/nowhere/token", "--kubeconfig"),
        ({"client-certificate-data": "no base64!", "client-key-data": "x"}, "cannot be used", "--kubeconfig"),
    ],
)
def test_a_user_who_cannot_log_in_is_named(tmp_path: Path, user: Json, says: str, hint: str) -> None:
    path = kubeconfig(tmp_path, user=user, cluster={"server": "https://127.0.0.1:9"})
    assert_refused(path, says=says, hint=hint)


@pytest.mark.parametrize(
    ("proxy", "says"),
    [("socks5://127.0.0.1:1080", "socks"), ("corp-proxy:3128", "scheme"), ("ftp://127.0.0.1", "scheme"), ("::", "")],
)
def test_a_proxy_that_cannot_be_used_is_called_one(tmp_path: Path, proxy: str, says: str) -> None:
    path = kubeconfig(tmp_path, cluster={"proxy-url": proxy})
    caught = assert_refused(
        path, says=f"cluster {NOBODY} cannot be reached through its proxy: ", hint="http://HOST:PORT"
    )
    assert says in caught.message.lower()


class Anything(BaseHTTPRequestHandler):
    """Answers everything with one body."""

    body = PAGE
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body.encode())

    def log_message(self, *_: Any) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Anything)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("body", [PAGE, "ok", "[]", "null", '"v1"', "{}", '{"paths": []}', "\udcff"])
def test_a_server_that_is_no_api_server_is_called_none(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    monkeypatch.setattr(Anything, "body", body.encode("utf-8", "replace").decode())
    path = kubeconfig(tmp_path, cluster={"server": address})
    caught = assert_refused(path, says=f"{address} does not answer GET /version as an API server", hint="login page")
    assert one_line(body)[:20] in caught.message or body == "\udcff"


@pytest.mark.parametrize("status", [401, 403, 404, 405, 502])
def test_a_page_of_an_error_is_not_called_a_lack_of_rights(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(Anything, "status", status)
    path = kubeconfig(tmp_path, cluster={"server": address})
    assert_refused(
        path, says=f"{address} does not answer GET /version as an API server: HTTP {status}", hint="login page"
    )


def test_an_error_of_the_api_server_is_shown_with_its_address(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Anything, "status", 500)
    monkeypatch.setattr(Anything, "body", '{"message": "etcd is down"}')
    path = kubeconfig(tmp_path, cluster={"server": address})
    assert_refused(path, says=f"cluster {address} does not answer: GET /version: etcd is down", hint="see that it runs")


def assert_refused(path: Path, *, says: str, hint: str) -> MeshproofError:
    """Whether connecting fails by an error in one line, and looking at the context does not."""
    assert Live(Settings(kubeconfig=path)).context() in ("c", "")
    with pytest.raises(ClusterError) as caught:
        Cluster.connect(path)
    assert says in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("words", [("doctor",), ("doctor", "--policies"), ("cleanup", "--dry-run")])
def test_a_command_prints_one_line_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    path = kubeconfig(tmp_path, cluster={"proxy-url": "corp-proxy:3128"})
    code = cli.main([*words, "--target", "live", "--kubeconfig", str(path)])
    printed = capsys.readouterr()
    lines = [line for line in (printed.out + printed.err).splitlines() if NOBODY in line]
    assert len(lines) == 1
    assert "cannot be reached through its proxy" in lines[0]
    assert printed.err.splitlines() == lines
    assert code == 2


def plugin(folder: Path, body: str) -> Path:
    """An exec plug-in of this text."""
    path = folder / "our-login"
    path.write_text(f"#!{sys.executable}\n{body}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_an_exec_plugin_that_is_missing_is_named_with_its_own_hint(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The library only logs it, and goes on without credentials: a lack of rights was reported."""
    user = {"exec": {**EXEC, "command": "our-login-plugin", "installHint": "Install it:\n  see https://example.com"}}
    path = kubeconfig(tmp_path, user=user)
    with pytest.raises(ClusterError) as caught:
        Cluster.connect(path)
    assert caught.value.message == f"{path}: exec plugin our-login-plugin failed: not found"
    assert caught.value.hint == "Install it: see https://example.com"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("import sys; sys.exit('Please run: our login\\nnow')", "process returned 1. Please run: our login now"),
        ("print('no JSON')", "failed to decode process output"),
        ("print('{}')", "malformed response. missing key 'apiVersion'"),
        (
            'print(\'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{}}\')',
            "missing token or clientCertificateData",
        ),
        ("import sys; sys.exit('bad token: \"0123456789abcdefghijkl\"')", "[redacted]"),
    ],
)
def test_an_exec_plugin_that_fails_says_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], body: str, says: str
) -> None:
    command = plugin(tmp_path, body)
    path = kubeconfig(tmp_path, user={"exec": {**EXEC, "command": str(command), "installHint": "Install it"}})
    with pytest.raises(ClusterError) as caught:
        Cluster.connect(path)
    assert caught.value.message.startswith(f"{path}: exec plugin {command} failed: ")
    assert says in caught.value.message
    assert "log in again" in caught.value.hint
    assert capfd.readouterr() == ("", "")


def test_what_an_interactive_plugin_printed_itself_is_not_called_an_error_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", None)
    monkeypatch.setattr("sys.stderr", sys.__stderr__)
    command = plugin(tmp_path, "raise SystemExit(1)")
    with pytest.raises(ClusterError, match="failed: it ended with an error, see what it printed"):
        Cluster.connect(kubeconfig(tmp_path, user={"exec": {**EXEC, "command": str(command)}}))


GIVEN = """
import json, pathlib, sys
if pathlib.Path(__file__).with_name("refused").exists():
    sys.exit("no session")
status = {"token": "0123", "expirationTimestamp": "2001-01-01T00:00:00Z"}
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}))
"""


def test_a_login_that_is_not_renewed_explains_the_refusal(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The plug-in is asked again shortly before its token expires; the old one may do until then."""
    monkeypatch.setattr(Anything, "body", '{"gitVersion": "v1.34.0"}')
    user = {"exec": {**EXEC, "command": str(plugin(tmp_path, GIVEN))}}
    cluster = Cluster.connect(kubeconfig(tmp_path, user=user, cluster={"server": address}))
    (tmp_path / "refused").touch()
    monkeypatch.setattr(renewal, "PAUSE_S", 0.0)
    assert cluster.api.json("GET", "/version")
    monkeypatch.setattr(Anything, "status", 401)
    with pytest.raises(AccessError, match="no session") as caught:
        cluster.api.json("GET", "/version")
    assert "log in again" in caught.value.hint
    assert capfd.readouterr() == ("", "")
    cluster.close()


@pytest.mark.parametrize("users", [[], [{"name": "u", "user": {}}]])
def test_a_user_without_credentials_may_still_reach_an_open_server(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch, users: list[Json]
) -> None:
    """As `kubectl proxy` is one."""
    monkeypatch.setattr(Anything, "body", '{"gitVersion": "v1.34.0"}')
    connected = Cluster.connect(kubeconfig(tmp_path, users=users, cluster={"server": address}))
    assert connected.server_version == "1.34.0"
    connected.close()


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (401, "Unauthorized", "log in again: the API server does not accept the credentials"),
        (403, 'pods is forbidden: User "dev" cannot list', "use an identity with this permission"),
        (403, 'forbidden: User "system:anonymous" cannot list', "log in: the kubeconfig gives no credentials"),
    ],
)
def test_a_refusal_has_the_hint_of_its_cause(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch, status: int, message: str, hint: str
) -> None:
    monkeypatch.setattr(Anything, "body", json.dumps({"message": message}))
    monkeypatch.setattr(Anything, "status", status)
    with pytest.raises(AccessError) as caught:
        Cluster.connect(kubeconfig(tmp_path, cluster={"server": address}))
    assert caught.value.hint.startswith(hint)
    assert message in caught.value.message


def test_logs_of_others_are_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    handlers = list(logging.getLogger().handlers)
    user = {"exec": {**EXEC, "command": "our-login-plugin"}}
    with pytest.raises(ClusterError):
        Cluster.connect(kubeconfig(tmp_path, user=user))
    assert logging.getLogger().handlers == handlers
    logging.getLogger().error("of another")
    assert [record.message for record in caplog.records] == ["of another"]


def test_a_server_without_a_clock_is_named(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Anything, "body", '{"gitVersion": "v1.34.0"}')
    monkeypatch.setattr(Anything, "date_time_string", lambda *_: "today")
    cluster = Cluster.connect(kubeconfig(tmp_path, cluster={"server": address}))
    with pytest.raises(ClusterError, match="states no time"):
        cluster.api.time()
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    assert 0 <= ClusterTime.read(cluster).now() - 2_000_000_000.0 < 5, "this machine's is the only one known"
    assert isinstance(cluster.api, Api)
    cluster.close()


def test_a_kubeconfig_that_is_not_there_is_named_before_clusters_are_proven_side_by_side(tmp_path: Path) -> None:
    """It said that "'NoneType' object is not subscriptable"."""
    file = tmp_path / "nowhere"
    with pytest.raises(ClusterError, match=f"{file} cannot be used: there is no such file; name a file") as refused:
        check_context(file, "a")
    assert "NoneType" not in str(refused.value)
