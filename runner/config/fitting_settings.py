"""The settings of what a cluster demands of everything in it: `[namespaces]` and `[pods]`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from clients.apply.overlay import INJECTION_LABEL
from clients.kube.labels import MANAGED_BY_LABEL, REVISION_LABEL
from clients.model.api_groups import GATEWAY_API
from runner.config.texts import formed

_PART = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"([a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_PART}")
_VALUE = re.compile(rf"({_PART})?")
"""Names and values of labels (Kubernetes, "Labels and Selectors")."""

_OF_WORKLOADS = frozenset(
    {"app", "version", "istio", "pod-template-hash", "controller-revision-hash", "controller-uid", "job-name"}
)
"""By these Services, policies and controllers select pods, and the harness finds them."""
_OF_PODS = ("istio.io", "meshproof.dev", GATEWAY_API, "batch.kubernetes.io")
"""Domains of labels that decide whether a pod gets a sidecar, of which revision, and whose it is."""
_OF_NAMESPACES = frozenset({INJECTION_LABEL, REVISION_LABEL, "kubernetes.io/metadata.name"})


def _of_namespaces(given: dict[str, str]) -> dict[str, str]:
    """Refuse labels that decide about injection and its revision, or by which a run finds its own."""
    return _labels(given, _OF_NAMESPACES, ("meshproof.dev",))


def _of_pods(given: dict[str, str]) -> dict[str, str]:
    """Refuse labels that a pod has for a purpose of the harness's, of the mesh's or of Kubernetes'."""
    return _labels(given, _OF_WORKLOADS, _OF_PODS)


def _labels(given: Mapping[str, str], names: Iterable[str], domains: Iterable[str]) -> dict[str, str]:
    for name, value in given.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"{name} = {value!r} is no label of Kubernetes")
        domain = name.rpartition("/")[0]
        if name in {*names, MANAGED_BY_LABEL} or any(f".{domain}".endswith(f".{one}") for one in domains):
            instead = "; --revision chooses a revision" if name == REVISION_LABEL else ""
            raise ValueError(f"a run sets the label {name} itself, or it would change what the mesh does{instead}")
    return dict(given)


class Namespaces(BaseModel):
    """Of every namespace that a run makes: for discovery selectors, exemptions, pod security, quotas."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: Annotated[dict[str, str], AfterValidator(_of_namespaces)] = {}
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
        node_selector: labels of the nodes to use, in addition to that of Linux.
        tolerations: of taints; `key=value:effect` for short.
        labels: in addition to those by which the harness, the mesh and Kubernetes know them, which none may replace.
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
    labels: Annotated[dict[str, str], AfterValidator(_of_pods)] = {}
    annotations: dict[str, str] = {}
    pull_secret: Annotated[str, formed("([a-z0-9-]+/[a-z0-9.-]+)?", "namespace/name of a Secret")] = ""
    requests: Quantities | None = None
    limits: Quantities | None = None
    constraint: Annotated[str, formed("([a-z0-9][a-z0-9.-]*)?", "a name of small letters, digits, . and -")] = (
        CONSTRAINT
    )
