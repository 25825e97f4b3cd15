"""Fields of a case or of a stage that contradict each other, or of which one would do nothing: a line and a hint."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from clients.mesh.capabilities.capabilities import CapabilityName
from clients.model import settling
from clients.model.case import Case
from clients.model.expect import RBAC_DENIED, Expectation, status
from clients.model.outcome import OutcomeKind
from clients.model.stage import Stage
from clients.proof.table import Table
from runner.session.planning.impossible import no_regex
from runner.session.planning.unsent import Problem

_STAGE = re.compile(r"[A-Za-z0-9][\w.-]*")
"""It is in the names of files, and in the user agent of requests."""
_NOT_IN_A_VARIANT = re.compile(r"[\[\]*\x00-\x1f\x7f]")
"""By which entries of known failures tell cases apart (docs/known-failures.md)."""
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def of_case(case: Case) -> Iterator[Problem]:
    """What of a case contradicts itself, apart from its requests."""
    yield from _of_twin(case)
    yield from of_variant(case.variant)
    if case.decided and not case.refuses:
        yield "decided says how a request is refused, and this one is let in", "remove it"
    if case.repeat < 0 or case.holds_s < 0 or not math.isfinite(case.holds_s):
        yield f"repeat is {case.repeat} and holds_s is {case.holds_s}", "state a number of requests, and seconds"
    if case.arrival and not case.arrival.tls and (case.arrival.sni or case.arrival.client_cert):
        yield "arrival has sni or client_cert without tls", "add tls=True"
    for version, _ in case.expect_of:
        if not _VERSION.fullmatch(version):
            yield f"expect_of names version {version!r} of Envoy", "write all three numbers: 1.37.0"
    yield from _of_logged(case)


def of_variant(variant: str) -> Iterator[Problem]:
    """What of a variant no entry of known failures could name."""
    if _NOT_IN_A_VARIANT.search(variant) or variant != variant.strip():
        yield f"no variant {variant!r}", "a variant is one line, without brackets, asterisks, and blanks at its ends"


def _of_twin(case: Case) -> Iterator[Problem]:
    if case.twin_expect and not case.twin:
        yield "it has twin_expect and no twin", "add the twin, or remove its outcome"
    if case.twin == case.probe:
        yield "its twin is the request itself", "let the twin be a request of opposite polarity"
    elif case.twin and case.refuses and _is_no_twin(case.expect, case.twin_expect or status(200)):
        yield (
            f"its twin may be refused as well: {(case.twin_expect or status(200)).text}",
            "let the twin be a request of opposite polarity, and state how the application answers it",
        )


def _of_logged(case: Case) -> Iterator[Problem]:
    for logged in case.logged:
        stated = {name: value for name, value in vars(logged).items() if name not in ("proxy", "tcp", "absent")}
        if logged.absent and any(stated.values()):
            yield f"logged has absent, and {', '.join(name for name in stated if stated[name])}", "remove one"
        for name, value in stated.items():
            if name != "details" and isinstance(value, str) and (wrong := no_regex(value)):
                yield f"{name} of logged: {wrong}", ""


def _is_no_twin(expect: Expectation, twin: Expectation) -> bool:
    """Whether a request with such an outcome may be one that was refused, as that of the case is."""
    by_policy = any(check.pattern == RBAC_DENIED for check in twin.checks)
    lets_in = twin.status is not None or OutcomeKind.RECEIVED in twin.kinds
    return by_policy or not lets_in or bool(twin.grpc_status) or settling.may_both_match(expect, twin)


def of_substitutes(case: Case, needs: frozenset[str], *, in_table: bool) -> Iterator[Problem]:
    """Substitutes that nothing asks for, or that do not exist.

    Args:
        needs: of the control, the stage and the case, before any substitute takes its place.
    """
    for name, other in case.substitutes:
        if unknown := [one for one in (name, other) if one not in {known.value for known in CapabilityName}]:
            yield f"unknown capability {unknown[0]!r} in substitutes", "docs/capabilities.md has all of them"
        elif in_table:
            yield "substitutes of a cell of a table have no effect", "make it a case of its own"
        elif name not in needs:
            yield f"substitutes {name}, which nothing needs here", "remove it"


def of_table(table: Table) -> Iterator[Problem]:
    """Cells of a table that are not of its control, or not of one step."""
    if other := [case.control for case in table.cases if case.control != table.control]:
        yield f"a cell of the table of {table.control} is of {other[0]}", "give it a table of its own"
    if len(steps := {case.step for case in table.cases}) > 1:
        yield f"the table of {table.control} has cells of steps {sorted(steps)}", "give each step a table of its own"


def of_stage(stage: Stage) -> Iterator[Problem]:
    """What of a stage contradicts itself, apart from its requests."""
    known = {name.value for name in CapabilityName}
    if not _STAGE.fullmatch(stage.name):
        yield f"no name of a stage: {stage.name!r}", "write letters, digits, hyphens and full stops"
    for settle in (*stage.settle, *(settle for step in stage.steps for settle in step.settle)):
        for name in sorted(settle.needs - known):
            yield f"unknown capability {name!r} of a Settle, which would never be looked at", ""
    for name, paths, of, where in (
        ("removed", stage.removed, stage.apply, "apply"),
        ("without", stage.without, stage.environment, "environment"),
    ):
        for path in paths:
            if not any(path == one or path.startswith(f"{one.rstrip('/')}/") for one in of):
                yield f"{path} of {name} is not in {where}", f"name a manifest of {where}"
    yield from _of_steps([step.name for step in stage.steps])
    for scale in stage.scaled:
        if scale.replicas < 0:
            yield f"{scale.replicas} replicas of {scale.deployment}", "state a number of replicas"


def _of_steps(names: list[str]) -> Iterator[Problem]:
    for name in dict.fromkeys(names):
        if not name or names.count(name) > 1:
            yield f"{names.count(name)} steps are called {name!r}", "give each step a name of its own"
