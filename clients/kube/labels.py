"""Names by which everything that a run makes is found again, on the cluster and on this machine; and names of others.

Those of others are labels and annotations of Istio and of the Gateway API that several rooms read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clients.model.api_groups import GATEWAY_API

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

GATEWAY_NAME_LABEL = f"{GATEWAY_API}/gateway-name"
"""On what a controller deploys for a Gateway of Kubernetes: its pods, Service and Deployment (Gateway API, GEP-1762);
no manifest has it."""

REVISION_LABEL = "istio.io/rev"
"""Of a namespace, a pod or a policy: the control plane that it is for (Istio, "Canary Upgrades")."""

DRY_RUN_ANNOTATION = "istio.io/dry-run"
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})


def runs_dry(body: Mapping[str, Any]) -> bool:
    """Whether a policy only notes what it would do (annotation `istio.io/dry-run`); `body` is an API object.

    Rule: Istio reads the value by Go's `strconv.ParseBool` (`isDryRun` in `pilot/pkg/security/authz/builder`); one that
    is no truth value counts as false.
    """
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(DRY_RUN_ANNOTATION, "")) in _TRUE
