"""What a report is about: the run, the target and the cases. Data only; times are ISO 8601 in UTC.

Each record has one adapter, which every file and every test process uses: `dump_python(record, mode="json")` gives
plain JSON values, `validate_python(values)` gives the record back, equal to the first. Unknown fields are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from clients.model.errors import MeshproofError
from clients.model.evidence import Evidence, Verdict
from clients.model.exit_code import ExitCode
from clients.model.known import KnownFailure
from reports import gates
from reports.gates import GateJudgement, Gates
from reports.marks import Mark, mark
from reports.record.about import About

SCHEMA = "meshproof/conformance/v3"
"""Readers ignore fields that they do not know; a field that changes its meaning makes a new version."""
SCHEMA_2 = "meshproof/conformance/v2"
"""The one before: each case had the objects themselves that were applied for it, where it has their keys now."""


_PACKAGES = ("kubernetes", "pytest", "pytest-xdist")

_LIVE, _UID = "live", 8
"""Kind of a target that is a cluster of the user's, and how many characters of its uid tell it from others."""
IN_FORCE = "in force before the run"
"""Name of `TargetInfo.in_force` among other facts; release 0.1 had it in `TargetInfo.details`."""


class ReportError(MeshproofError):
    """A report cannot be read or written."""


@dataclass(frozen=True)
class RunInfo:
    """The run itself.

    Attributes:
        started: when it began, for instance `2026-11-22T16:13:05Z`.
        ended: when it ended; empty while it runs, and for ever when it was killed.
        command: as typed, without secrets.
        exit: exit code of the run; None when it never came to one.
        planned: ids of all selected cases in the order to show them; what has no record of these was not run.
        interrupted: what stopped the run early (`SIGINT`); empty otherwise.
        environment: name and version of what conducted the run (`python`, `meshproof`, …).
        known_failures: the entries of all lists of known failures that the run went by.
        gates: what it may show and still conform.
        deadline: the deadline that ended it before all was proven, for instance `25m`; empty otherwise.
    """

    id: str
    started: str
    command: str
    ended: str = ""
    exit: int | None = None
    planned: tuple[str, ...] = ()
    interrupted: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    known_failures: tuple[KnownFailure, ...] = ()
    gates: Gates = field(default_factory=Gates)
    deadline: str = ""

    @property
    def stopped(self) -> str:
        """What ended it early, in words; empty where nothing did."""
        return self.interrupted or (f"its deadline of {self.deadline}" if self.deadline else "")

    @property
    def programs(self) -> dict[str, str]:
        """The environment by names for people: a package's name may be that of something else, too."""
        return {f"Python package {name}" if name in _PACKAGES else name: its for name, its in self.environment.items()}

    @property
    def no_record(self) -> str:
        """Why a planned case has no record, in words."""
        return "not run: deadline" if self.deadline else "there is no record of it"


@dataclass(frozen=True)
class MeshRecord:
    """The service mesh that was found, for instance `istio`, `1.29.1`, revision `default`, of flavour `Istio`."""

    name: str = ""
    version: str = ""
    revision: str = ""
    flavour: str = ""


@dataclass(frozen=True)
class TargetInfo:
    """The cluster under test.

    Attributes:
        kind: `embedded`, `kind` or `live`.
        kubernetes: version of the API server.
        context: context of the kubeconfig; empty on the embedded target.
        cluster: name that the settings give the cluster (`cluster_name`); empty for none.
        details: further facts worth showing (`nodes`, `proxy`, `cni`, …).
        name: for people, with what tells it from others (`live cluster prod at 10.0.0.1:6443`).
        server: address of the API server; empty where the run never came to one.
        configuration: how the mesh is set, by name: `proxy image`, `CNI`, `MeshConfig accessLogFile`, `istiod
            PILOT_ENABLE_ALPN_FILTER`. Redacted; without what could not be read.
        uid: of the namespace `kube-system`, which no two clusters share but embedded ones of one build; empty where
            it could not be read.
        images: of the mesh's control plane and proxies, and of the run's workloads, with what nodes pulled for them.
        in_force: each object or default that was there before the run and reaches its namespaces, with what the run
            did about it.
    """

    kind: str
    kubernetes: str = ""
    mesh: MeshRecord = field(default_factory=MeshRecord)
    context: str = ""
    details: dict[str, str] = field(default_factory=dict)
    name: str = ""
    server: str = ""
    configuration: dict[str, str] = field(default_factory=dict)
    uid: str = ""
    images: dict[str, str] = field(default_factory=dict)
    in_force: tuple[str, ...] = ()
    cluster: str = ""

    @property
    def facts(self) -> dict[str, str]:
        """The details, and what was in force before the run in one line."""
        return {IN_FORCE: "; ".join(self.in_force), **self.details}

    @property
    def title(self) -> str:
        """Which cluster it is, in words: `live cluster prod-eu (istio 1.29.1)`, `embedded cluster (istio 1.31.1)`."""
        mesh = f"{self.mesh.name} {self.mesh.version}".strip()
        named = f"{self.kind} cluster {self.cluster}" if self.cluster else self.name
        cluster = named or " ".join(filter(None, (self.kind, "cluster", self.context)))
        more = ", ".join(filter(None, (f"uid {self.mark_of_uid}" if self.mark_of_uid else "", mesh)))
        return f"{cluster} ({more})" if more else cluster

    @property
    def mark_of_uid(self) -> str:
        """The beginning of the uid of a cluster of the user's that has neither name nor context; empty for any other.

        In a pod there is none, and the API server has the same address everywhere. Embedded clusters of one build share
        their uid.
        """
        return self.uid[:_UID] if self.kind == _LIVE and not (self.cluster or self.context) else ""

    @property
    def lasting_server(self) -> str:
        """Address of the API server where it distinguishes a cluster; empty where one cluster may have several.

        One with a name may move. An embedded cluster gets an address at each start, and one of kind when it is made.
        """
        return self.server if self.kind == _LIVE and not self.cluster else ""


@dataclass(frozen=True)
class Report:
    """Everything that any report says.

    Attributes:
        cases: in the order to show them.
        recorded: case id → when its record was written.
        not_run: ids of planned cases without a record.
        damaged: records of the journal that could not be read.
        about: all controls, what they are evidence for, and provenance; None where the run did not record it.
    """

    run: RunInfo
    target: TargetInfo
    cases: tuple[Evidence, ...] = ()
    recorded: Mapping[str, str] = field(default_factory=dict)
    not_run: tuple[str, ...] = ()
    damaged: int = 0
    about: About | None = None

    @property
    def reduced(self) -> tuple[Evidence, ...]:
        """Cases that passed with reduced proof, in order."""
        return tuple(case for case in self.cases if mark(case) == Mark.REDUCED)

    @property
    def known(self) -> tuple[Evidence, ...]:
        """Cases whose failure is known, in order."""
        return tuple(case for case in self.cases if mark(case) == Mark.KNOWN)

    @property
    def failed(self) -> int:
        """How many cases failed that no entry excuses."""
        return self.totals["fail"] - len(self.known)

    @property
    def totals(self) -> dict[str, int]:
        """How many cases have each verdict, and how many were `not_run`; `reduced` are among `pass`, `known` in `fail`.

        Every key is present.
        """
        counts = {verdict.value: sum(case.verdict is verdict for case in self.cases) for verdict in Verdict}
        return {**counts, "reduced": len(self.reduced), "known": len(self.known), "not_run": len(self.not_run)}

    @property
    def marks(self) -> dict[str, Mark]:
        """Id of every planned case → its mark."""
        return {case.id: mark(case) for case in self.cases} | dict.fromkeys(self.not_run, Mark.NOT_RUN)

    @property
    def judged(self) -> GateJudgement:
        """What counts of the run by its gates."""
        return gates.judge(self.marks, self.run.gates, damaged=self.damaged)

    @property
    def ok(self) -> bool:
        """At least one case passed, none failed, and what is inconclusive, missing or reduced is within the gates.

        Without a limit of its own a pass of reduced grade conforms. A known failure does not count as a failure.
        """
        return self.judged.code == ExitCode.OK


EVIDENCE: TypeAdapter[Evidence] = TypeAdapter(Evidence)
"""A case as JSON values, and back."""
RUN = TypeAdapter(RunInfo)
TARGET = TypeAdapter(TargetInfo)
