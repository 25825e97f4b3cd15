"""EnvoyFilters that make a proxy do what no policy says: with them, a mesh only looks right."""

from __future__ import annotations

import copy
from typing import Any

from tests.mutants.mutant import Object, document_namespace

_HTTP = "envoy.filters.network.http_connection_manager"
_LUA = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
INBOUND, OUTBOUND, GATEWAY = "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY"
REFUSES = """
function envoy_on_request(handle)
  if handle:headers():get("authorization") == nil then
    handle:respond({[":status"] = "403", ["content-type"] = "text/plain"}, "RBAC: access denied")
  end
end
"""
"""Lua: a request without a token is answered like a denial."""
REFUSED_AFTERWARDS = """function envoy_on_response(handle)
  local known = handle:streamInfo():dynamicMetadata():get("meshproof.mutant")
  if known ~= nil and known["anonymous"] then
    handle:headers():replace(":status", "403")
    handle:body(true):setBytes("RBAC: access denied")
  end
end
"""
"""Lua: a request that a filter has marked as anonymous is answered like a denial, after the backend had it."""
REMEMBERS = """
local known = {}
function envoy_on_request(handle)
  local peer = handle:streamInfo():downstreamDirectRemoteAddress()
  local token = handle:headers():get("authorization")
  if token ~= nil then
    known[peer] = token
  elseif known[peer] ~= nil then
    handle:headers():add("authorization", known[peer])
  end
end
"""
"""Lua: later requests on a connection get the token of an earlier one."""


def lua(like: Object, code: str, *, namespace: str, app: str, context: str = INBOUND, name: str = "mutant") -> Object:
    """A filter that runs a Lua script first, in the proxies of one workload.

    Args:
        like: an object of the same manifest; the filter gets its run's labels.
        namespace: of the workload, as the document has it.
    """
    meta: dict[str, Any] = copy.deepcopy(like["metadata"])
    prefix = meta["namespace"].removesuffix(document_namespace(like))
    meta |= {"name": name, "namespace": prefix + namespace}
    filter_ = {"name": "meshproof.mutant", "typed_config": {"@type": _LUA, "default_source_code": _inline(code)}}
    where = {"context": context, "listener": {"filterChain": {"filter": {"name": _HTTP}}}}
    patch = {"operation": "INSERT_FIRST", "value": filter_}
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": meta,
        "spec": {
            "workloadSelector": {"labels": {"app": app}},
            "configPatches": [{"applyTo": "HTTP_FILTER", "match": where, "patch": patch}],
        },
    }


def _inline(code: str) -> dict[str, str]:
    return {"inline_string": code}
