"""Which kinds a cluster knows, and in which version, by its discovery: one cache per process."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from functools import cached_property
from pathlib import Path
from typing import Any

from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ResourceNotFoundError

from clients.kube.api import NOT_FOUND, Api, RequestError
from clients.kube.labels import SCRATCH_PREFIX
from clients.model.api_groups import GATEWAY_API, ISTIO_NETWORKING, ISTIO_SECURITY, ISTIO_TELEMETRY
from clients.model.errors import ClusterError

OLDER = {
    ISTIO_SECURITY: ("v1beta1",),
    ISTIO_NETWORKING: ("v1beta1",),
    ISTIO_TELEMETRY: ("v1alpha1",),
    GATEWAY_API: ("v1beta1",),
}
"""Versions with the same fields as `v1`, for clusters whose definitions are older: Istio serves `v1` since 1.22."""


class Kinds:
    """What the API server serves. For several threads."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._found: dict[tuple[str, str], Any] = {}
        self._looking = threading.RLock()
        self._scratch = tempfile.mkdtemp(prefix=f"{SCRATCH_PREFIX}{os.getpid()}-discovery-")
        self._remove_scratch = weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)

    def get(self, api_version: str, kind: str) -> Any:
        """What the cluster says of a kind. ClusterError where it does not know it."""
        resource = self.find(api_version, kind)
        if resource is None:
            raise ClusterError(f"the cluster knows no {kind} of {api_version}", "install what defines it")
        return resource

    def find(self, api_version: str, kind: str) -> Any:
        """What the cluster says of a kind, in this version or an older one; None where it knows neither.

        One thread at a time: the client empties its cache when it does not find a kind, while others read it.
        """
        group, _, version = api_version.rpartition("/")
        older = OLDER.get(group, ()) if version == "v1" else ()
        with self._looking:
            for one in (api_version, *(f"{group}/{name}" for name in older)):
                if (one, kind) in self._found:
                    return self._found[one, kind]
                found = self._look(one, kind)
                if found is None and self._is_served(one, kind):
                    found = self._look(one, kind)
                if found is not None:
                    self._found[one, kind] = found
                    return found
        return None

    def close(self) -> None:
        """Remove the cache."""
        self._remove_scratch()

    def _look(self, api_version: str, kind: str) -> Any:
        try:
            return self._api.riding_out(lambda: self._dynamic.resources.get(api_version=api_version, kind=kind))
        except ResourceNotFoundError:
            return None
        except Exception as error:
            raise self._api.unreachable(error) from None

    def _is_served(self, api_version: str, kind: str) -> bool:
        """Whether the server lists the kind. The client library takes a group that answers 503 for an empty one."""
        try:
            listed = self._api.json("GET", f"/{'apis' if '/' in api_version else 'api'}/{api_version}")
        except RequestError as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return any(one.get("kind") == kind for one in listed.get("resources") or ())

    @cached_property
    def _dynamic(self) -> Any:
        """The dynamic client. Its discovery cache is a file of this process alone, as it is not written atomically."""
        make: Any = DynamicClient
        try:
            file = str(Path(self._scratch) / "resources.json")
            return self._api.riding_out(lambda: make(self._api.client, cache_file=file))
        except Exception as error:
            raise self._api.unreachable(error) from None
