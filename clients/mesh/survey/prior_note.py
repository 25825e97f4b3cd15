"""A note about something that was in force in a mesh before a run: what it is, and whether the run sets it aside."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NoteKind(StrEnum):
    """What a note is about: a kind of object, or a setting of MeshConfig."""

    PEER_AUTHENTICATION = "PeerAuthentication"
    AUTHORIZATION_POLICY = "AuthorizationPolicy"
    REQUEST_AUTHENTICATION = "RequestAuthentication"
    SIDECAR = "Sidecar"
    DESTINATION_RULE = "DestinationRule"
    ENVOY_FILTER = "EnvoyFilter"
    TELEMETRY = "Telemetry"
    WASM_PLUGIN = "WasmPlugin"
    OUTBOUND_TRAFFIC_POLICY = "outboundTrafficPolicy"
    DISCOVERY_SELECTORS = "discoverySelectors"
    ENABLE_AUTO_MTLS = "enableAutoMtls"
    DEFAULT_EXPORT_TO = "default exportTo"


class NoteState(StrEnum):
    """What a run does about it in its own namespaces."""

    SET_ASIDE = "set aside"
    IN_FORCE = "in force"


@dataclass(frozen=True)
class PriorNote:
    """One object or default that reaches the run's namespaces.

    Attributes:
        named: the object or the setting, as reports name it.
        detail: what is done about it, in words.
    """

    kind: NoteKind
    state: NoteState
    named: str
    detail: str

    @property
    def text(self) -> str:
        """One line, for reports and messages."""
        return f"{self.named}: {self.detail}"
