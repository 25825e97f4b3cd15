"""Labels by which everything that a run makes is found again, and the name under which it is applied."""

from __future__ import annotations

MANAGER = "meshproof"
"""Field manager of server-side apply, and value of `MANAGED_BY_LABEL`."""

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
RUN_LABEL = "meshproof.dev/run"
"""Id of the run; on the Lease it is an annotation, so that a run's own sweep leaves its lease alone."""

WORKER_LABEL = "meshproof.dev/worker"
"""Id of the test process within the run."""
