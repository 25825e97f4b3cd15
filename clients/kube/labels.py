"""Names by which everything that a run makes is found again, on the cluster and on this machine."""

from __future__ import annotations

MANAGER = "meshproof"
"""Field manager of server-side apply, and value of `MANAGED_BY_LABEL`."""

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
RUN_LABEL = "meshproof.dev/run"
"""Id of the run; on the Lease it is an annotation, so that a run's own sweep leaves its lease alone."""

WORKER_LABEL = "meshproof.dev/worker"
"""Id of the test process within the run."""

SCRATCH_PREFIX = "meshproof-run-"
"""How names of folders for temporary files begin, before the id of the process that made them. Those of processes that
were killed are removed by the next run, and by the command line as soon as its test process has ended."""
