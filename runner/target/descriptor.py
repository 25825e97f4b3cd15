"""What the controlling process detects once and every test process needs: plain values that travel as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter, ValidationError

from clients.kube.cluster import Cluster
from clients.mesh.discovery import MeshInfo
from clients.model.errors import SettingsError
from clients.model.wrong_value import in_words
from reports import files
from reports.record.model import ReportError, TargetInfo
from runner.target.access import Access, ExternalHostsRecord


@dataclass(frozen=True)
class TargetDescriptor:
    """The target as every process of a run sees it.

    Attributes:
        target: as reports describe it.
        mesh: as it was found.
        kubeconfig: file; empty for the default search of the client library.
        context: of the kubeconfig; empty for the current one.
        revision: for the label `istio.io/rev`; empty keeps `istio-injection: enabled`.
        images: logical name to image reference.
        capabilities: names of what the mesh and its surroundings have.
        lacks: every other capability → why the target lacks it.
        tokens: file with the run's token keys (mode 0600).
        outside: hosts outside of the cluster.
        outside_address: this machine's, as gateways see it; empty where that was not looked at.
        guarding: network policies that the cluster puts into new namespaces, by name; a run opens its own.
        service_type: what the cluster accepts in the place of a load balancer; empty where it accepts those.
        shut_ports: of load balancers, those that nothing comes through to from this machine.
        refused_annotations: of pods, those of a run that the cluster does not accept.
        istioctl: the program; empty where there is none.
        browser: the program; empty where there is none.
    """

    target: TargetInfo
    mesh: MeshInfo = field(default_factory=MeshInfo)
    kubeconfig: str = ""
    context: str = ""
    revision: str = ""
    images: dict[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    lacks: dict[str, str] = field(default_factory=dict)
    tokens: str = ""
    outside: ExternalHostsRecord = field(default_factory=ExternalHostsRecord)
    outside_address: str = ""
    guarding: tuple[str, ...] = ()
    service_type: str = ""
    shut_ports: tuple[int, ...] = ()
    refused_annotations: tuple[str, ...] = ()
    istioctl: str = ""
    browser: str = ""

    def connect(self) -> Cluster:
        """A connection of this process to the target. Raises as `Access.connect` does."""
        return Access(self.kubeconfig, self.context).connect()

    def to_json(self) -> str:
        """One line of JSON."""
        return _adapter().dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote.

        Raises:
            SettingsError: it is something else.
        """
        try:
            made = _adapter().validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise SettingsError(f"the record of the target is damaged: {where} {in_words(first)}") from None
        assert isinstance(made, cls)
        return made

    def save(self, path: Path) -> None:
        """Write it whole, for the command line, which cleans up after a test process that died. Holds no secret.

        Raises:
            ReportError: it cannot be written.
        """
        try:
            files.write_text(path, self.to_json() + "\n")
        except OSError as error:
            message = f"the run's folder cannot be written to: {path}: {error.strerror}"
            raise ReportError(message, "free space, or choose another folder by --out") from None


@cache
def _adapter() -> TypeAdapter[TargetDescriptor]:
    return TypeAdapter(TargetDescriptor)
