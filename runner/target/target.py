"""The interface of a target: one class for each kind, chosen in `runner.target.targets`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol
from urllib.parse import urlsplit

from clients.mesh.capabilities.capabilities import CapabilityName
from clients.model.errors import ClusterError
from runner.config.settings import Settings
from runner.target.access import Access, Say


@dataclass(frozen=True)
class MachineCheck:
    """One requirement of the target on this machine; `hint` says what to do where it is not met."""

    name: str
    ok: bool
    detail: str = ""
    hint: str = ""


class Target(Protocol):
    """One kind of cluster under test, with the settings that were made for it.

    Attributes:
        kind: its name in settings and reports (`--target KIND`).
        summary: what it is, in a few words, for the help.
        starts_itself: the harness makes the cluster. It is started when first needed, holds nothing while it is down,
            and the identity that reaches it is its administrator.
        mesh_wide_needs_option: others use the mesh too: what changes all of it runs only with --allow-mesh-wide.
        gives: capabilities that every cluster of the kind has, whatever is found in it.
        known_failures: list of what every cluster of the kind is known not to enforce; None where there is none.
        settings: those of the run.
    """

    kind: ClassVar[str]
    summary: ClassVar[str]
    starts_itself: ClassVar[bool] = False
    mesh_wide_needs_option: ClassVar[bool] = True
    gives: ClassVar[frozenset[CapabilityName]] = frozenset()
    known_failures: ClassVar[Path | None] = None
    settings: Settings

    def __init__(self, settings: Settings) -> None:
        """Take the settings.

        Raises:
            SettingsError: they do not fit this kind.
        """
        self.settings = settings

    @classmethod
    def implied_by(cls, settings: Settings) -> bool:  # noqa: ARG003 - for those that override it
        """Whether settings that name no target imply this kind."""
        return False

    @abstractmethod
    def access(self, say: Say) -> Access:
        """How it is reached, after everything that a run needs is done; starts the cluster where it `starts_itself`.

        Raises:
            MeshproofError: it cannot be reached or started.
        """

    def look(self, say: Say) -> Access | None:
        """How it is reached, changing nothing; None where it is down.

        Raises:
            MeshproofError: it cannot be reached or started.
        """
        return self.access(say)

    def preflight(self) -> None:
        """Check, before anything is started, that the cluster can be started.

        Raises:
            MeshproofError: this machine lacks something.
        """

    def machine(self) -> list[MachineCheck]:
        """Its requirements on this machine, for `doctor`."""
        return []

    def context(self) -> str:
        """The context of a kubeconfig by which it is reached; empty where there is none."""
        return ""

    def name(self, access: Access, server: str) -> str:
        """Its name for people, after "on the": `kind cluster one at 127.0.0.1:6443`.

        Args:
            server: address of the API server.
        """
        host = urlsplit(server).netloc or server
        return " ".join(filter(None, (f"{self.kind} cluster", access.context, f"at {host}" if host else "")))


def reach(target: Target, say: Say, hint: str = "start it by `meshproof up`") -> Access:
    """How the target is reached, changing nothing.

    Raises:
        ClusterError: it is down; the hint says what to do.
        MeshproofError: it cannot be reached.
    """
    there = target.look(say)
    if there is None:
        raise ClusterError(f"the {target.kind} cluster is down", hint)
    return there
