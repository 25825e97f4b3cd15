"""The settings of what a cluster demands of everything in it: `[namespaces]` and `[pods]`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Namespaces(BaseModel):
    """Of every namespace that a run makes: for discovery selectors, exemptions, pod security, quotas."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Toleration(BaseModel):
    """As in a pod; a value without operator means `Equal`, none means `Exists`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = ""
    operator: Literal["", "Equal", "Exists"] = ""
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""

    @property
    def as_json(self) -> dict[str, Any]:
        """As the API has it."""
        stated = self.model_dump() | {"operator": self.operator or ("Equal" if self.value else "Exists")}
        return {name: value for name, value in stated.items() if value}


def _tolerations(given: Any) -> Any:
    """Also `key=value:effect`, as `kubectl taint` writes it, for variables."""
    if not isinstance(given, list | tuple):
        return given
    return [_parsed(one) if isinstance(one, str) else one for one in given]


def _parsed(text: str) -> dict[str, str]:
    taint, _, effect = text.partition(":")
    key, _, value = taint.partition("=")
    return {"key": key, "value": value, "effect": effect}


Quantities = dict[Literal["cpu", "memory", "ephemeral-storage"], str]


CONSTRAINT = "nonroot-v2"
"""Security context constraints of OpenShift (4.11 and newer) that allow any user id but root's, and nothing else."""


class Pods(BaseModel):
    """Of every pod that a run makes.

    Attributes:
        node_selector: labels of the nodes to use.
        tolerations: of taints; `key=value:effect` for short.
        annotations: in addition to those that keep autoscalers from evicting them (`runner.target.fitting.KEPT`), which
            they replace where they have the same name.
        pull_secret: `namespace/name` of a Secret for the images' registry, which is copied into a run's namespaces.
        requests: of each container that states none, or less; None takes those of the target where none are stated.
        limits: of each container that states none; None takes those of the target.
        constraint: name of the security context constraints that a run's accounts are bound to on OpenShift; empty for
            none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    node_selector: dict[str, str] = {}
    tolerations: Annotated[
        tuple[Toleration, ...], BeforeValidator(_tolerations, json_schema_input_type=tuple[Toleration | str, ...])
    ] = ()
    annotations: dict[str, str] = {}
    pull_secret: str = Field(default="", pattern=r"^([a-z0-9-]+/[a-z0-9.-]+)?$")
    requests: Quantities | None = None
    limits: Quantities | None = None
    constraint: str = Field(default=CONSTRAINT, pattern=r"^([a-z0-9][a-z0-9.-]*)?$")
