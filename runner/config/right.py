"""One entry of the table of rights: verbs on some resources of an API group, and when they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Condition(StrEnum):
    """When a right is needed."""

    ALWAYS = "always"
    MESH_WIDE = "with --allow-mesh-wide"
    OPTIONAL = "optional"


@dataclass(frozen=True)
class Right:
    """Verbs on some resources of one API group.

    Attributes:
        group: of the API; empty for the core one.
        resources: plural names, with the subresource behind a slash.
        namespace: the only one in which it is needed; empty for all of them, and for kinds that have none. The names of
            a run's own namespaces are not known in advance, and RBAC has no patterns.
        without: what is lost without it, where it is optional.
        names: of the only objects that it is about; empty for all of the resources.
        reveals: capabilities of the target that cannot be detected without it.
    """

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    namespace: str = ""
    condition: Condition = Condition.ALWAYS
    without: str = ""
    reveals: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def kinds(self) -> str:
        """`deployments (apps)`; objects by name come last."""
        kinds = ", ".join(self.resources)
        grouped = f"{kinds} ({self.group})" if self.group else kinds
        return f"{grouped} {', '.join(self.names)}" if self.names else grouped

    def each(self) -> Iterator[tuple[str, str, str]]:
        """(verb, resource, subresource) of every single right that this one combines."""
        for name in self.resources:
            resource, _, subresource = name.partition("/")
            for verb in self.verbs:
                yield verb, resource, subresource
