"""Settings of convergence: how long an outcome is waited for, and how often it must be seen."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from clients.probe.convergence import ConvergencePolicy
from runner.config.numbers import Number, Whole
from runner.config.option import Option
from runner.config.share import Share

DAY_S = 86_400.0
"""The longest time, in seconds, that any setting takes."""
_MOST_PROBES = 100_000
"""Of one case; more would take hours. A leak that so few probes may not show is not asked for."""


class ConvergenceSettings(BaseModel):
    """The part of the settings that `ConvergencePolicy` is made of; see there.

    Attributes:
        budget_s, poll_s, window_s: in seconds.
        error_rate: probability that a stale answer is left after the derived number of matches.
        confirmations: overrides the derived number of consecutive matches.
        leak: share of requests let through that the probes of each denial must be enough to show: `1%` or `0.01`; None
            for whatever its confirmations show.
    """

    budget_s: Annotated[Number, Option("--budget", "S", "Seconds for a case to converge.")] = Field(
        default=ConvergencePolicy.budget_s, gt=0, le=DAY_S
    )
    poll_s: Number = Field(default=ConvergencePolicy.poll_s, gt=0, le=DAY_S)
    window_s: Number = Field(default=ConvergencePolicy.window_s, ge=0, le=DAY_S)
    error_rate: Number = Field(default=ConvergencePolicy.error_rate, ge=1e-12, lt=1)
    confirmations: Annotated[
        Whole | None, Option("--confirmations", "K", "Confirmations in a row, instead of the derived number.")
    ] = Field(default=None, ge=1, le=_MOST_PROBES)
    leak: Annotated[
        Share | None,
        Option("--leak", "SHARE", "Probe each denial until a leak of this share (1%) would have shown."),
    ] = Field(default=None, ge=10 / _MOST_PROBES, lt=1)

    @model_validator(mode="after")
    def _window_fits(self) -> Self:
        """Checked here too: the policy is made by test processes, when the cluster is up already."""
        if self.window_s >= self.budget_s:
            what = f"window_s is {self.window_s:g}, and must be shorter than budget_s"
            raise ValueError(f"{what}, which is {self.budget_s:g}")
        return self

    @property
    def policy(self) -> ConvergencePolicy:
        """How convergence is judged."""
        return ConvergencePolicy(
            self.budget_s, self.poll_s, self.window_s, self.error_rate, self.confirmations, self.leak
        )
