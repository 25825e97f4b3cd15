"""The time of day on a cluster, whatever the clock of this machine says."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Self

from clients.kube.cluster import Cluster
from clients.model.errors import NoTimeError


@dataclass(frozen=True)
class ClusterTime:
    """The API server's clock, read once; later times follow from this machine's monotonic clock.

    So neither a clock of this machine that is wrong counts, nor one that is set during a run.

    Attributes:
        seconds: since 1970.
        read_at: monotonic seconds of this machine at that time.
    """

    seconds: float
    read_at: float

    @classmethod
    def read(cls, cluster: Cluster) -> Self:
        """The clock of this cluster; that of this machine where something on the way removes the server's.

        Raises:
            ClusterError: the API server does not answer.
        """
        began = time.monotonic()
        try:
            stated = cluster.api.time()
        except NoTimeError:
            return cls(time.time(), time.monotonic())
        return cls(stated, (began + time.monotonic()) / 2)

    def now(self) -> float:
        """Seconds since 1970."""
        return self.seconds + time.monotonic() - self.read_at
