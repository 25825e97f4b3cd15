"""An entry of the registry of mutants: what is broken, which controls must notice it, and where that is tried."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar, cast

from tests.mutants.mutant import Changed, Mutant

PASS, FAIL, LOST = "pass", "fail", "inconclusive"
EVERY = "[*]"
"""At the end of a key of `Entry.verdicts`: every case of the control, and at least one."""
ABSENT = "not run"
_NOT_JUDGED = re.compile("(marker|objects in force): ")
"""In the reason of a case that was not judged: its change was not seen to arrive, or another client changed objects."""


class Area(StrEnum):
    """What a mutant breaks."""

    INJECTION = "injection"
    MTLS = "mTLS and its precedence"
    JWT = "JWT"
    AUTHORIZATION = "authorization"
    EGRESS = "egress"
    ORIGINATION = "TLS origination"
    PASS_THROUGH = "TLS pass-through"
    NETWORK = "network policy"
    GATEWAY = "gateways"
    CONTROL_PLANE = "control plane"
    DNS = "DNS"
    BACKEND = "backends"
    CLIENT = "the client's proxy"
    KEYS = "keys"
    LIES = "lies to the harness alone"
    HARNESS = "the harness's own code"


@dataclass(frozen=True)
class Place:
    """Where mutants are tried.

    Attributes:
        suite: folder of the controls.
        namespaces: those of the environment that the controls need; empty: all. Pods that no case needs cost seconds.
        words: options of the run.
    """

    suite: str
    namespaces: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One defect of a mesh, and the verdicts that it must cause.

    Attributes:
        says: what the mutant does, in a sentence.
        verdicts: by id of a case, or of a control with `[*]`. Those that are no pass are of the controls that are about
            this defect; the passes show that nothing else is broken.
        because: text that the reason of a case must contain.
        words: further options of the run.
        restricted: the run has the rights that the project ships, and no more.
        nightly: the project's own tests leave it to the nightly ones, and to `./meshproof selfcheck`.
    """

    id: str
    area: Area
    says: str
    make: Callable[[], Mutant]
    place: Place
    verdicts: Mapping[str, str]
    because: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    restricted: bool = False
    nightly: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """Options of the run that shows its verdicts: the mutant, and the controls."""
        plugin = ("-p", "tests.mutants.plugin", "--mutant", self.id, "--environment", ",".join(self.place.namespaces))
        selected = (word for name in self.controls for word in ("--control", name))
        return (*plugin, *self.place.words, *selected, *self.words)

    @property
    def shares(self) -> bool:
        """Whether it can use the environment that another mutant has left: it changes only what its stage applies.

        Each run has its own keys, and servers that publish them are a part of the environment.
        """
        return isinstance(self.make, partial) and self.area is not Area.KEYS and not self.restricted

    @property
    def controls(self) -> tuple[str, ...]:
        """The controls of its verdicts, without repetition."""
        return tuple(dict.fromkeys(re.sub(r"\[.*", "", name) for name in self.verdicts))

    @property
    def about(self) -> tuple[str, ...]:
        """The controls that are about the defect."""
        due = (name for name, verdict in self.verdicts.items() if verdict != PASS)
        return tuple(dict.fromkeys(re.sub(r"\[.*", "", name) for name in due))


@dataclass(frozen=True)
class Judgement:
    """What became of a mutant.

    Attributes:
        missed: cases of the controls that are about it, and have not the verdict that is due; or have it for another
            reason. With any of them the mutant survives.
        harmed: cases that should have passed, and did not: the mutant breaks more than it says. One that is not judged
            for want of the change's marker, or because objects were changed meanwhile, is not harmed: nothing is known
            of it.
    """

    missed: Mapping[str, str]
    harmed: Mapping[str, str]

    @property
    def killed(self) -> bool:
        """Whether every control that is about the defect noticed it."""
        return not self.missed


def judge(entry: Entry, cases: Mapping[str, Mapping[str, Any]]) -> Judgement:
    """Compare a run's cases, by id as in conformance.json, with what the mutant must cause."""
    missed: dict[str, str] = {}
    harmed: dict[str, str] = {}
    for key, due in entry.verdicts.items():
        for name in _cases_of(key, cases):
            verdict = cases[name]["verdict"] if name in cases else ABSENT
            if verdict != due and not (due == PASS and verdict == LOST and _NOT_JUDGED.search(cases[name]["reason"])):
                (harmed if due == PASS else missed)[name] = f"{verdict} instead of {due}"
    for name, text in entry.because.items():
        if name in cases and text not in (reason := cases[name]["reason"]):
            missed.setdefault(name, f"{cases[name]['verdict']}, but for another reason than {text!r}: {reason}")
    return Judgement(missed, harmed)


def _cases_of(key: str, cases: Mapping[str, Any]) -> list[str]:
    if not key.endswith(EVERY):
        return [key]
    control = key.removesuffix(EVERY)
    return [name for name in cases if name == control or name.startswith(f"{control}[")] or [control]


def cases(names: str, verdict: str) -> dict[str, str]:
    """`LAB-MTLS-01 02` as ids, each with the verdict."""
    first, *others = names.split()
    return {first[:-2] + number: verdict for number in (first[-2:], *others)}


ENTRIES: list[Entry] = []
"""Every mutant of the mesh; `tests.mutants.registry` imports all modules that have some."""

_Made = TypeVar("_Made", bound="Callable[..., Any]")


def mutant(
    name: str,
    area: Area,
    place: Place,
    verdicts: Mapping[str, str],
    because: Mapping[str, str] | None = None,
    words: tuple[str, ...] = (),
    *,
    restricted: bool = False,
    nightly: bool = False,
) -> Callable[[_Made], _Made]:
    """Register a class of mutants, or a function that changes objects; its docstring says what it does."""

    def register(made: _Made) -> _Made:
        changed: Callable[[], Mutant] = partial(Changed, made)
        make = cast("Callable[[], Mutant]", made) if inspect.isclass(made) else changed
        says = " ".join((inspect.getdoc(made) or "").partition("\n\n")[0].split())
        ENTRIES.append(Entry(name, area, says, make, place, verdicts, because or {}, words, restricted, nightly))
        return made

    return register
