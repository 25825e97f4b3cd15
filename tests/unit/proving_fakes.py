"""A case that is proven on a rig of fakes, with a mesh that lets tokens through."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from cluster_fakes import CLIENT, FakeRig, answered

from clients.model.case import Case
from clients.model.evidence import Evidence, Subject
from clients.model.expect import RBAC_DENIED, rbac_denied, status
from clients.model.stage import Observation, Stage
from clients.proof import prove as proof
from clients.proof.stage.client_reach import ClientReach

IP = "http://httpbin.mtls-service:8000/ip"
ALLOWED = CLIENT.get(IP, token="valid")
REFUSED = CLIENT.get(IP)
DENIAL = Case("X-2", REFUSED, rbac_denied(), twin=ALLOWED)
SUBJECT = Subject(control="X-2", id="X-2", title="t", polarity="deny", twin_control="X-1")


def require_jwt(rig: FakeRig, probe: Any, request_id: str) -> Any:
    """A mesh that lets tokens through and refuses the rest, and logs both."""
    if probe.token:
        return answered(200, request_id)
    rig.refuse_in_log(request_id, "rbac_access_denied_matched_policy[none]")
    return answered(403, request_id, RBAC_DENIED)


def make_rig(answer: Any = require_jwt) -> FakeRig:
    rig = FakeRig(lambda probe, request_id: answer(rig, probe, request_id))
    return rig


def prove(rig: FakeRig, case: Case, **stage: Any) -> Evidence:
    running = SimpleNamespace(
        rig=rig,
        stage=Stage("s"),
        applied=(),
        changed_at=time.monotonic(),
        baselines={},
        settled=(),
        worker="gw0",
        since=0.0,
        marked=lambda case: (),
        client_reach=ClientReach(rig, ()),  # type: ignore[arg-type]
    )
    running.__dict__.update(stage)
    return proof.prove_case(running, case, replace(SUBJECT, control=case.control, id=case.id))  # type: ignore[arg-type]


def texts(evidence: Evidence) -> dict[str, str]:
    return {finding.name: finding.text for finding in evidence.findings}


def observation(**more: Any) -> Observation:
    return Observation(REFUSED, status(200), time.monotonic(), **more)
