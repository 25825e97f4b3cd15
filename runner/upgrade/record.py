"""What an upgrade has found so far: one JSON file in its folder, from which it goes on after an interruption."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter, ValidationError

from clients.mesh.upgrade.unchecked import Unchecked, UncheckedReason
from clients.model.errors import SettingsError
from clients.model.wrong_value import in_words
from runner.config.gate_settings import Tier
from runner.upgrade.plan import PHASES

FILE = "upgrade.json"
SCHEMA = 2


@dataclass(frozen=True)
class UpgradeSide:
    """A revision. `label` is the value of `istio.io/rev`, `revision` the one that it leads to, never a tag."""

    label: str
    revision: str
    version: str = ""


@dataclass(frozen=True)
class OwnNamespace:
    """A namespace of the user that moves too, with the labels `istio.io/rev` and `istio-injection` that it had."""

    name: str
    revision: str = ""
    injection: str = ""


@dataclass(frozen=True)
class Cell:
    """One flow in one state: what became of its requests while the state lasted, or on the way to it.

    Attributes:
        pair: the revisions that its requests passed (`client old, server new`).
        moving: on the way to the state, while pods were replaced.
        leaked, lost, other, skipped: as in `clients.hold.account.Account`, without `cut`.
        cut: requests that were on their way on a kept stream when its pod was replaced; see `runner.upgrade.watching`.
        kinds: outcome → number of those that were not due.
        when: the first of them, in words; empty without any.
    """

    flow: str
    pair: str
    moving: bool
    requests: int
    lost: int
    leaked: int
    other: int
    cut: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    when: str = ""
    skipped: int = 0


@dataclass(frozen=True)
class Event:
    """Something that speaks against the upgrade, or that could not be looked at.

    Attributes:
        kind: `leak`, `lost`, `not denied`, `regression`, `revision`, `rejected`, `root`, `not ready`, `precheck`;
            `not known` for what was not seen.
        what: the flow, case or object.
        text: in one sentence.
    """

    phase: str
    kind: str
    what: str
    text: str


@dataclass(frozen=True)
class PhaseRecord:
    """A phase that is finished.

    Attributes:
        started, ended: in seconds since 1970.
        run: folder of the run of the suites, below the upgrade's; empty where none ran.
        cases: verdict → number of its cases; `not_run` for those without one.
    """

    name: str
    started: float
    ended: float
    cells: tuple[Cell, ...] = ()
    events: tuple[Event, ...] = ()
    run: str = ""
    cases: dict[str, int] = field(default_factory=dict)

    @property
    def planned(self) -> int:
        """How many cases the suites were to prove; what is `reduced` or `known` is among those that pass or fail."""
        return sum(count for verdict, count in self.cases.items() if verdict not in ("reduced", "known"))


@dataclass(frozen=True)
class UpgradeRecord:
    """The content of `upgrade.json`.

    Attributes:
        suites: paths; none for all.
        tier: how much of them is proven (`runner.config.gate_settings.Tier`).
        prechecked: the prechecks were made; they wait for the new revision where it comes later.
        prechecks: what was found before anything moved, in words: (level, code, text, objects).
        not_checked: what the prechecks could not look at.
        namespaces: of the user, that move too.
        cluster: its uid, or `embedded`; empty where it could not be read.
        like: identity of the file with whose mesh it is rehearsed; empty for none.
        left: what of another cluster's mesh a rehearsal does not have, each with the reason.
        stopped: why a phase could not be finished, where that speaks against the upgrade; going on forgets it.
    """

    id: str
    old: UpgradeSide
    new: UpgradeSide
    schema: int = SCHEMA
    suites: tuple[str, ...] = ()
    tier: str = "full"
    prechecked: bool = False
    prechecks: tuple[tuple[str, str, str, tuple[str, ...]], ...] = ()
    not_checked: tuple[Unchecked, ...] = ()
    namespaces: tuple[OwnNamespace, ...] = ()
    cluster: str = ""
    like: str = ""
    left: tuple[str, ...] = ()
    phases: tuple[PhaseRecord, ...] = ()
    stopped: tuple[Event, ...] = ()
    requests: int = 0
    longest_gap_s: float = 0.0
    wall_s: float = 0.0

    @property
    def finished(self) -> frozenset[str]:
        """Names of the finished phases."""
        return frozenset(one.name for one in self.phases)

    @property
    def out_of_sight(self) -> tuple[str, ...]:
        """What of the control planes no user of the cluster can look at, in words."""
        return self.unchecked(UncheckedReason.OUT_OF_SIGHT)

    def unchecked(self, why: UncheckedReason) -> tuple[str, ...]:
        """What the prechecks could not look at for this reason, in words."""
        return tuple(one.text for one in self.not_checked if one.why is why)

    @property
    def away(self) -> list[str]:
        """Namespaces of the user that the finished phases have left on the new revision."""
        moved = "moved" in self.finished and "rolled-back" not in self.finished
        return [one.name for one in self.namespaces] if moved else []

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all.

        Raises:
            SettingsError: the folder cannot be written to.
        """
        part = folder / f"{FILE}.part"
        try:
            part.write_bytes(_adapter().dump_json(self, indent=1))
            part.replace(folder / FILE)
        except OSError as error:
            raise SettingsError(f"{folder} cannot be written to: {error.strerror}", "choose another by --out") from None

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            SettingsError: there is none, or it is something else.
        """
        file = folder / FILE if folder.is_dir() else folder
        try:
            content = file.read_bytes()
            made = _adapter().validate_json(content)
        except OSError as error:
            raise SettingsError(f"{file} cannot be read: {error.strerror}", "name the folder of an upgrade") from None
        except ValidationError as error:
            if (other := _schema(content)) not in (None, SCHEMA):
                raise _not_gone_on(file, f"its schema is {other}, and this release has {SCHEMA}") from None
            raise SettingsError(f"{file} is not of an upgrade: {in_words(error.errors()[0])}") from None
        assert isinstance(made, cls)
        if wrong := _wrong(made):
            raise _not_gone_on(file, wrong)
        return made


def _not_gone_on(file: Path, why: str) -> SettingsError:
    return SettingsError(f"{file} cannot be gone on with: {why}", "begin the upgrade again, without --resume")


def _schema(content: bytes) -> int | None:
    """The schema that a record states; None where it states none."""
    try:
        stated = json.loads(content).get("schema")
    except (ValueError, AttributeError, RecursionError):
        return None
    return stated if isinstance(stated, int) else None


def _wrong(record: UpgradeRecord) -> str:
    """What is wrong with a record of the right form, in words: it was changed by hand, or another release wrote it."""
    names = [one.name for one in record.phases]
    if record.schema != SCHEMA:
        return f"its schema is {record.schema}, and this release has {SCHEMA}"
    if names != [one.name.value for one in PHASES[: len(names)]]:
        return f"its phases are {', '.join(names)}, and not the first ones in their order"
    if not (record.old.label or record.old.revision) or not (record.new.label or record.new.revision):
        return "a revision has no name"
    if record.tier not in list(Tier):
        return f"{record.tier!r} is no tier"
    return ""


@cache
def _adapter() -> TypeAdapter[UpgradeRecord]:
    return TypeAdapter(UpgradeRecord)
