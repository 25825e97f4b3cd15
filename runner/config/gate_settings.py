"""Settings of the gates: what a run proves at all, how long it may take, and what it may show and still conform."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator

from reports.gates import limit
from runner.config import duration
from runner.config.option import Option
from runner.config.paths import AnyPath

GATES = "Gates"
"""Heading of the help."""


class Tier(StrEnum):
    """How much is proven; each tier contains the one before it (`suites/tiers.yaml`)."""

    SMOKE = "smoke"
    CORE = "core"
    FULL = "full"


def _duration(text: str) -> str:
    """The text, if it is empty or a duration.

    Raises:
        ValueError: it is neither.
    """
    if text:
        duration.seconds(text)
    return text


def _text(value: object) -> object:
    """A number of the settings file as text; any other value as it is."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _limit(text: str) -> str:
    """The text, if it is empty or a limit.

    Raises:
        ValueError: it is neither.
    """
    if text:
        limit(text, 0)
    return text


_Limit = Annotated[str, BeforeValidator(_text, json_schema_input_type=int | str), AfterValidator(_limit)]


class GateSettings(BaseModel):
    """The part of the settings that the gates are made of.

    Attributes:
        tier: which controls are proven.
        deadline: how long the run may take, for instance `25m`; what is not proven by then is not run. Empty: no end.
        max_inconclusive: how many cases may be inconclusive or not run: a number, or a share (`1%`) of those planned.
        max_reduced: how many may pass by reduced proof; empty: any number.
        baseline: folder or `conformance.json` of an earlier run; only what is worse than there fails the run.
    """

    tier: Annotated[Tier, Option("--tier", "smoke|core|full", "How much is proven; default: full.", GATES)] = Tier.FULL
    deadline: Annotated[
        str,
        AfterValidator(_duration),
        Option("--deadline", "DURATION", "End after this time (25m) and keep what was proven.", GATES),
    ] = ""
    max_inconclusive: Annotated[
        _Limit,
        Option("--max-inconclusive", "N", "So many cases (or 1%) may be inconclusive or not run.", GATES),
    ] = "0"
    max_reduced: Annotated[
        _Limit,
        Option("--max-reduced", "N", "So many cases (or 1%) may pass by reduced proof.", GATES),
    ] = ""
    baseline: Annotated[
        AnyPath | None, Option("--baseline", "RUN", "Earlier run; only what is worse fails this one.", GATES)
    ] = None
