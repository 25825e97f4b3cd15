"""Whether the API server was away while an outcome was waited for: then the mesh may not be why it did not come.

A control plane reads policies from the API server. Where that restarts, it connects again after pauses that grow to
half a minute (client-go, reflectors), and the proxies have a change only then.
"""

from __future__ import annotations

import time

from clients.model.evidence import Evidence, Verdict
from clients.proof import proving
from clients.proof.rig.rig import Rig

CATCHES_UP_S = 60.0
"""Seconds after an outage of the API server in which a control plane may not have read everything again."""


def caught_up_at(rig: Rig) -> float:
    """Monotonic seconds from which on the control plane has read everything again; 0 where it never had to."""
    lost_at: float = rig.cluster.api.lost_at
    return lost_at + CATCHES_UP_S if lost_at else 0.0


def excused(rig: Rig, since: float, evidence: Evidence) -> Evidence:
    """The evidence of an outcome that did not come; `inconclusive` where it fails and the API server was away.

    Args:
        since: monotonic time from which on the outcome was waited for, in seconds.
    """
    if evidence.verdict is not Verdict.FAIL or caught_up_at(rig) <= since:
        return evidence
    ago_s = time.monotonic() - rig.cluster.api.lost_at
    why = f"the API server did not answer until {ago_s:.0f} s ago, and the mesh may not have had the change: run again"
    return proving.excused(evidence, why)
