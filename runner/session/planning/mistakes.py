"""Mistakes of a suite's author that no run would show, or only late: found when the plan is made."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from clients.identity import claims, tokens
from clients.mesh.capabilities.capabilities import CapabilityName
from clients.model.case import Case
from clients.model.errors import SettingsError
from clients.model.probe import TLS_VERSIONS, Probe
from clients.model.refused import RefusedManifest
from clients.model.stage import Stage
from clients.probe import curl
from clients.probe.outside import SCHEMES as OUTSIDE_SCHEMES
from clients.probe.outside import OutsideClient
from clients.proof.table import Table
from runner.session.planning import contradictions, impossible, unsent
from runner.session.planning.types import wrong_type
from runner.session.planning.unsent import Problem

_WITH_TLS = frozenset({"https", "grpcs", "wss"})
"""Schemes of URLs by which a client can show a certificate."""


def check(
    where: str, manifests: Path, stage: Stage | None, cases: Iterable[Case], refused: RefusedManifest | None
) -> None:
    """Check what a test states, apart from its control and its stage.

    Args:
        where: the test, for the message.
        manifests: the folder that manifest paths are relative to.
        stage: of the test's module.
        cases: of the test.
        refused: the manifest that the test proves to be refused.

    Raises:
        SettingsError: a manifest or a step does not exist, a kind of token is unknown, a client cannot send what a
            URL asks for, a value is of another type than its field, or fields contradict each other.
    """
    own = tuple(cases)
    _check_types(where, (*own, *([refused] if refused else ())))
    _check_manifests(where, manifests, (refused.manifest, refused.twin) if refused else ())
    if refused and refused.manifest == refused.twin:
        raise SettingsError(f"{where}: the twin of a refused manifest is {refused.twin} itself", "name another one")
    _raise(where, contradictions.of_variant(refused.variant if refused else ""))
    names = [step.name for step in stage.steps] if stage else []
    for case in own:
        if case.step and case.step not in names:
            raise SettingsError(
                f"{where}: {case.id} is in step {case.step!r}, which its stage has not", _near(case.step, names)
            )
        _raise(f"{where}: {case.id}", contradictions.of_case(case))
        for probe in case.probes:
            _check_probe(where, probe)
        stated = [(case.probe, case.expect), *((case.probe, expect) for _, expect in case.expect_of)]
        stated += [(case.probe, case.before)] if case.before else []
        stated += [(case.twin, case.twin_expect)] if case.twin and case.twin_expect else []
        for probe, expect in stated:
            _raise(f"{where}: {case.id}", impossible.of_expectation(probe, expect))


def check_stage(where: str, manifests: Path, stage: Stage) -> None:
    """Check what a stage states.

    Raises:
        SettingsError: as for `check`.
    """
    _check_types(where, (stage,))
    _check_manifests(where, manifests, _manifests_of(stage))
    _raise(where, contradictions.of_stage(stage))
    for probe in stage.probes:
        _check_probe(where, probe)
    for settle in (*stage.settle, *(settle for step in stage.steps for settle in step.settle)):
        for expect in filter(None, (settle.expect, settle.before)):
            _raise(where, impossible.of_expectation(settle.probe, expect))


def check_table(where: str, table: Table) -> None:
    """Check that the cells of a table belong together.

    Raises:
        SettingsError: they do not.
    """
    _check_types(where, (table,))
    _raise(where, contradictions.of_table(table))


def check_substitutes(where: str, cases: Iterable[Case], needs: Iterable[str], *, in_table: bool) -> None:
    """Check substitutes of capabilities.

    Args:
        needs: of the control, the stage, the cases and the mark, before any substitute takes its place.

    Raises:
        SettingsError: a substitute takes the place of nothing.
    """
    for case in cases:
        _raise(f"{where}: {case.id}", contradictions.of_substitutes(case, frozenset(needs), in_table=in_table))


def _check_types(where: str, stated: Iterable[Any]) -> None:
    for one in stated:
        if wrong := wrong_type(one):
            raise SettingsError(f"{where}: {wrong}", "")


def _check_manifests(where: str, manifests: Path, paths: Iterable[str]) -> None:
    for path in paths:
        if not (manifests / path).exists():
            raise SettingsError(f"{where}: no manifest {path}", _near(path, _paths(manifests)))


def _check_probe(where: str, probe: Probe) -> None:
    _check_scheme(where, probe)
    _raise(where, unsent.of_probe(probe))
    for token in probe.all_tokens:
        if not token.text:
            _check_kind(where, token.kind)


def _raise(where: str, problems: Iterator[Problem]) -> None:
    """Raise for the first problem."""
    for problem, hint in problems:
        raise SettingsError(f"{where}: {problem}", hint)


def check_needs(where: str, needs: Iterable[str]) -> None:
    """Check names of capabilities.

    Raises:
        SettingsError: one is unknown: every target would seem to lack it, and the control would always be skipped.
    """
    known = [name.value for name in CapabilityName]
    for name in sorted(needs):
        if name not in known:
            raise SettingsError(f"{where}: unknown capability {name!r}", _near(name, known))


def _check_scheme(where: str, probe: Probe) -> None:
    """Otherwise no request would be sent, and the case would be inconclusive in every run."""
    outside = isinstance(probe.source, OutsideClient)
    client, known = ("outside the cluster", OUTSIDE_SCHEMES) if outside else ("in a pod", curl.SCHEMES)
    scheme = probe.url.partition("://")[0]
    if scheme not in known:
        hint = f"one of {', '.join(f'{name}://' for name in sorted(known))}"
        raise SettingsError(f"{where}: a client {client} cannot send {probe.url}", hint)
    if (probe.impostor_of or probe.tls_max) and scheme not in _WITH_TLS:
        hint = f"one of {', '.join(f'{name}://' for name in sorted(_WITH_TLS))}"
        raise SettingsError(f"{where}: impostor_of and tls_max are for TLS, and not for {probe.url}", hint)
    if probe.impostor_domain and not probe.impostor_of:
        raise SettingsError(f"{where}: impostor_domain is that of an identity, and there is no impostor_of", "add it")
    if probe.tls_max not in ("", *TLS_VERSIONS):
        raise SettingsError(f"{where}: no tls_max {probe.tls_max!r}", f"one of {', '.join(TLS_VERSIONS)}")


def _check_kind(where: str, kind: str) -> None:
    name, _, profile = kind.partition("@")
    try:
        if name not in tokens.WITHOUT_CLAIMS:
            claims.profile(profile).of(name, now=0.0)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error.message}", error.hint) from None


def _manifests_of(stage: Stage) -> Iterator[str]:
    yield from (*stage.environment, *stage.prefetch, *stage.apply, *stage.removed, *stage.replaced, *stage.without)
    for step in stage.steps:
        yield from step.apply


def _paths(manifests: Path) -> list[str]:
    files = [path.relative_to(manifests) for path in manifests.rglob("*.yaml")]
    return sorted({path.as_posix() for path in files} | {path.parent.as_posix() for path in files})


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""
