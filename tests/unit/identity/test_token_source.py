"""Where real tokens come from: each source against a stand-in, each mistake in one line that tells no secret."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.identity.token_source import METADATA_HOST, METADATA_PATH, SourceSpec, TokenSource, Wanted
from clients.model import redact
from clients.model.errors import SettingsError
from tests.standins.issuer import AUDIENCE, NAME, Issuer, Metadata, metadata_server

pytestmark = pytest.mark.unit

WANTED = Wanted(NAME, AUDIENCE)
ISSUER = Issuer()


@pytest.fixture(autouse=True)
def forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redaction knows no token of another test."""
    monkeypatch.setattr(redact, "_known", set())


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[Metadata]:
    with metadata_server(ISSUER) as server:
        monkeypatch.setenv(METADATA_HOST, f"127.0.0.1:{server.port}")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        yield server


def source(text: str, wanted: Wanted = WANTED) -> TokenSource:
    return TokenSource("identity.token", SourceSpec.parse(text), wanted)


def script(folder: Path, text: str) -> Path:
    """An executable that is Python, whatever the machine's own is."""
    file = folder / "give-token"
    file.write_text(f"#!{sys.executable}\n{text}\n")
    file.chmod(0o755)
    return file


def test_a_file(tmp_path: Path) -> None:
    token = ISSUER.token()
    (tmp_path / "token").write_text(token + "\n")
    assert source(f"file:{tmp_path}/token").token() == token


def test_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    token = ISSUER.token()
    monkeypatch.setenv("SOMEBODYS_TOKEN", f" {token} ")
    assert source("env:SOMEBODYS_TOKEN").token() == token


def test_a_command_gets_the_audience_and_no_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", ISSUER.token())
    seen = tmp_path / "told"
    program = script(
        tmp_path, f"import os, sys\nopen({str(seen)!r}, 'w').write(repr(sys.argv[1:]))\nprint(os.environ['GIVEN'])"
    )
    assert source(f"command:{program} --audiences={{audience}} '$HOME; x'").token() == os.environ["GIVEN"]
    assert seen.read_text() == repr([f"--audiences={AUDIENCE}", "$HOME; x"])


def test_googles_metadata_server_as_google_documents_it(metadata: Metadata) -> None:
    assert source("metadata").token()
    assert metadata.asked == [(METADATA_PATH, {"audience": [AUDIENCE]}, "Google")]
    assert METADATA_PATH == "/computeMetadata/v1/instance/service-accounts/default/identity"


def test_redaction_knows_it_and_its_parts(tmp_path: Path) -> None:
    token = ISSUER.token()
    (tmp_path / "token").write_text(token)
    source(f"file:{tmp_path}/token").token()
    for part in (token, token.split(".")[1], token.rsplit(".", 1)[1]):
        assert part not in redact.redact(f"it said {part}!")


def test_it_is_asked_for_once_and_again_before_it_expires(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    calls.touch()
    tokens = [ISSUER.token(life, jti=str(life)) for life in (1000, 2000)]
    text = f"""
from pathlib import Path
calls = Path({str(calls)!r})
calls.write_text(calls.read_text() + "x")
print({tokens!r}[len(calls.read_text()) - 1])
"""
    now = time.time()
    clock = [now]
    asked = TokenSource("t", SourceSpec.parse(f"command:{script(tmp_path, text)}"), WANTED, clock=lambda: clock[0])
    assert [asked.token(), asked.token()] == [tokens[0]] * 2
    clock[0] = now + 930
    assert asked.token() == tokens[0]
    clock[0] = now + 950  # a minute before its end
    assert asked.token() == tokens[1]
    assert calls.read_text() == "xx"


def test_a_token_of_a_short_life_is_used_for_most_of_it(tmp_path: Path) -> None:
    file = tmp_path / "token"
    now = time.time()
    clock = [now]
    first, second = ISSUER.token(40, jti="1"), ISSUER.token(40, jti="2")
    file.write_text(first)
    asked = TokenSource("t", SourceSpec.parse(f"file:{file}"), WANTED, clock=lambda: clock[0])
    assert asked.token() == first
    file.write_text(second)
    clock[0] = now + 20
    assert asked.token() == first
    clock[0] = now + 35
    assert asked.token() == second


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vault:secret/x", "unknown source of tokens"),
        ("eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "unknown source of tokens"),
        ("command:", "incomplete source"),
        ("file", "incomplete source"),
        ("metadata:x", "incomplete source"),
        ("file:some/place", "absolute path"),
        ("command:./token.sh", "absolute path"),
        ("command:gcloud 'auth", "quote that is not closed"),
    ],
)
def test_a_source_that_cannot_be_is_refused_without_repeating_it(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        SourceSpec.parse(text)
    what = text.partition(":")[2]
    assert not what or what not in str(error.value)


SECRET = "s3cr3t-words"
FAULTS = {
    "command:/nowhere/token": "the command cannot be started (No such file or directory)",
    "command:{bad}": "the command failed with exit code 3; run it by hand to see why",
    "command:{silent}": "the source gives nothing",
    "file:{folder}/absent": "absent cannot be read (No such file or directory)",
    "file:{folder}/empty": "the source gives nothing",
    "file:{folder}/words": "what the source gives is no JWT",
    "env:NO_SUCH_VARIABLE": "the environment has no variable NO_SUCH_VARIABLE; export it",
    "file:{folder}/expired": "the token expired 60 s ago; let the source give a new one, or set this machine's clock",
    "file:{folder}/other-issuer": f"the token is of issuer https://other.example.com, not {NAME}",
    "file:{folder}/other-audience": f"the token is for another, not {AUDIENCE}",
    "file:{folder}/for-ever": "the token never expires: it has no claim exp",
}


@pytest.mark.parametrize("text", FAULTS)
def test_each_mistake_is_told_in_one_line_without_what_the_source_said(
    text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tokens = {
        "expired": ISSUER.token(-60),
        "other-issuer": ISSUER.token(iss="https://other.example.com"),
        "other-audience": ISSUER.token(aud="another"),
        "for-ever": ISSUER.token(exp=None),
        "words": SECRET,
        "empty": " \n",
    }
    for name, content in tokens.items():
        (tmp_path / name).write_text(content)
    bad, silent = tmp_path / "bad", tmp_path / "silent"
    bad.write_text(f"#!/bin/sh\necho {SECRET}; echo {SECRET} >&2; exit 3\n")
    silent.write_text("#!/bin/sh\n")
    for program in (bad, silent):
        program.chmod(0o755)
    asked = source(text.format(folder=tmp_path, bad=bad, silent=silent))
    with pytest.raises(SettingsError) as error:
        asked.token()
    shown = str(error.value)
    assert shown.startswith("identity.token: ")
    assert FAULTS[text] in shown.replace("expired 61 s", "expired 60 s")
    assert "\n" not in shown
    for secret in (SECRET, *tokens.values()):
        assert not secret.strip() or secret not in shown
    assert SECRET not in "".join(capfd.readouterr())


def test_a_command_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("clients.identity.token_source.COMMAND_S", 0.2)
    with pytest.raises(SettingsError, match=r"did not end within 0\.2 s"):
        source("command:sleep 10").token()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flavor": ""}, "is no metadata server of Google's"),
        ({"answers": {METADATA_PATH: (404, "no account")}}, "answers 404; give the workload an account"),
        ({"answers": {METADATA_PATH: (200, "")}}, "gives nothing"),
    ],
)
def test_a_metadata_server_that_gives_none(metadata: Metadata, change: dict[str, object], message: str) -> None:
    for name, value in change.items():
        setattr(metadata, name, value)
    with pytest.raises(SettingsError, match=message):
        source("metadata").token()


def test_no_metadata_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(METADATA_HOST, "127.0.0.1:1")
    with pytest.raises(
        SettingsError, match=r"no metadata server answers at 127\.0\.0\.1:1 \(ConnectionError\); use it"
    ):
        source("metadata").token()


def test_a_token_that_must_have_expired(tmp_path: Path) -> None:
    file = tmp_path / "token"
    wanted = Wanted(NAME, AUDIENCE, expired=True)
    file.write_text(old := ISSUER.token(-60))
    assert source(f"file:{file}", wanted).token() == old
    file.write_text(ISSUER.token())
    with pytest.raises(SettingsError, match="has not expired"):
        source(f"file:{file}", wanted).token()


def test_a_token_for_another_audience(metadata: Metadata, tmp_path: Path) -> None:
    wanted = Wanted(NAME, "https://elsewhere.example.com", not_for=AUDIENCE)
    assert source("metadata", wanted).claims()["aud"] == "https://elsewhere.example.com"
    (tmp_path / "token").write_text(ISSUER.token(aud=["x", AUDIENCE]))
    with pytest.raises(SettingsError, match=f"for {AUDIENCE}, which it must not be"):
        source(f"file:{tmp_path}/token", wanted).token()


def test_one_audience_of_several_will_do(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(ISSUER.token(aud=["x", AUDIENCE]))
    assert source(f"file:{tmp_path}/token").token()
