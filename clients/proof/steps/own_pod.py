"""The twin of a state that lets no request in: before the change the way was open, and now the server answers itself.

Where a policy refuses every client, no twin can reach the server. That the server lives is shown by a request from its
own pod to its own port, past its sidecar; that the way to it is open, by the case's own request before the change,
which the end of the stage repeats once the change is put back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clients.kube.pods import SIDECAR, Pod
from clients.model.case import Case
from clients.model.errors import InfrastructureError
from clients.model.evidence import TwinProof, Verdict
from clients.model.outcome import Outcome, OutcomeKind
from clients.model.probe import Dial, Probe, Workload
from clients.model.redact import redact
from clients.proof.rig.rig import Rig
from clients.proof.rig.sent import sent
from clients.proof.stage.running_stage import RunningStage

PROBES = 3
EXPECTED = "an answer to the server's own pod"
_ANSWERED = frozenset({OutcomeKind.STATUS, OutcomeKind.RECEIVED})


def was_open(running: RunningStage, case: Case) -> bool:
    """Whether the case's own request was let in before the change."""
    baseline = running.baselines.get(case.id)
    return baseline is not None and not baseline.problem and not baseline.expect.refuses


def probe_of(rig: Rig, case: Case, backends: Sequence[Pod]) -> Probe:
    """The case's request, from the server's own pod to the port of its container, without what a client adds.

    Raises:
        InfrastructureError: there is no pod, or its port is not known.
    """
    if not backends:
        raise InfrastructureError(f"no ready pod is behind {case.probe.destination}")
    pod = backends[0]
    app, port = pod.labels.get("app", ""), rig.workloads.target_port(case.probe)
    if not app or not port:
        raise InfrastructureError(f"the app label of {pod}, or the number of its port, is not known")
    container = SIDECAR if pod.injected else pod.containers[0]
    scheme, _, rest = case.probe.url.partition("://")
    path = rest.partition("/")[2]
    source = Workload(rig.overlay.plain(pod.namespace), app, container)
    url = f"{scheme}://127.0.0.1:{port}" + (f"/{path}" if path else "")
    return replace(case.probe, source=source, url=url, resolve="", behind="", dial=Dial.HOST)


def twin(rig: Rig, case: Case, probe: Probe) -> TwinProof:
    """What the server answers to its own pod: any answer will do."""
    outcomes = rig.prober.probe(probe, case.control, PROBES)
    wrong = next((one for one in outcomes if one.kind not in _ANSWERED), None)
    last = wrong or outcomes[-1]
    return TwinProof("", _verdict(wrong), EXPECTED, redact(last.summary), last.request_id, sent(probe))


def _verdict(wrong: Outcome | None) -> Verdict:
    """A server that does not answer its own pod is down, or its pod has no curl: nothing is known of the mesh."""
    return Verdict.PASS if wrong is None else Verdict.INCONCLUSIVE
