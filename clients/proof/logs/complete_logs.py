"""Whether the logs of proxies are known to go beyond what is looked for in them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from clients.kube.pods import Pod
from clients.mesh.access_logs import logs
from clients.proof.logs.log_entries import LOG_BUDGET_S
from clients.proof.logs.route import ProxyLogs
from clients.proof.proving import ProvingCase


def go_beyond(proving: ProvingCase, pods: Sequence[Pod]) -> bool:
    """Whether each proxy's log is known to go beyond the refused requests: it shows a later one of the twin.

    Without a twin it is not known: the server's own pod passes its proxy by.
    """
    twin, control = proving.case.twin, proving.case.control
    if twin is None:
        return False
    rig, found = proving.rig, ProxyLogs(proving.rig, proving.running.since)
    known: set[str] = set()
    deadline = time.monotonic() + LOG_BUDGET_S
    while True:
        seen = rig.logs.seen()
        known |= {outcome.request_id for outcome in rig.prober.probe(twin, control, 1 + len(pods))}
        if all(found.of(pod).mentions_any(known) for pod in pods):
            return True
        if time.monotonic() >= deadline:
            return False
        rig.logs.wait(seen, logs.AGAIN_S)
