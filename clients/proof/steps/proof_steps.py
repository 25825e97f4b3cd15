"""The proof of a case: a list of steps with one signature. A new kind of proof is one function, and one line here.

See docs/adding-a-proof.md.
"""

from __future__ import annotations

from clients.model.evidence import Finding
from clients.proof.proving import ProofStep, Proving
from clients.proof.steps.answered import application_answered
from clients.proof.steps.counted import every_arrival_is_known
from clients.proof.steps.decided import refused_by_policy
from clients.proof.steps.denial import backend_silent, exec_ran, external_server_silent, still_refused, twin_passes
from clients.proof.steps.kept_connection import refused_on_the_same_connection
from clients.proof.steps.leak import leak_bounded
from clients.proof.steps.ordinary_requests import ordinary_agree
from clients.proof.steps.source_twins import source_reaches
from clients.proof.steps.state import state_holds
from clients.proof.steps.trace import logs_as_stated, server_saw

PROOFS: tuple[ProofStep, ...] = (
    exec_ran,
    twin_passes,
    still_refused,
    refused_on_the_same_connection,
    ordinary_agree,
    leak_bounded,
    backend_silent,
    every_arrival_is_known,
    external_server_silent,
    refused_by_policy,
    source_reaches,
    application_answered,
    logs_as_stated,
    server_saw,
    state_holds,
)
"""In this order, because a log that is read after the twin is known to be complete up to the case's own requests.

The pinned outcome has converged before the first of them runs. What each is for (the design's invariants 1 and 2):

| a denial needs | step |
|---|---|
| twins that passed through the same path | `twin_passes`, `still_refused`, `source_reaches` |
| the pinned outcome, by other requests too | `refused_on_the_same_connection`, `ordinary_agree`, `leak_bounded` |
| the proxy's word that it refused, and by what | `refused_by_policy`, `logs_as_stated` |
| a backend that did not get it, by id | `backend_silent`, `external_server_silent` |
| and by count | `every_arrival_is_known` |
| an exec that is known to have run | `exec_ran` |

| an allowed case needs | step |
|---|---|
| an answer that only the intended backend can have made | `application_answered`, `logs_as_stated`, `server_saw` |

| a state of the cluster or of a proxy needs | step |
|---|---|
| a look at it that converged | `state_holds` |
"""


def findings(proving: Proving) -> list[Finding]:
    """What every step found, in order."""
    return [finding for step in PROOFS for finding in step(proving)]
