"""A gateway that treats users otherwise than the harness is seen by the connections of requests like a user's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from cluster_fakes import CLIENT, CLIENT_POD, SERVER_POD, FakeRig, answered, entry

from clients.kube.pods import SIDECAR
from clients.mesh.discovery import MeshInfo
from clients.model.attempt import Attempt, Phase
from clients.model.case import Case
from clients.model.evidence import Evidence, Finding, FindingVerdict, Subject, Verdict
from clients.model.expect import Expectation, rbac_denied, status
from clients.model.outcome import OutcomeKind
from clients.model.probe import Workload
from clients.probe.outside import through
from clients.proof.steps import like_users
from clients.proof.steps.answered import ANSWERED

pytestmark = pytest.mark.unit

URL = "http://httpbin.mtls-service:8000/ip"
ALLOWED, DENIED = status(200), rbac_denied()
OWN, OTHER, NOWHERE = "10.0.0.9:8080", "10.0.0.77:8080", "-"
OUTSIDE: Workload = through(CLIENT)
MARKED, PORT = "mp-run-1-0123456789", "172.16.0.1:5000"
BY_NONE = "rbac_access_denied_matched_policy[none]"


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(like_users, "LOG_BUDGET_S", 0.02)


def attempt(name: str, **more: Any) -> Attempt:
    return Attempt(0.1, Phase.CONFIRM, True, "x", name, kind=OutcomeKind.STATUS, **more)


def of_user(number: int, remote: str, upstream: str) -> str:
    """A line of a request that has an id of the gateway's."""
    made = entry(f"of-the-gateway-{number}", "200", "x", upstream).replace("meshproof/X of", "curl/8.5.0 of")
    return made.replace("- - - -", f"- - {remote} -")


def look(
    expect: Expectation,
    marked: str,
    users: Sequence[tuple[str, str]],
    *,
    source: Workload = OUTSIDE,
    by: FindingVerdict = FindingVerdict.PASS,
    access_log: bool = True,
) -> list[Finding]:
    """What is found.

    Args:
        marked: where the gateway sent the request that is the harness's own.
        users: for each line of a request like a user's, the client's end and where it was sent.
    """
    rig = FakeRig(lambda _, name: answered(200, name))
    rig.servers = [replace(SERVER_POD, ip="10.0.0.9")]
    rig.mesh = rig.mesh if access_log else MeshInfo("istio")
    lines = [entry(MARKED, "200", "x", marked), *(of_user(number, *one) for number, one in enumerate(users))]
    rig.cluster.logs_of[CLIENT_POD.name, SIDECAR] = lines
    running: Any = SimpleNamespace(rig=rig, since=0.0, changed_at=0.0, applied=())
    ordinary = attempt("978a35da-0a70-43c6-9d2f-0123456789ab", ordinary=True, local=PORT)
    subject = Subject(control="X-1", id="X-1", title="t", polarity="allow", twin_control="")
    made = Evidence.of(subject, Verdict.PASS, attempts=(attempt(MARKED), ordinary))
    made = replace(made, findings=(Finding(ANSWERED, "in its log", by),))
    return like_users.findings(running, Case("X-1", source.get(URL), expect), made)


@pytest.mark.parametrize(
    ("expect", "marked", "users", "wrong"),
    [
        (ALLOWED, OWN, [(PORT, OWN)], ""),
        (ALLOWED, OWN, [(PORT, NOWHERE)], "1 of 1 requests like a user's were not sent to the server, and answered"),
        (ALLOWED, OWN, [(PORT, OTHER)], "1 of 1 requests like a user's were not sent to the server, and answered"),
        (ALLOWED, OWN, [(PORT, NOWHERE), (PORT, OWN)], ""),  # which entry is its own is not known
        (ALLOWED, OWN, [("10.0.0.2:5000", NOWHERE)], ""),  # another's, as where addresses are translated
        (ALLOWED, OWN, [], ""),
        (DENIED, NOWHERE, [(PORT, NOWHERE)], ""),
        (DENIED, NOWHERE, [(PORT, OWN)], "1 of 1 requests like a user's were sent on, and refused"),
        (DENIED, OWN, [(PORT, OWN)], ""),  # the server refuses
        (DENIED, NOWHERE, [("10.0.0.2:5000", OWN)], ""),
    ],
)
def test_a_gateway_that_answers_users_otherwise_is_known_by_their_connections(
    expect: Expectation, marked: str, users: Sequence[tuple[str, str]], wrong: str
) -> None:
    """It gives their requests ids of its own, so that only those with a mark were looked for."""
    found = look(expect, marked, users)
    assert [one.verdict for one in found] == ([FindingVerdict.FAIL] if wrong else [])
    assert not wrong or found[0].text.startswith(wrong)


def test_without_what_it_needs_nothing_is_said() -> None:
    users = [(PORT, NOWHERE)]
    assert look(ALLOWED, OWN, users, source=CLIENT) == []
    assert look(ALLOWED, OWN, users, by=FindingVerdict.NOT_CHECKED) == []
    assert look(ALLOWED, OWN, users, access_log=False) == []
