"""The answer of Pod Security Admission to a pod, by dry run."""

from __future__ import annotations

from clients.kube.api import RequestError
from clients.kube.labels import MANAGER
from clients.model.errors import AccessError

POD_SECURITY = "violates PodSecurity"
"""In every refusal of Pod Security Admission, and in none of another admission policy's."""


def refusal(rig, item):
    """Why the API server would refuse the pod; empty when it would admit it."""
    try:
        rig.cluster.apply(item.body, manager=MANAGER, dry_run=True)
    except (AccessError, RequestError) as error:  # 403 is how pod security refuses
        return error.message
    return ""
