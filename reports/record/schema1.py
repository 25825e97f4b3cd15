"""Reads what releases before `meshproof/conformance/v2` wrote; the only place that parses a report's prose.

Those files kept no verdict of a finding, no kind of an attempt and no request but its curl command. What they do not
say is not made up: where no text of that release shows it, it is `inconclusive` or empty.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from clients.model.evidence import FindingVerdict, Grade, Verdict
from clients.model.outcome import OutcomeKind
from clients.model.request_record import RequestRecord

SCHEMA = "meshproof/conformance/v1"

TOKEN = "kind not recorded"
"""In place of a token's kind: the command shows that one was sent, and no more."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_NOT_CHECKED = "not looked at"
_FAILED_TRANSFER = re.compile(r"\S+ (\w+) \(")


def is_older(data: Any) -> bool:
    """Whether a case was written before findings had verdicts."""
    return isinstance(data, dict) and "findings" not in data


def upgraded(data: Mapping[str, Any]) -> dict[str, Any]:
    """The plain values of a case of schema 1 as schema 2 has them; fields of a wrong kind are left for the adapter."""
    findings = list(_findings(data))
    request = request_of(str(data.get("command", "")))
    attempts = data.get("attempts", ())
    is_list = isinstance(attempts, list | tuple)
    return {
        **data,
        "findings": findings,
        "grade": _grade(data, findings),
        "request": request and {"method": request.method, "url": request.url, "path": request.path,
                                "token": request.token},
        "attempts": [_attempt(attempt) for attempt in attempts] if is_list else attempts,
        "substitute": data.get("variant_of_target", ""),
        "network_path": data.get("network_path", data.get("way", ())),
    }  # fmt: skip


def request_of(command: str) -> RequestRecord | None:
    """The request of a curl command; None where it is none."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    url = next((word for word in reversed(words) if _URL.match(word)), "")
    if not url:
        return None
    flags = dict(pairwise(words))
    method = flags.get("-X") or flags.get("--request") or ("HEAD" if "-I" in words else "GET")
    path = "/" + url.partition("://")[2].partition("/")[2]
    sent = any(word.lower().startswith("authorization:") for word in words)
    return RequestRecord(method, url, path, TOKEN if sent else "")


def _findings(data: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """A finding of a passed case supported it, unless it says that nothing was looked at.

    Of any other case, only the findings that its reason quotes are known to have decided it.
    """
    proof, twin = data.get("proof"), data.get("twin")
    verdict, reason = data.get("verdict"), str(data.get("reason", ""))
    for key, text in proof.items() if isinstance(proof, dict) else ():
        name = str(key).removesuffix(", again")
        found = FindingVerdict.INCONCLUSIVE
        if str(text).startswith(_NOT_CHECKED):
            found = FindingVerdict.NOT_CHECKED
        elif verdict == Verdict.PASS:
            found = FindingVerdict.PASS
        elif verdict == Verdict.FAIL and f"{name}: {text}" in reason:
            found = FindingVerdict.FAIL
        elif name == "twin" and isinstance(twin, dict) and twin.get("verdict") in set(FindingVerdict):
            found = FindingVerdict(twin["verdict"])
        shown = str(text).removeprefix(f"{_NOT_CHECKED}: ") if found is FindingVerdict.NOT_CHECKED else text
        yield {"name": name, "text": shown, "verdict": found.value}


def _grade(data: Mapping[str, Any], findings: list[dict[str, str]]) -> str | None:
    if data.get("verdict") != Verdict.PASS:
        return None
    reduced = any(finding["verdict"] == FindingVerdict.NOT_CHECKED for finding in findings)
    return (Grade.REDUCED if reduced else Grade.FULL).value


def _attempt(data: Any) -> Any:
    return {**data, "kind": _kind(data).value} if isinstance(data, dict) else data


def _kind(attempt: Mapping[str, Any]) -> OutcomeKind:
    """By the summary as that schema wrote it: `403`, `000 reset (56)`, `infrastructure: …`; a look had no request."""
    summary = str(attempt.get("summary", ""))
    if summary.startswith(OutcomeKind.INFRASTRUCTURE):
        return OutcomeKind.INFRASTRUCTURE
    if not attempt.get("request_id"):
        return OutcomeKind.LOOK
    failed = _FAILED_TRANSFER.match(summary)
    if failed and failed[1] in set(OutcomeKind):
        return OutcomeKind(failed[1])
    return OutcomeKind.STATUS if summary[:3].isdigit() else OutcomeKind.OTHER
