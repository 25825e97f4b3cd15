"""The signed statement: intact, changed, missing, by another key, and what is none."""

from __future__ import annotations

import base64
import errno
import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from report_samples import sample_report

from reports import attest, signing_keys
from reports.record.model import ReportError
from reports.write import write_reports
from runner.commands import cli

pytestmark = pytest.mark.unit

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PLAIN = serialization.NoEncryption()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "out" / "r1"
    (folder / "screenshots").mkdir(parents=True)
    (folder / "screenshots" / "a.png").write_bytes(b"png")
    write_reports(sample_report(), folder)
    return folder


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    made = Ed25519PrivateKey.generate()
    private, public = tmp_path / "key.pem", tmp_path / "key.pub"
    private.write_bytes(made.private_bytes(PEM, PKCS8, PLAIN))
    public.write_bytes(made.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def statement(run: Path) -> dict[str, object]:
    envelope = json.loads((run / attest.FILE).read_text())
    found: dict[str, object] = json.loads(base64.b64decode(envelope["payload"]))
    return found


def test_the_statement_is_in_totos(run: Path) -> None:
    found = statement(run)
    names = [subject["name"] for subject in found["subject"]]  # type: ignore[attr-defined]
    assert names == ["conformance.json", "index.html", "junit.xml", "metrics.prom", "screenshots/a.png", "summary.md"]
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    predicate = found["predicate"]
    assert isinstance(predicate, dict)
    assert predicate["result"] == "FAILED"
    assert len(predicate["passedTests"]) == 33
    assert predicate["failedTests"] == [case.id for case in sample_report().cases if case.verdict == "fail"]


def test_what_is_signed_is_the_encoding_of_dsse() -> None:
    assert attest._signed("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_an_intact_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "later.txt").write_text("what came later is not part of it")
    assert cli.main(["verify", str(run)]) == 0
    assert "6 files are as they were signed, by a key in the same folder" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["conformance.json", "index.html", "screenshots/a.png"])
@pytest.mark.parametrize("how", ["changed", "missing"])
def test_a_file_that_is_not_what_was_signed(run: Path, name: str, how: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = run / name
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert cli.main(["verify", str(run)]) == 1
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert name in out


def _payload(envelope: dict[str, object]) -> None:
    text = base64.b64decode(str(envelope["payload"])).replace(b"FAILED", b"PASSED")
    envelope["payload"] = base64.b64encode(text).decode()


def _type(envelope: dict[str, object]) -> None:
    envelope["payloadType"] = "text/plain"


def _signature(envelope: dict[str, object]) -> None:
    envelope["signatures"] = []


@pytest.mark.parametrize("change", [_payload, _type, _signature])
def test_a_statement_that_was_changed(run: Path, change: object) -> None:
    envelope = json.loads((run / attest.FILE).read_text())
    change(envelope)  # type: ignore[operator]
    (run / attest.FILE).write_text(json.dumps(envelope))
    with pytest.raises(attest.TamperedError, match="is not signed by its own key"):
        attest.verify(run)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"payload": "?", "payloadType": "x", "signatures": []}', "\xff", "[" * 100_000]
)
def test_a_statement_that_is_damaged(run: Path, text: str) -> None:
    (run / attest.FILE).write_text(text)
    with pytest.raises(attest.TamperedError, match="is damaged"):
        attest.verify(run)


ABOUT = {"_type": attest.STATEMENT, "predicateType": attest.PREDICATE}


@pytest.mark.parametrize(
    "payload",
    [
        *("[]", "null", "{", "{}", json.dumps(ABOUT)),
        *(json.dumps({**ABOUT, "subject": one}) for one in (1, [1], [{"name": "a"}], [{"name": "a", "digest": 1}])),
        json.dumps({**ABOUT, "subject": [{"name": "a\0b", "digest": {"sha256": "1"}}]}),
        json.dumps({**ABOUT, "subject": [{"name": 1, "digest": {"sha256": "1"}}]}),
    ],
)
def test_what_is_signed_well_and_is_no_statement_about_a_run(
    payload: str, run: Path, keys: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A key in the folder signs whatever is there."""
    private, public = keys
    signature = signing_keys.private_key(private).sign(attest._signed(attest.PAYLOAD, payload.encode()))
    encoded = base64.b64encode(payload.encode()).decode()
    signatures = [{"sig": base64.b64encode(signature).decode()}]
    envelope = {"payloadType": attest.PAYLOAD, "payload": encoded, "signatures": signatures}
    (run / attest.FILE).write_text(json.dumps(envelope))
    assert cli.main(["verify", str(run), "--key", str(public)]) == 1
    assert "attestation.json is no statement about a run" in capsys.readouterr().out


@pytest.mark.parametrize("predicate", [1, {}, {"configuration": []}, {"configuration": [1]}])
def test_a_statement_that_says_nothing_of_its_key(predicate: object, run: Path, keys: tuple[Path, Path]) -> None:
    private, public = keys
    payload = json.dumps({**ABOUT, "subject": [], "predicate": predicate}).encode()
    sig = base64.b64encode(signing_keys.private_key(private).sign(attest._signed(attest.PAYLOAD, payload))).decode()
    body = {"payloadType": attest.PAYLOAD, "payload": base64.b64encode(payload).decode(), "signatures": [{"sig": sig}]}
    (run / attest.FILE).write_text(json.dumps(body))
    assert not attest.read(run, public).own_key


def test_a_kind_of_payload_that_no_text_can_have_is_damage(run: Path) -> None:
    envelope = json.loads((run / attest.FILE).read_text())
    (run / attest.FILE).write_text(json.dumps({**envelope, "payloadType": "\ud800"}))
    with pytest.raises(attest.TamperedError, match="is damaged"):
        attest.verify(run)


def test_a_file_that_cannot_be_read_is_one_line(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_: Path) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(attest, "_digest", unreadable)
    with pytest.raises(ReportError, match=r"cannot read .*: Permission denied"):
        attest.verify(run)


@pytest.mark.parametrize("name", [attest.FILE, attest.PUBLIC])
def test_a_statement_that_this_user_may_not_read_is_neither_missing_nor_changed(
    name: str, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != name)
    assert cli.main(["verify", str(run)]) == 2
    printed = capsys.readouterr().err
    assert f"{run / name}: Permission denied" in printed
    assert printed.count("\n") == 1


def test_a_key_of_ones_own_shows_who_signed(run: Path, keys: tuple[Path, Path]) -> None:
    private, public = keys
    with pytest.raises(attest.TamperedError, match="is not signed by the given key"):
        attest.verify(run, public)
    attest.write(sample_report(), run, private)
    assert "by the given key" in attest.verify(run, public)
    attest.write(sample_report(), run)  # as one would who changes the files and signs them by another key
    with pytest.raises(attest.TamperedError, match="is not signed by the given key"):
        attest.verify(run, public)


def test_what_is_no_run_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(tmp_path)]) == 2
    assert "has no attestation.json" in capsys.readouterr().err


def test_keys_that_cannot_be_used(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "ec.pem"
    other.write_bytes(generate_private_key(SECP256R1()).private_bytes(PEM, PKCS8, PLAIN))
    with pytest.raises(ReportError, match="is no private key of Ed25519"):
        signing_keys.private_key(other)
    with pytest.raises(ReportError, match="is no public key of Ed25519"):
        attest.verify(run, other)
    with pytest.raises(ReportError, match=r"cannot read the public key .*nope: No such file"):
        attest.verify(run, tmp_path / "nope")


def test_a_key_that_cannot_be_used_costs_no_report(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")
    with pytest.raises(ReportError, match=r"attestation\.json: .*key is no private key"):
        write_reports(sample_report(), tmp_path / "out" / "r1", tmp_path / "key")
    assert (tmp_path / "out" / "r1" / "index.html").exists()
