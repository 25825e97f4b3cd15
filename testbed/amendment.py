"""What a profile makes different in an embedded cluster: its parts, the first node's configuration, the objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from testbed.apiserver import CORE, ApiServer
from testbed.configuration import Configuration
from testbed.node import Node
from testbed.parts import Parts
from testbed.progress import Say
from testbed.store import Part

INJECTED: Mapping[str, str] = MappingProxyType({"sidecar.istio.io/inject": "true"})
"""Labels of a pod that gets a sidecar in the namespace `default`."""


@dataclass(frozen=True)
class Amended:
    """A cluster while it starts.

    Attributes:
        api: its API server, which answers.
        node: the first node.
        installed: folder of the installed state that it started from; `manifests/` has what was applied to it.
        note: takes the detail of the progress that is shown.
    """

    api: ApiServer
    node: Node
    parts: Parts
    configuration: Configuration
    installed: Path
    note: Say = field(default=lambda _line: None, compare=False)


class Amendment:
    """Base of all amendments; each method here changes nothing.

    Attributes:
        injected: labels of a pod that gets a sidecar in the namespace `default`.
        services: services of the first node, besides those of every embedded cluster.
        identity: of the file that it comes from; empty for none. A cluster that is up with another one is not used.
    """

    injected: Mapping[str, str] = INJECTED
    services: tuple[str, ...] = ()
    identity: str = ""

    def core(self, parts: Parts) -> tuple[tuple[str, str], ...]:
        """(namespace, name) of the Deployments without which there is no mesh."""
        del parts
        return CORE

    def parts(self, parts: Parts) -> Sequence[Part]:
        """The parts that the default cluster does not have."""
        del parts
        return ()

    def built(self, parts: Parts) -> bool:
        """Whether `build` would build nothing."""
        return all(parts.store.has(part) for part in self.parts(parts))

    def build(self, parts: Parts) -> None:
        """Build the parts that the default cluster does not have.

        Raises:
            BuildError: a part could not be built.
        """
        for part in self.parts(parts):
            parts.get(part)

    def configure(self, folder: Path, parts: Parts, configuration: Configuration) -> None:
        """Add to the `etc` folder of the first node, before it starts."""

    def apply(self, cluster: Amended) -> None:
        """Change the cluster while only its control plane runs; no pod has started yet.

        Raises:
            ClusterError: the API server refused an object.
        """

    def finish(self, cluster: Amended) -> None:
        """Change the cluster once the mesh is ready. Raises as `apply` does."""
