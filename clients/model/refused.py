"""A manifest that the API must refuse, as a suite states it. Data only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RefusedManifest:
    """One control that a manifest is refused when it is applied. It is tried by a dry run, so nothing is changed.

    Attributes:
        control: id from the catalogue.
        manifest: path relative to `manifests/`, of one object.
        reason: text that the API's answer contains; any other refusal does not match.
        twin: manifest that differs in what is forbidden, and must be accepted by the same dry run.
        variant: distinguishes several of one control.
        needs: capabilities in addition to those of the control and of the stage.

    Raises:
        ValueError: `reason` is empty, so that an accepted manifest would match.
    """

    control: str
    manifest: str
    reason: str
    twin: str
    variant: str = ""
    needs: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError(f"{self.control}: a refusal needs the words of its reason")

    @property
    def id(self) -> str:
        """`X-TRAP-PORT-04`, with the variant in brackets: unique in a run."""
        return f"{self.control}[{self.variant}]" if self.variant else self.control

    @property
    def expected(self) -> str:
        """For people."""
        return f"refused when applied: {self.reason}"
