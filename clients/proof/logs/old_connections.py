"""Connections from before a change, which a proxy still serves by its old configuration.

Source: Envoy's documentation, "Draining": a listener or filter chain that is replaced keeps its connections until they
end, or until the drain time is over (Istio: 45 s). The client's sidecar keeps idle connections in a pool, so one of
them may carry a request long after the change has come: the old filter chain answers it, and its log names policies
that are gone. Seen on the profile `canary`, where 1 of 18 requests went over a connection that had been idle for 11 s.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from clients.mesh.access_logs.accesslog import AccessLogEntry
from clients.mesh.access_logs.log_lines import LogLines
from clients.proof.logs import mechanism

MOST = 0.25
"""Largest share of the requests that old connections explain. A proxy whose configuration is old refuses all by it."""


def over_old(entry: AccessLogEntry, logs: Sequence[LogLines], in_force: Collection[str], changed_at: float) -> bool:
    """Whether an entry is of a refusal by a policy that is gone, over a connection from before the change.

    Args:
        logs: of the proxies that may have written the entry.
        in_force: policies that these proxies may refuse by now.
        changed_at: monotonic seconds.
    """
    gone = mechanism.matched_policy(entry) not in (None, *in_force)
    return gone and any(is_older(log, entry, changed_at) for log in logs)


def is_older(log: LogLines, entry: AccessLogEntry, changed_at: float) -> bool:
    """Whether the log has an entry of the same connection that came before the change, at monotonic `changed_at`."""
    client = {entry.downstream_remote} - {""}

    def entries(since: float) -> int:
        return sum(one.downstream_local == entry.downstream_local for one in log.of_clients(client, since))

    return entries(float("-inf")) > entries(changed_at)
