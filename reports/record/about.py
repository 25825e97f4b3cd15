"""What a report says of its run beyond the cases: all controls there are, what they are evidence for, provenance."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import TypeAdapter

ANY = "*"


@dataclass(frozen=True)
class Document:
    """A document that controls are from. `prefix` begins their ids."""

    prefix: str
    title: str


@dataclass(frozen=True)
class ControlRecord:
    """A control of the catalogue, whether it was selected or not. `tier` is the smallest that contains it."""

    id: str
    title: str
    tier: str = ""


@dataclass(frozen=True)
class StatedRequirement:
    """What controls are evidence for.

    Attributes:
        controls: their ids; `*` at the end of one stands for any end.
        section: of their document.
        reason: why, or why nothing fits.
        ids: catalogue of security controls → ids of it; empty where nothing fits.
    """

    controls: tuple[str, ...]
    section: str
    reason: str
    ids: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def names(self, control: str) -> bool:
        """Whether it is about this control."""
        return any(control.startswith(name[:-1]) if name.endswith(ANY) else control == name for name in self.controls)


@dataclass(frozen=True)
class Provenance:
    """From which checkout, by which identity and with which settings the run was made. Redacted.

    Attributes:
        commit: of the checkout; empty where it is none.
        changed: files of the checkout differ from that commit.
        user: who conducted the run, and on which machine.
        settings: every setting that the run went by, by its name.
    """

    commit: str = ""
    changed: bool = False
    user: str = ""
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class About:
    """All of it."""

    documents: tuple[Document, ...] = ()
    controls: tuple[ControlRecord, ...] = ()
    requirements: tuple[StatedRequirement, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)

    def requirement(self, control: str) -> StatedRequirement | None:
        """The first that names the control; None where none does."""
        return next((one for one in self.requirements if one.names(control)), None)


ABOUT = TypeAdapter(About)
