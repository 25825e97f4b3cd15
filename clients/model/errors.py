"""Errors that a user sees: one line that names the object and the cause, and a hint; never a traceback."""

from __future__ import annotations

from clients.model.printable import printable


class MeshproofError(Exception):
    """Bad input, or a cluster or machine that cannot be used; the command line prints one line and exits with code 2.

    Args:
        message: the object and the cause, in one line.
        hint: what the user can do about it, in one line; empty where there is no advice.

    Attributes:
        why: which objects of the cluster cause it, in one line; empty where that is not known.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.why = ""

    def __str__(self) -> str:
        """One line, whatever the names and causes in it hold."""
        if not self.hint:
            return printable(self.message)
        # the cause may be a library's sentence, with its full stop; three of them say that a text was cut
        message = self.message if self.message.endswith("...") else self.message.removesuffix(".")
        return printable(f"{message}; {self.hint}")


class SettingsError(MeshproofError):
    """An option, environment variable or settings file holds something that cannot be used."""


class ClusterError(MeshproofError):
    """The cluster cannot be reached, or refuses what the run needs."""


class UnreadyError(ClusterError):
    """What the run has applied is not ready in time."""


class NoTimeError(ClusterError):
    """The answers of the API server do not state its time."""


class AccessError(ClusterError):
    """The identity of the kubeconfig lacks a permission (HTTP 401 or 403 from the API server)."""


class ManifestError(MeshproofError):
    """A manifest is not valid: not YAML, an unknown field, a missing name."""


class ConflictError(MeshproofError):
    """An object exists already and does not belong to this run, which never adopts it."""


class InfrastructureError(MeshproofError):
    """A probe or an observation did not run, so that the mesh is not judged. Never a denial, never a pass."""


class LackingError(MeshproofError):
    """The target cannot show what a stage is about, which only its environment has shown: its cases are skipped."""


class AbandonedError(Exception):
    """Work whose result is no longer needed was ended. No user sees it."""
