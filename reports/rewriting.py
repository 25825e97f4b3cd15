"""Whether the reports of a run may be written again: not where the new ones would say less, or hide a change."""

from __future__ import annotations

from pathlib import Path

from reports import attest, signing_keys
from reports.record import conformance, packed
from reports.record.journal import Contents
from reports.record.model import ReportError

SIGN_AGAIN = "--sign-again"


def check_journal(contents: Contents, journal: Path, folder: Path) -> None:
    """Refuse a journal that knows less than the reports which are there; an unreadable report is no reason.

    Raises:
        ReportError: it has no readable record of a run, or lacks cases that conformance.json has.
    """
    if contents.run is None and not contents.cases:
        raise ReportError(f"{_file(journal)} has no readable record of a run", _hint(journal))
    try:
        before = conformance.load(folder)
    except ReportError:
        return
    now = {case.id for _, case in contents.cases}
    if lost := [case.id for case in before.cases if case.id not in now]:
        has = f"{len(lost)} of the {len(before.cases)} cases in {folder / conformance.FILE}"
        raise ReportError(f"{_file(journal)} lacks {has}, among them {lost[0]}", _hint(journal))


def check_signature(folder: Path, key: Path | None) -> None:
    """Refuse to replace a signature that does not hold any more, or that another key has made.

    Args:
        key: private key that would sign; None for one of the run's own, which replaces only such a one.

    Raises:
        ReportError: it would be replaced, or the key cannot be used.
    """
    if not (folder / attest.FILE).exists():
        return
    new = signing_keys.key_id(signing_keys.private_key(key).public_key()) if key else ""
    try:
        signed = attest.read(folder)
    except attest.TamperedError as error:
        raise ReportError(
            f"{error}; the reports are not written again", f"find out what changed it; {SIGN_AGAIN} signs what is there"
        ) from None
    if not signed.own_key and signed.key != new:
        with_key = f"the key {new[:12]}" if key else "a new key"
        raise ReportError(
            f"{folder} was signed by the key {signed.key[:12]}, and would be signed again by {with_key}",
            f"give that key (signing_key), or {SIGN_AGAIN} to replace the signature",
        )


def _file(journal: Path) -> Path:
    """The form of the journal that is read."""
    return journal if journal.is_file() else packed.packed(journal)


def _hint(journal: Path) -> str:
    if journal.is_file() and packed.packed(journal).is_file():
        return f"nothing was written; {packed.packed(journal).name} is next to it: remove the one that is not the run's"
    return "nothing was written; restore the journal from a copy of the run"
