"""What the controlling process finds out once and every test process needs: plain values that travel as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from clients.model.errors import SettingsError
from reports.model import MeshRecord, TargetInfo
from runner.target.access import ExternalHostsRecord


@dataclass(frozen=True)
class TargetDescriptor:
    """The target as every process of a run sees it.

    Attributes:
        kubeconfig: file; empty for the client's usual search.
        context: of the kubeconfig; empty for the current one.
        revision: for the label `istio.io/rev`; empty keeps `istio-injection: enabled`.
        images: logical name to image reference.
        capabilities: what the target has, by the catalogue's names.
        tokens: file with the run's token keys (mode 0600).
        outside: hosts outside of the cluster.
        istioctl: the program; empty where there is none.
        node_pool: the cluster has nodes of the pool `gateway`, tainted or not.
        browser: the program; empty where there is none.
        lacks: capability → why it is not to be had here, where more can be told than what it stands for.
        unprivileged: injection template by which pods do without NET_ADMIN; empty where there is none.
        ext_authz: provider of external authorization in the mesh's configuration; empty where there is none.
        gateway_class: class of Kubernetes' Gateway API; empty where there is none.
    """

    target: TargetInfo
    kubeconfig: str = ""
    context: str = ""
    revision: str = ""
    images: dict[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    tokens: str = ""
    outside: ExternalHostsRecord = field(default_factory=ExternalHostsRecord)
    istioctl: str = ""
    node_pool: bool = False
    browser: str = ""
    lacks: dict[str, str] = field(default_factory=dict)
    unprivileged: str = ""
    ext_authz: str = ""
    gateway_class: str = ""

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote.

        Raises:
            SettingsError: it is something else.
        """
        try:
            data: dict[str, Any] = json.loads(text)
            told = data.pop("target")
            target = TargetInfo(**{**told, "mesh": MeshRecord(**told["mesh"])})
            outside = ExternalHostsRecord(**data.pop("outside", {}))
            capabilities = tuple(data.pop("capabilities", ()))
            return cls(**data, target=target, outside=outside, capabilities=capabilities)
        except (ValueError, TypeError, KeyError) as error:
            raise SettingsError(f"the record of the target is damaged: {error}") from None

    def save(self, path: Path) -> None:
        """Write it, for the command line that cleans up when the test process died. Holds no secret."""
        path.write_text(self.to_json() + "\n", encoding="utf-8")
