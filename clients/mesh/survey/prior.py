"""What is in force in a mesh before a run touches it, and reaches every namespace: policies, scopes, defaults.

Rules: Istio's reference of PeerAuthentication, AuthorizationPolicy, Sidecar and MeshConfig: objects of the root
namespace without a selector apply everywhere; a namespace's own PeerAuthentication or Sidecar replaces the root's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clients.kube.cluster import Cluster
from clients.kube.fields import kind_and_name, labels_of, spec_of, targets_of
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER, runs_dry
from clients.mesh.survey import foreign_tokens, meshconfig
from clients.mesh.survey.prior_note import NoteKind, NoteState, PriorNote
from clients.model.api_groups import ENVOY_FILTER_VERSION, NETWORKING_V1, SECURITY_V1, TELEMETRY_V1, WASM_PLUGIN_VERSION
from clients.model.errors import ClusterError

Json = Mapping[str, Any]

KINDS = {
    "PeerAuthentication": SECURITY_V1,
    "AuthorizationPolicy": SECURITY_V1,
    "RequestAuthentication": SECURITY_V1,
    "Sidecar": NETWORKING_V1,
    "DestinationRule": NETWORKING_V1,
    "EnvoyFilter": ENVOY_FILTER_VERSION,
    "Telemetry": TELEMETRY_V1,
    "WasmPlugin": WASM_PLUGIN_VERSION,
}
_ASIDE, _STAYS = NoteState.SET_ASIDE, NoteState.IN_FORCE
_REGISTRY_ONLY = PriorNote(
    NoteKind.OUTBOUND_TRAFFIC_POLICY,
    _ASIDE,
    "MeshConfig outboundTrafficPolicy REGISTRY_ONLY",
    "set aside by a Sidecar",
)


@dataclass(frozen=True)
class Prior:
    """What a run finds, and what it has to set against it in its own namespaces so that they start from an open mesh.

    Attributes:
        permissive: the mesh accepts no plaintext, or no mutual TLS.
        allow: some root AuthorizationPolicy of ALLOW refuses what it does not match.
        open: a root Sidecar narrows what proxies know, or the mesh lets out to registered hosts only.
        notes: each object or default that reaches the run's namespaces, with what is done about it.
        mesh_wide: why what a run sets for the whole mesh would not count; empty where it would.
        tokens: which RequestAuthentication judges tokens of a run in their usual places; empty where none does.
        iap_tokens: the same of the token that IAP adds.
        logs_otherwise: some root Telemetry says where access logs go.
        rules: some root DestinationRule is for hosts by a wildcard, and exported.
        narrow_exports: Services, routes or rules that state no namespaces are not for all of them.
    """

    permissive: bool = False
    allow: bool = False
    open: bool = False
    notes: tuple[PriorNote, ...] = ()
    mesh_wide: str = ""
    tokens: str = ""
    iap_tokens: str = ""
    logs_otherwise: bool = False
    rules: bool = False
    narrow_exports: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """The notes as reports show them."""
        return tuple(note.text for note in self.notes)


NOTHING_FOUND = Prior()
"""In a mesh that is as Istio installs it."""


def look(cluster: Cluster, root: str, configurations: Sequence[Json]) -> Prior:
    """Look at the root namespace, as far as this identity may, and at the mesh's configuration."""
    there = {kind: of_others(cluster, version, kind, root) for kind, version in KINDS.items()}
    modes = [one for one in there["PeerAuthentication"] if _is_wide(one) and _mode(one) not in ("", "PERMISSIVE")]
    allows = [one for one in there["AuthorizationPolicy"] if action(one) == "ALLOW" and enforced(one)]
    others = [one for one in there["AuthorizationPolicy"] if action(one) in ("DENY", "CUSTOM") and enforced(one)]
    scopes = [one for one in there["Sidecar"] if _is_wide(one)]
    rules = [one for one in there["DestinationRule"] if _is_wide_rule(one, configurations)]
    judges = foreign_tokens.judging(there["RequestAuthentication"], foreign_tokens.USUAL)
    judges_of_iap = foreign_tokens.judging(there["RequestAuthentication"], foreign_tokens.IAPS)
    judging = [one for one in there["RequestAuthentication"] if one in judges or one in judges_of_iap]
    registry_only = any(_outbound(one) == "REGISTRY_ONLY" for one in configurations)
    left = [one for kind in _LEFT for one in there[kind] if _counts(one) and one not in judging and one not in rules]
    notes = [
        *_about(modes, _ASIDE, "set aside by PERMISSIVE in the run's namespaces", _mode),
        *_about(allows, _ASIDE, "set aside by a policy that allows, where a stage has none", action),
        *_about(others, _STAYS, "in force; its refusals count as the mesh's", action),
        *_about(scopes, _ASIDE, "set aside by a Sidecar of the run's namespaces"),
        *([_REGISTRY_ONLY] if registry_only else []),
        *_about(judging, _STAYS, "in force; cases with tokens where it looks are skipped"),
        *_about(rules, _ASIDE, "set aside by DestinationRules of the run's namespaces"),
        *(PriorNote(NoteKind(one["kind"]), _STAYS, kind_and_name(one), f"in force{_why_there(one)}") for one in left),
        *_defaults(configurations),
    ]
    wide = [one for one in there["PeerAuthentication"] if _is_wide(one)]
    return Prior(
        permissive=bool(modes),
        allow=bool(allows),
        open=bool(scopes) or registry_only,
        notes=tuple(notes),
        mesh_wide=f"{kind_and_name(wide[0])} is there already, and the older one counts" if wide else "",
        tokens=_judged(judges),
        iap_tokens=_judged(judges_of_iap),
        logs_otherwise=any(spec_of(one).get("accessLogging") for one in there["Telemetry"] if _is_wide(one)),
        rules=bool(rules),
        narrow_exports=any(_narrows(one, name) for one in configurations for name in _EXPORTS),
    )


_RULES_EXPORT = "defaultDestinationRuleExportTo"
_EXPORTS = ("defaultServiceExportTo", "defaultVirtualServiceExportTo", _RULES_EXPORT)
_EXPORTED = "set aside, as the run's own objects state exportTo"
_LEFT = ("RequestAuthentication", "DestinationRule", "EnvoyFilter", "Telemetry", "WasmPlugin")
"""Kinds that nothing is set against."""
_TESTBEDS = "meshproof-alpn"
"""Name of the EnvoyFilter of the embedded mesh (`testbed/install/istio-alpn.yaml`)."""


def _why_there(one: Json) -> str:
    own = one.get("kind") == "EnvoyFilter" and one.get("metadata", {}).get("name") == _TESTBEDS
    return "; the testbed's own, in place of Istio's filter istio.alpn (docs/deviations.md)" if own else ""


def _about(
    found: Iterable[Json], state: NoteState, detail: str, how: Callable[[Json], str] | None = None
) -> list[PriorNote]:
    """A note about each object; `how` gives what its name has behind it, in brackets."""
    named = ((one, f"{kind_and_name(one)} ({how(one)})" if how else kind_and_name(one)) for one in found)
    return [PriorNote(NoteKind(one["kind"]), state, name, detail) for one, name in named]


def _defaults(configurations: Iterable[Json]) -> list[PriorNote]:
    """Defaults of the mesh that reach a run."""
    found = []
    for one in configurations:
        if one.get("discoverySelectors"):
            detail = "the run's namespaces must match ([namespaces] labels)"
            found.append(PriorNote(NoteKind.DISCOVERY_SELECTORS, _STAYS, "MeshConfig discoverySelectors", detail))
        if meshconfig.auto_mtls_is_off(one):
            detail = "in force; cases of mutual TLS between sidecars are skipped"
            found.append(PriorNote(NoteKind.ENABLE_AUTO_MTLS, _STAYS, "MeshConfig enableAutoMtls false", detail))
        for name in _EXPORTS:
            if _narrows(one, name):
                named = f"MeshConfig {name} {one[name]}"
                found.append(PriorNote(NoteKind.DEFAULT_EXPORT_TO, _ASIDE, named, _EXPORTED))
    return found


def _narrows(configuration: Json, name: str) -> bool:
    return configuration.get(name) not in (None, [], ["*"])


def _is_wide_rule(body: Json, configurations: Iterable[Json]) -> bool:
    """Whether it is for hosts by a wildcard, in every namespace.

    A rule of the root namespace counts for a Service whose own namespace has none (Istio, DestinationRule).
    """
    defaults = [one[_RULES_EXPORT] for one in configurations if _narrows(one, _RULES_EXPORT)]
    exported = spec_of(body).get("exportTo") or next(iter(defaults), ["*"])
    return "*" in exported and str(spec_of(body).get("host", "")).startswith("*") and _is_wide(body)


def of_others(cluster: Cluster, version: str, kind: str, namespace: str) -> list[dict[str, Any]]:
    """The objects of others in a namespace; none where the kind is not known, or this identity may not list it."""
    try:
        found = cluster.objects(version, kind, namespace) if cluster.has_kind(version, kind) else []
    except ClusterError:
        return []
    own = {MANAGED_BY_LABEL: MANAGER}
    return [{"kind": kind, **one} for one in found if not own.items() <= labels_of(one).items()]


def _judged(judges: Sequence[Json]) -> str:
    return f"{kind_and_name(judges[0])} judges tokens in every namespace" if judges else ""


def _is_wide(body: Json) -> bool:
    """Whether it applies to every workload of its reach."""
    spec = spec_of(body)
    selectors = (spec.get("selector") or {}, spec.get("workloadSelector") or {})
    return not (any(selectors) or targets_of(body))


def _counts(body: Json) -> bool:
    """Whether it applies to workloads of a run: to all, or by a label that gateways usually have, wherever they are."""
    return _is_wide(body) or foreign_tokens.reaches(body)


def enforced(body: Json) -> bool:
    """Whether a policy decides about requests to workloads of a run; one in dry run does not."""
    return not runs_dry(body) and _counts(body)


def _mode(body: Json) -> str:
    return str((spec_of(body).get("mtls") or {}).get("mode") or "").removeprefix("UNSET")


def action(body: Json) -> str:
    """What an AuthorizationPolicy does with what it matches."""
    return str(spec_of(body).get("action") or "ALLOW")


def _outbound(configuration: Json) -> str:
    return str((configuration.get("outboundTrafficPolicy") or {}).get("mode") or "")
