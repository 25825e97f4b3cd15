"""The sign-in service and the stand-in of IAP, without a cluster: an upstream that says what it received."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import jwt
import pytest
import requests

from clients.identity import certificates
from clients.identity.claims import FRONT_ISSUER, PROJECT, RCTOKEN_AUDIENCE
from clients.identity.iap import CLIENT_ID, COOKIE, REFUSAL, RETURN_PATH, Balancer, IapSettings
from clients.identity.signin import HOST, SignIn, page, server
from clients.identity.tokens import TokenIssuer
from clients.probe.visitor import Visitor
from suites.iap.visits import OTHER, StandIn

pytestmark = pytest.mark.unit

USER = "user@example.com"
SITE = "https://books.example.com"
QUERY = {"client_id": PROJECT, "response_type": "id_token", "scope": "openid email", "state": "s", "nonce": "n"}


@pytest.fixture(scope="module")
def tokens() -> TokenIssuer:
    return TokenIssuer()


class BackendEcho(BaseHTTPRequestHandler):
    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-own")
        self.end_headers()
        headers = json.dumps({key.lower(): value for key, value in self.headers.items()})
        self.wfile.write(self.body or headers.encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def upstream() -> Iterator[tuple[str, int]]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), BackendEcho)
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield "127.0.0.1", made.server_port
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def stand_in(tokens: TokenIssuer, upstream: tuple[str, int], tmp_path: Path) -> Iterator[StandIn]:
    made = certificates.issue(["books.example.com"])
    (tmp_path / "server.pem").write_text(made.certificate + made.key)
    (tmp_path / "roots.pem").write_text(made.roots)
    settings = IapSettings(users={USER})
    client = server(settings.client_secret, SITE + RETURN_PATH)
    with (
        SignIn(tokens, {USER: "right", OTHER: "right"}, {CLIENT_ID: client}) as signin,
        Balancer(settings, tokens, lambda: upstream, ("127.0.0.1", signin.port), tmp_path / "server.pem") as balancer,
    ):
        places = {"books.example.com:443": balancer.place("https"), f"{HOST}:80": ("127.0.0.1", signin.port)}
        visitor = lambda agent: Visitor(places, agent, str(tmp_path / "roots.pem"))  # noqa: E731 - one line
        yield StandIn(balancer, signin, visitor, SimpleNamespace())  # type: ignore[arg-type]


def test_a_stranger_is_sent_to_sign_in(stand_in: StandIn) -> None:
    reply = stand_in.visit("X").visitor.get(f"{SITE}/headers", follow=False)
    assert reply.status_code == 302
    assert reply.headers["Location"].startswith(f"http://{HOST}/authorize?")


def test_a_listed_user_passes_with_a_token_and_nothing_that_they_made_up(
    stand_in: StandIn, tokens: TokenIssuer
) -> None:
    visit = stand_in.visit("X")
    assert visit.signs_in(f"{SITE}/headers", USER).status_code == 200
    spoofed = {"X-Goog-Authenticated-User-Email": "admin", "Ingress-Authorization": "Istio forged", "X-Own": "kept"}
    got = visit.visitor.get(f"{SITE}/headers", **spoofed).json()
    assert got["x-goog-authenticated-user-email"] == f"accounts.google.com:{USER}"
    assert got["x-own"] == "kept"
    assert "cookie" not in got
    token = got["ingress-authorization"].removeprefix("Istio ")
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(tokens.jwks()).keys}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, ["ES256"], audience=RCTOKEN_AUDIENCE)["email"] == USER


def test_another_user_is_turned_away(stand_in: StandIn) -> None:
    reply = stand_in.visit("X").signs_in(f"{SITE}/headers", OTHER)
    assert (reply.status_code, reply.text) == (403, REFUSAL)


def test_a_made_up_code_or_session_names_nobody(stand_in: StandIn) -> None:
    visitor = stand_in.visit("X").visitor
    assert visitor.get(f"{SITE}{RETURN_PATH}?code=forged", follow=False).status_code == 401
    assert visitor.get(f"{SITE}/headers", follow=False, Cookie="GCP_IAP_SESSION=forged").status_code == 302
    assert visitor.get(f"{SITE}/headers", follow=False, Cookie="GCP_IAP_SESSION").status_code == 302


@pytest.mark.parametrize(
    "cookies", ["N={}", 'N="{}"', "theme=dark; N={}", "N={}; other=1", "N_2=forged; N={}", "a b={{1}}; N={}"]
)
def test_the_session_is_found_among_other_cookies(stand_in: StandIn, cookies: str) -> None:
    stand_in.visit("X").signs_in(f"{SITE}/headers", USER)
    [session] = stand_in.balancer._sessions
    sent = cookies.replace("N", COOKIE).format(session)
    assert stand_in.visit("X").visitor.get(f"{SITE}/headers", follow=False, Cookie=sent).status_code == 200


def test_what_is_passed_on_keeps_its_bytes_and_its_type(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in.balancer.settings.enabled = False
    monkeypatch.setattr(BackendEcho, "body", b"\xff\x00")
    reply = stand_in.visit("X").visitor.get(f"{SITE}/bytes", follow=False)
    assert (reply.content, reply.headers["Content-Type"]) == (b"\xff\x00", "application/x-own")


def test_a_balancer_may_be_closed_twice(stand_in: StandIn) -> None:
    stand_in.balancer.close()
    with pytest.raises(requests.ConnectionError):
        requests.get("http://{}:{}/".format(*stand_in.balancer.place("http")), timeout=5)


def test_the_sign_in_service_checks_password_and_where_it_sends_people(tokens: TokenIssuer) -> None:
    back = "http://shop.example.com/"
    with SignIn(tokens, {USER: "right"}, {PROJECT: page(back)}) as signin:
        base = f"http://127.0.0.1:{signin.port}"
        query = requests.Request("GET", base, params={**QUERY, "redirect_uri": back}).prepare().url.split("?")[1]  # type: ignore[union-attr]
        evil = requests.get(
            f"{base}/authorize", params={**QUERY, "redirect_uri": "http://evil.example.com/"}, timeout=5
        )
        forms = [{"request": query, "email": USER, "password": word} for word in ("wrong", "right", "")]
        wrong, right, empty = (
            requests.post(f"{base}/password", data=form, allow_redirects=False, timeout=5) for form in forms
        )
    assert evil.status_code == 400
    assert (wrong.status_code, empty.status_code) == (403, 403)
    where, _, fragment = right.headers["Location"].partition("#")
    assert where == back
    token = dict(part.split("=", 1) for part in fragment.split("&"))["id_token"]
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(tokens.jwks()).keys}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, ["RS256"], audience=PROJECT, issuer=FRONT_ISSUER)["email"] == USER
