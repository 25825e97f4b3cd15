"""A stage: what a suite module changes in the mesh, as data, and what was observed before and while it spread."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from clients.model.attempt import Attempt, Phase
from clients.model.expect import Expectation
from clients.model.probe import Probe


@dataclass(frozen=True)
class Scale:
    """A Deployment of the environment, by the document's names, that has another number of replicas in this stage."""

    namespace: str
    deployment: str
    replicas: int


_SHOWN_WITH = {"NetworkPolicy": "network-policy"}
"""Kind of object → the capability without which no request shows its arrival: nothing is known to enforce it, or what
others allow passes as well."""


@dataclass(frozen=True)
class Settle:
    """An outcome that must have converged before the stage continues.

    Attributes:
        before: the outcome in the state before the change, which `expect` must exclude: what that state answers too
            shows no change. May be left out where a case, or an earlier `Settle`, states it for the same request.
        needs: names of capabilities; on a target that lacks one, the stage does not settle on it.
    """

    probe: Probe
    expect: Expectation
    before: Expectation | None = None
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Step:
    """A further change within a stage. A case names by `step` the state in which it is proven.

    Attributes:
        title: the state in a few words of plain English, for reports; unique, at most 70 characters.
        apply: manifests that are applied over what is already there.
        restarts: istiod is restarted first, and so loses what it holds in memory, above all the keys of issuers.
        settle: must converge before the next step is taken and before any case of this one.
    """

    name: str
    title: str = field(default="", kw_only=True)
    apply: tuple[str, ...] = ()
    restarts: bool = False
    settle: tuple[Settle, ...] = ()


@dataclass(frozen=True)
class Stage:
    """What a suite module changes. Manifest paths are relative to `manifests/`: a file, or a folder.

    Attributes:
        name: short and stable: it names the stage in commands, files and logs.
        title: the state in a few words of plain English, for reports; unique, at most 70 characters.
        environment: manifests of what is deployed before the change; applied once per process.
        prefetch: manifests of later stages' environments that may be deployed while the cases of this one wait.
        apply: manifests of the change itself, in order.
        removed: those of `apply` that are deleted again once `settle` has converged; the cases see what is left.
        replaced: manifests that are applied over those of `apply` once `settle` has converged, instead of a removal.
        without: manifests of the environment that are deleted for the time of this stage.
        needs: names of capabilities; `mesh-wide` makes the stage exclusive, unless it is `safe_in_parallel`.
        scaled: Deployments of the environment that have another number of replicas.
        settle: must converge after `apply`, before `removed` is deleted and before any case.
        steps: taken one after the other, never back; the module's tests keep their order.
        reachable: requests that their clients may send in every state of the stage, answered by 200; for denials of
            clients that no allowed case is about.
        not_shown: kinds of objects whose arrival no request can show on the target.
        safe_in_parallel: the stage needs `mesh-wide`, but no other stage can notice its change.
    """

    name: str
    title: str = field(default="", kw_only=True)
    environment: tuple[str, ...] = ()
    prefetch: tuple[str, ...] = ()
    apply: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()
    scaled: tuple[Scale, ...] = ()
    settle: tuple[Settle, ...] = ()
    steps: tuple[Step, ...] = ()
    safe_in_parallel: bool = False
    reachable: tuple[Probe, ...] = ()
    not_shown: frozenset[str] = frozenset()

    def on(self, capabilities: Collection[str]) -> Stage:
        """The stage as it is on a target with these capabilities."""
        here = tuple(settle for settle in self.settle if settle.needs <= set(capabilities))
        not_shown = frozenset(kind for kind, needed in _SHOWN_WITH.items() if needed not in capabilities)
        return replace(self, settle=here, not_shown=not_shown)

    def steps_to(self, name: str) -> tuple[Step, ...]:
        """Steps up to and including the one of this name; none for an empty name.

        Raises:
            ValueError: the stage has no such step.
        """
        names = ["", *(step.name for step in self.steps)]
        return self.steps[: names.index(name)]

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The requests that it states itself: those that it and its steps settle on, and the `reachable` ones."""
        settles = (*self.settle, *(settle for step in self.steps for settle in step.settle))
        return (*(settle.probe for settle in settles), *self.reachable)

    @property
    def goes_on(self) -> bool:
        """Whether the settled state is changed once more before the cases are proven."""
        return bool(self.removed or self.replaced)


@dataclass(frozen=True)
class Observation:
    """What was observed before the change, or while it settled.

    Attributes:
        at: monotonic time, in seconds, that the attempts count from.
        problem: why the outcome was not as stated; empty when it was.
        conclusive: as in `clients.probe.convergence.Convergence`.
        first_s: the first match, in seconds since `at`.
        stable_s: the last confirmation; None when it has not converged.
    """

    probe: Probe
    expect: Expectation
    at: float
    attempts: tuple[Attempt, ...] = ()
    flaps: int = 0
    first_s: float | None = None
    stable_s: float | None = None
    problem: str = ""
    conclusive: bool = True

    def before(self, changed_at: float) -> tuple[Attempt, ...]:
        """Its attempts as those of a baseline: seconds since the change, negative."""
        shift = self.at - changed_at
        return tuple(replace(attempt, at_s=attempt.at_s + shift, phase=Phase.BASELINE) for attempt in self.attempts)
