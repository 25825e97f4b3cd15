"""Mistakes of a suite's author that no run would show, or only late: found when the plan is made."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

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

_WITH_TLS = frozenset({"https", "grpcs", "wss"})
"""Schemes of URLs by which a client can show a certificate."""


def check(
    where: str, manifests: Path, stage: Stage | None, cases: Iterable[Case], refused: RefusedManifest | None
) -> None:
    """Check what a test states, apart from its control.

    Args:
        where: the test, for the message.
        manifests: the folder that manifest paths are relative to.
        stage: of the test's module.
        cases: of the test.
        refused: the manifest that the test proves to be refused.

    Raises:
        SettingsError: a manifest or a step does not exist, a kind of token is unknown, or a client cannot send what a
            URL asks for.
    """
    own = tuple(cases)
    for path in (*_manifests_of(stage), *((refused.manifest, refused.twin) if refused else ())):
        if not (manifests / path).exists():
            raise SettingsError(f"{where}: no manifest {path}", _near(path, _paths(manifests)))
    for case in own:
        names = [step.name for step in stage.steps] if stage else []
        if case.step and case.step not in names:
            raise SettingsError(
                f"{where}: {case.id} is in step {case.step!r}, which its stage has not", _near(case.step, names)
            )
    for probe in _probes_of(stage, own):
        _check_scheme(where, probe)
        for token in probe.all_tokens:
            if not token.text:
                _check_kind(where, token.kind)


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


def _manifests_of(stage: Stage | None) -> Iterator[str]:
    if stage is None:
        return
    yield from (*stage.environment, *stage.prefetch, *stage.apply, *stage.removed, *stage.replaced, *stage.without)
    for step in stage.steps:
        yield from step.apply


def _probes_of(stage: Stage | None, cases: Iterable[Case]) -> Iterator[Probe]:
    yield from stage.probes if stage else ()
    for case in cases:
        yield from case.probes


def _paths(manifests: Path) -> list[str]:
    files = [path.relative_to(manifests) for path in manifests.rglob("*.yaml")]
    return sorted({path.as_posix() for path in files} | {path.parent.as_posix() for path in files})


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else ""
