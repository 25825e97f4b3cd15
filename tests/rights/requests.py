"""A request to the API server as its authorizer sees it."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}
_COLLECTION = {"GET": "list", "DELETE": "deletecollection"}
FREE = frozenset({"authorization.k8s.io"})
"""Groups in which every identity may query its own rights (`system:basic-user` of Kubernetes)."""


class Asked(NamedTuple):
    """Verb and resource of a request; `resource` has its subresource behind a slash, `namespace` is empty for all."""

    verb: str
    group: str
    resource: str
    namespace: str

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{'.' if self.group else ''}{self.group}{where}"


def asked(method: str, url: str) -> Asked | None:
    """The attributes of a request; None where it names no resource (`/version`, discovery), which all may read.

    As Kubernetes' `RequestInfoFactory` takes a request apart: `/api/v1/…` or `/apis/GROUP/VERSION/…`, then
    `namespaces/NAME/` for what is in one, then resource, name, subresource.
    """
    parts = [part for part in urlsplit(url).path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) > 2:
        group, rest = "", parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, rest = parts[1], parts[3:]
    else:
        return None
    namespace = rest[1] if rest[0] == "namespaces" and len(rest) > 1 else ""
    if namespace and len(rest) > 2 and rest[2] not in {"status", "finalize"}:
        rest = rest[2:]
    resource = "/".join([rest[0], *rest[2:3]])
    verb = _VERBS[method] if len(rest) > 1 else _COLLECTION.get(method, _VERBS[method])
    if "watch=true" in urlsplit(url).query.lower() and verb == "list":
        verb = "watch"
    return Asked(verb, group, resource, "" if rest[0] == "namespaces" else namespace)
