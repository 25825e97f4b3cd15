"""The signed statement about a run's files: an in-toto statement of a test's result in a DSSE envelope.

in-toto attestation framework, Statement v1 and predicate `test-result` v0.1; DSSE v1.0 for the envelope.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from clients.model.counted import counted
from reports import files
from reports.formats import allure
from reports.marks import Mark, mark
from reports.record.model import Report, ReportError
from reports.signing_keys import key_id, private_key, public_key

FILE, PUBLIC = "attestation.json", "attestation.pub"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD = "application/vnd.in-toto+json"
_CHUNK = 1024 * 1024
_KEY, _OWN = "signing key", "made for this run"
_MOST_NAMES = 3
_AS_WHO = "verify it as a user who may"


class TamperedError(Exception):
    """The files are not those that were signed; the text is one line."""


@dataclass(frozen=True)
class Signed:
    """What a statement that holds says of itself.

    Attributes:
        files: name → SHA-256, each as it is.
        key: SHA-256 of the public key.
        own_key: whether the run made that key for itself; False for a statement of release 0.1, which does not say.
        unsigned: files of the folder that it does not name.
    """

    files: dict[str, str]
    key: str
    own_key: bool
    unsigned: tuple[str, ...]


def write(report: Report, folder: Path, key: Path | None = None) -> None:
    """Sign the files of a run as they are now, except Allure's, which are derived; write statement and public key.

    Args:
        key: Ed25519 private key as PEM; None makes one for this run, which shows damage and not who signed.

    Raises:
        OSError: a file cannot be read or written.
        ReportError: the key cannot be used.
    """
    private = private_key(key) if key else Ed25519PrivateKey.generate()
    payload = json.dumps(_statement(report, folder, own_key=key is None), ensure_ascii=False, sort_keys=True).encode(
        errors="replace"
    )
    public = private.public_key()
    signature = {"keyid": key_id(public), "sig": _encoded(private.sign(_signed(PAYLOAD, payload)))}
    envelope = {"payloadType": PAYLOAD, "payload": _encoded(payload), "signatures": [signature]}
    files.write_text(folder / PUBLIC, _pem(public).decode())
    files.write_text(folder / FILE, json.dumps(envelope, indent=1) + "\n")


def verify(folder: Path, key: Path | None = None) -> str:
    """Check the files of a run against its statement; returns what holds, in one line.

    Args:
        key: public key as PEM; None takes the one in the folder.

    Raises:
        ReportError: the folder is no run with a statement, or the key cannot be used.
        TamperedError: a file, the statement or its signature is not what was signed.
    """
    signed = read(folder, key)
    whose = f"by the given key {signed.key[:12]}" if key else "by a key in the same folder, which shows damage only"
    later = len(signed.unsigned)
    added = f"; {counted(later, 'file')} {'is' if later == 1 else 'are'} not signed" if later else ""
    more = f" ({', '.join(signed.unsigned[:_MOST_NAMES])}{', …' if later > _MOST_NAMES else ''})" if later else ""
    return f"{folder}: {len(signed.files)} files are as they were signed, {whose}{added}{more}"


def read(folder: Path, key: Path | None = None) -> Signed:
    """The statement of a run, which holds. Raises as `verify` does."""
    try:
        text = (folder / FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        hint = "name the folder of a run; `meshproof report RUN` signs one without"
        raise ReportError(f"{folder} has no {FILE}", hint) from None
    except OSError as error:
        raise ReportError(f"cannot read {folder / FILE}: {error.strerror}", _AS_WHO) from None
    own = folder / PUBLIC
    try:
        public = public_key(key or own)
    except ReportError as error:
        if key or (own.exists() and not os.access(own, os.R_OK)):
            raise
        raise TamperedError(f"{folder}: {PUBLIC} is not the key that signed: {error.message}") from None
    statement = _read_statement(text, public, "the given key" if key else "its own key")
    subjects = _subjects(statement)
    real = files.real(folder)
    for name, digest in subjects.items():
        path = files.real(folder / name)
        if not path.is_relative_to(real) or not path.is_file():
            raise TamperedError(f"{folder}: {name} is missing")
        try:
            same = _digest(path) == digest
        except OSError as error:
            raise ReportError(f"cannot read {path}: {error.strerror}", _AS_WHO) from None
        if not same:
            raise TamperedError(f"{folder}: {name} is not the file that was signed")
    unsigned = tuple(name for name in _files(folder) if name not in subjects)
    return Signed(subjects, key_id(public), _says_own_key(statement), unsigned)


def _statement(report: Report, folder: Path, *, own_key: bool) -> dict[str, Any]:
    subjects = [{"name": name, "digest": {"sha256": _digest(folder / name)}} for name in _files(folder)]
    marks = [(case.id, mark(case)) for case in report.cases]
    tests = {
        "passedTests": [name for name, its in marks if its in (Mark.PASS, Mark.REDUCED)],
        "warnedTests": [name for name, its in marks if its in (Mark.INCONCLUSIVE, Mark.KNOWN)] + list(report.not_run),
        "failedTests": [name for name, its in marks if its is Mark.FAIL],
    }
    result = "PASSED" if report.ok else "FAILED" if report.failed else "WARNED"
    provenance = report.about.provenance if report.about else None
    source: dict[str, Any] = {
        "name": "meshproof",
        "digest": {"gitCommit": provenance.commit if provenance else ""},
        "annotations": {_KEY: _OWN if own_key else "given"},
    }
    return {
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": {"result": result, "configuration": [source], **tests},
    }


def _files(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if path.is_file() and not hidden and name.parts[0] not in (allure.FOLDER, FILE, PUBLIC):
            yield name.as_posix()


def _read_statement(text: bytes, public: Ed25519PublicKey, whose: str) -> dict[str, Any]:
    """A statement whose signature holds."""
    try:
        envelope = files.json_of(text)
        payload = base64.b64decode(envelope["payload"], validate=True)
        kind = str(envelope["payloadType"])
        signed = _signed(kind, payload)
        signatures = [base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"]]
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise TamperedError(f"{FILE} is damaged") from None
    if not any(_holds(public, signature, signed) for signature in signatures):
        raise TamperedError(f"{FILE} is not signed by {whose}")
    try:
        statement = files.json_of(payload)
    except ValueError:
        raise _no_statement() from None
    types = (statement.get("_type"), statement.get("predicateType")) if isinstance(statement, dict) else ()
    if kind != PAYLOAD or types != (STATEMENT, PREDICATE):
        raise _no_statement()
    found: dict[str, Any] = statement
    return found


def _subjects(statement: dict[str, Any]) -> dict[str, str]:
    """Name of a file → SHA-256. TamperedError where the statement has none, so that no run wrote it."""
    try:
        found = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
    except (KeyError, TypeError):
        raise _no_statement() from None
    if not all(isinstance(text, str) and "\0" not in text for pair in found.items() for text in pair):
        raise _no_statement()
    return found


def _says_own_key(statement: dict[str, Any]) -> bool:
    """Whether it says that the run made its key; not so where it says nothing of that, as those of release 0.1."""
    try:
        return bool(statement["predicate"]["configuration"][0]["annotations"][_KEY] == _OWN)
    except (KeyError, IndexError, TypeError):
        return False


def _no_statement() -> TamperedError:
    return TamperedError(f"{FILE} is no statement about a run")


def _holds(public: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        public.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _signed(kind: str, payload: bytes) -> bytes:
    """The bytes that are signed: DSSE's pre-authentication encoding."""
    return b" ".join((b"DSSEv1", str(len(kind)).encode(), kind.encode(), str(len(payload)).encode(), payload))


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            found.update(part)
    return found.hexdigest()


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
