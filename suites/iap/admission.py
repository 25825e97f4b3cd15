"""What Pod Security Admission says of a pod, without making it."""

from __future__ import annotations

from clients.kube.api import RequestError
from clients.kube.labels import MANAGER
from clients.model.errors import AccessError


def refusal(world, item):
    """Why the API server would not admit it; empty when it would."""
    try:
        world.cluster.apply(item.body, manager=MANAGER, dry_run=True)
    except (AccessError, RequestError) as error:  # 403 is how pod security refuses
        return error.message
    return ""
