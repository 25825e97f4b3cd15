"""Whether a right of the table allows a request, as the API server's own authorizer decides it."""

from __future__ import annotations

from runner.config.right import Right


def covers(right: Right, verb: str, group: str, resource: str, namespace: str) -> bool:
    """Whether it allows this request; an empty namespace asks for all of them."""
    where = not right.namespace or right.namespace == namespace
    return where and group == right.group and resource in right.resources and verb in right.verbs
