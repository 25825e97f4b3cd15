"""How certain a case is: the confirmations that its path needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from clients.kube.pods import Pod
from clients.model.probe import Probe
from clients.probe.confirm import confirmations, stale_probability
from clients.probe.convergence import ConvergencePolicy
from clients.probe.outside import OutsideClient
from clients.proof.rig.workloads import Workloads


@dataclass(frozen=True)
class Certainty:
    """Derives confirmations from the error rate that the run accepts (docs/convergence.md).

    Attributes:
        policy: budget and confirmations of every convergence.
    """

    workloads: Workloads
    policy: ConvergencePolicy = field(default_factory=ConvergencePolicy)

    def required_confirmations(self, probe: Probe) -> int:
        """Confirmations that this path needs: derived for one client pod, times the client pods that take turns.

        Stale answers come from pools of the client's sidecar and from worker threads of the server's, whichever are
        more (see `clients.probe.confirm`).

        Raises:
            InfrastructureError: a sidecar does not report its number of threads.
        """
        if self.policy.confirmations is not None:
            return self.policy.confirmations
        pools, turns = self._pools(probe)
        return confirmations(pools, 1, self.policy.error_rate) * turns

    def reached_error_rate(self, probe: Probe, matches: int) -> float:
        """Probability that a stale answer is left after so many matches in a row; fewer than required are enough.

        Raises:
            InfrastructureError: a sidecar does not report its number of threads.
        """
        pools, turns = self._pools(probe)
        return stale_probability(pools, matches // turns)

    def _pools(self, probe: Probe) -> tuple[int, int]:
        """Places that may hold a stale answer on the way from one client, and the clients that take turns."""
        clients = self.workloads.pods(probe.source)
        servers = self.workloads.egress_pods_for(probe) or self.workloads.backends(probe)
        door = self.workloads.door(probe)
        threads = max(self.workloads.worker_threads(pod) for pod in [*clients, *door, *servers])
        pools = threads * max(1, len(servers)) * max(1, len(door))
        if isinstance(probe.source, OutsideClient):
            # any thread of any replica of the gateway may answer; probes do not take turns over the replicas
            return pools * len(clients), 1
        return pools, len(clients)

    def confirmations_at(self, clients: Sequence[Pod]) -> int:
        """Confirmations of an outcome that the sidecars of these clients decide alone.

        Raises:
            InfrastructureError: a sidecar does not report its number of threads.
        """
        if self.policy.confirmations is not None:
            return self.policy.confirmations
        threads = max(self.workloads.worker_threads(pod) for pod in clients)
        return confirmations(threads, 1, self.policy.error_rate) * len(clients)
