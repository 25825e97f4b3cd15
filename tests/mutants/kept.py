"""Leaves a run's environment in place, so that the next run of the same id finds it, which saves most of the time.

Only for mutants that change what a stage applies. One that changes the environment itself is refused: it runs alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

from clients.apply.environments import Environments
from clients.model.errors import ClusterError
from clients.model.evidence import Applied
from clients.proof.stage.running_stage import RunningStage
from runner.target.held_target import HeldTarget
from tests.mutants.mutant import Mutant, Object

REFUSAL = "this mutant changes the environment, which others use too"


class Kept(Mutant):
    """Another mutant, which may change nothing of the environment.

    Making one changes this process: it leaves its environment in place, and nothing else.
    """

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._deploying = False
        self._leave_environments()

    def objects(self, objects: list[Object]) -> None:
        """Pass on what the stage applies.

        Raises:
            ClusterError: the mutant changes the environment.
        """
        before = copy.deepcopy(objects) if self._deploying else []
        self._mutant.objects(objects)
        if self._deploying and objects != before:
            raise ClusterError(REFUSAL, "it runs alone")

    def undo(self) -> None:
        self._mutant.undo()

    def _leave_environments(self) -> None:
        deploy, close = Environments._ensure, Environments.close

        def ensure(environments: Environments, environment: Sequence[str]) -> tuple[Applied, ...]:
            self._deploying = True
            try:
                return deploy(environments, environment)
            finally:
                self._deploying = False

        def leave(environments: Environments, *, keep: bool) -> None:
            del keep
            close(environments, keep=True)

        Environments._ensure = ensure  # type: ignore[assignment, method-assign]
        Environments.close = leave  # type: ignore[assignment, method-assign]
        HeldTarget.sweep = lambda _: []  # type: ignore[assignment, method-assign]
        RunningStage._may_leave = property(lambda _: False)  # type: ignore[assignment, method-assign]
