"""The signed statement about a run's files: an in-toto statement of a test's result in a DSSE envelope.

in-toto attestation framework, Statement v1 and predicate `test-result` v0.1; DSSE v1.0 for the envelope.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from clients.model.counted import counted
from reports import allure, files
from reports.marks import Mark, mark
from reports.model import Report, ReportError

FILE, PUBLIC = "attestation.json", "attestation.pub"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD = "application/vnd.in-toto+json"
_CHUNK = 1024 * 1024
_KEY, _OWN = "signing key", "made for this run"
_MOST_NAMES = 3


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
    except OSError:
        hint = "name the folder of a run; `meshproof report RUN` signs one without"
        raise ReportError(f"{folder} has no {FILE}", hint) from None
    try:
        public = public_key(key or folder / PUBLIC)
    except ReportError as error:
        if key:
            raise
        raise TamperedError(f"{folder}: {PUBLIC} is not the key that signed: {error.message}") from None
    statement = _read_statement(text, public, "the given key" if key else "its own key")
    subjects = {str(one["name"]): str(one["digest"]["sha256"]) for one in statement["subject"]}
    real = files.real(folder)
    for name, digest in subjects.items():
        path = files.real(folder / name)
        if not path.is_relative_to(real) or not path.is_file():
            raise TamperedError(f"{folder}: {name} is missing")
        if _digest(path) != digest:
            raise TamperedError(f"{folder}: {name} is not the file that was signed")
    about = statement.get("predicate", {}).get("configuration", [{}])[0].get("annotations", {})
    unsigned = tuple(name for name in _files(folder) if name not in subjects)
    return Signed(subjects, key_id(public), about.get(_KEY) == _OWN, unsigned)


def private_key(path: Path) -> Ed25519PrivateKey:
    """The key of a file. Raises ReportError where it cannot be read, is none of Ed25519 as PEM, or is encrypted."""
    try:
        found = serialization.load_pem_private_key(_content(path, "private"), None)
    except (ValueError, TypeError):
        found = None
    if not isinstance(found, Ed25519PrivateKey):
        raise ReportError(f"{path} is no private key of Ed25519", "openssl genpkey -algorithm ed25519 makes one")
    return found


def public_key(path: Path) -> Ed25519PublicKey:
    """The key of a file. Raises ReportError where it cannot be read, or is none of Ed25519 as PEM."""
    try:
        found = serialization.load_pem_public_key(_content(path, "public"))
    except ValueError:
        found = None
    if not isinstance(found, Ed25519PublicKey):
        raise ReportError(f"{path} is no public key of Ed25519", "openssl pkey -in KEY -pubout writes it")
    return found


def _content(path: Path, kind: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ReportError(f"cannot read the {kind} key {path}: {error.strerror}", "name a file in PEM") from None


def key_id(key: Ed25519PublicKey) -> str:
    """SHA-256 of the public key, in hex digits."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()


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
        signatures = [base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"]]
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise TamperedError(f"{FILE} is damaged") from None
    if not any(_holds(public, signature, _signed(kind, payload)) for signature in signatures):
        raise TamperedError(f"{FILE} is not signed by {whose}")
    statement: dict[str, Any] = json.loads(payload)
    if kind != PAYLOAD or statement.get("_type") != STATEMENT or statement.get("predicateType") != PREDICATE:
        raise TamperedError(f"{FILE} is no statement about a run")
    return statement


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
