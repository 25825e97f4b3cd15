"""A stage: what a suite module changes in the mesh, as data, and what was seen before and while it spread."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from clients.model.case import Probe
from clients.model.evidence import Attempt, Phase
from clients.model.expect import Expectation


@dataclass(frozen=True)
class Scale:
    """A Deployment of the ground, by the document's names, that runs with another number of replicas in this stage."""

    namespace: str
    deployment: str
    replicas: int


@dataclass(frozen=True)
class Settle:
    """What must have converged before the stage goes on."""

    probe: Probe
    expect: Expectation


@dataclass(frozen=True)
class Step:
    """How a stage goes on once its change has been made: cases say by `step` in which state they are proven.

    Attributes:
        title: the state in a few words of plain English, for reports; unique, at most 70 characters.
        apply: manifests, over whatever is there by now.
        restarts: istiod is started anew first, and has forgotten what it knew: its keys of issuers, above all.
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
        ground: manifests that every stage of the topic stands on; applied once per process.
        ahead: manifests of later stages' grounds that may be put up while the cases of this one wait.
        apply: manifests of the change itself, in order.
        removed: those of `apply` that are deleted again once `settle` has converged: the cases see the state after it.
        taken: manifests of the ground that are not there in this stage.
        replaced: manifests that are applied over those of `apply`, once `settle` has converged, in place of a removal.
        needs: names of capabilities; `mesh-wide` makes the stage exclusive, but for one that is `unseen`.
        scaled: Deployments of the ground that run with another number of replicas.
        settle: must converge after `apply`, before `removed` is deleted and before any case.
        steps: taken one after the other, never back; the module's tests keep their order.
        unseen: it asks for the whole mesh, but nobody beside it can tell.
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

    def steps_to(self, name: str) -> tuple[Step, ...]:
        """Steps that have been taken in the step of this name; none for an empty name."""
        names = ["", *(step.name for step in self.steps)]
        return self.steps[: names.index(name)]

    @property
    def goes_on(self) -> bool:
        """Whether what has settled is changed once more before the cases are proven."""
        return bool(self.removed or self.replaced)


@dataclass(frozen=True)
class Observation:
    """What was seen before the change, or while it settled.

    Attributes:
        at: monotonic time that the attempts count from.
        problem: empty when it was as stated.
        conclusive: as in `clients.probe.converge.Convergence`.
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
