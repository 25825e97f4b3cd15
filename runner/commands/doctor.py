"""`meshproof doctor`: what is missing, with hints. On a cluster, also whether the identity's permissions suffice."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from clients.kube import lease
from clients.kube.cluster import Cluster
from clients.kube.lease import holder
from clients.mesh import discovery
from clients.mesh.capabilities.capabilities import CapabilityName
from clients.mesh.discovery import MeshInfo
from clients.mesh.survey.survey import Survey
from clients.model.cluster_domain import DEFAULT
from clients.model.errors import MeshproofError, SettingsError
from clients.model.exit_code import ExitCode
from clients.proof.preflight.shown import Shown
from runner.commands import common, doctor_policies, doctor_rights
from runner.commands.diagnosis import Diagnosis
from runner.config import folders, rights, settings
from runner.config.right import Right
from runner.target import browsers, identity, known, named, needs, preflight, targets
from runner.target import capabilities as table
from runner.target.access import Access
from runner.target.in_use import in_use_error
from runner.target.target import Target

OPTIONS = ("revision", "root_namespace", "hosts", "istioctl", "allow_mesh_wide", "image_prefix", "skip_preflight")


@common.takes(*common.CLUSTER, *OPTIONS)
def doctor(
    policies: Annotated[
        bool, typer.Option("--policies", help="Look at the policies that are on the cluster, and at nothing else.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --policies: print the warnings as JSON.")] = False,
    *,
    given: common.Given,
) -> int:
    """Check what a run needs, and print what is missing and how to get it.

    On a cluster that is named it makes a namespace with Deployments, and removes it; not with --skip-preflight.
    """
    wanted = settings.load(given)
    target = targets.of(wanted)
    if as_json and not policies:
        raise SettingsError("--json goes with --policies", "there is no other output in JSON")
    if policies:
        return doctor_policies.show(target, as_json=as_json)
    machine = [Diagnosis(check.name, check.ok, check.detail, check.hint) for check in target.machine()]
    excused = known_failures(target)  # a wrong entry is reported before the cluster is reached
    findings = [*machine, *cluster(target), browser(), *tokens(wanted), *excused]
    console = Console(soft_wrap=True)
    for finding in findings:
        hint = f"; {finding.hint}" if finding.hint and not finding.ok else ""
        console.print(f"{finding.sign}  {escape(finding.name)}: {escape(finding.detail + hint)}")
    bad = sum(not (finding.ok or finding.optional) for finding in findings)
    console.print(f"{bad} missing" if bad else "nothing is missing")
    return ExitCode.FAILED if bad else ExitCode.OK


def browser() -> Diagnosis:
    """Whether controls with a person at a browser can be proven from this machine."""
    found, detail = browsers.describe()
    hint = f"{browsers.HINT}; without one the controls that need it are skipped"
    return Diagnosis("browser", found, detail, hint, optional=True)


def tokens(wanted: settings.Settings) -> list[Diagnosis]:
    """Whether the sources of real tokens provide the right tokens."""
    found = []
    for issuer in identity.real_issuers(wanted).values():
        try:
            issuer.check()
            found.append(Diagnosis(issuer.setting, True, f"tokens of {issuer.issuer} for {issuer.audience}"))
        except MeshproofError as error:
            found.append(Diagnosis(issuer.setting, False, error.message, error.hint))
    return found


def known_failures(target: Target) -> list[Diagnosis]:
    """How many entries of known failures there are, and each that has expired.

    Raises:
        SettingsError: an entry is wrong, or names no control.
    """
    entries = known.entries(target)
    over = known.expired(target, folders.now())
    rows = [Diagnosis("known failure", False, known.in_words(entry), known.HINT) for entry in over]
    in_force = len(entries) - len(over)
    return [Diagnosis("known failures", True, f"{in_force} entries in force"), *rows] if entries else []


def cluster(target: Target) -> list[Diagnosis]:
    """What a run needs of the cluster, where there is one.

    Raises:
        MeshproofError: it cannot be reached, or the settings name what it does not have; a run ends by the same.
    """
    there = target.look(print)
    if there is None:
        return [Diagnosis("cluster", True, "it is down, and started when a run needs it")]
    with closing(there.connect()) as connection:
        return _of_connected(target, there, connection)


def _of_connected(target: Target, there: Access, found: Cluster) -> list[Diagnosis]:
    name = target.name(there, found.server)
    rights: list[Diagnosis] = []
    missing: tuple[Right, ...] = ()
    survey = named.survey_of(found, target.settings)
    info, diagnosis = mesh(survey)
    if diagnosis.ok:
        named.require(survey, target.settings)
    if not target.starts_itself:
        mesh_wide = target.settings.allow_mesh_wide
        rights, missing = doctor_rights.diagnoses(found, mesh_wide=mesh_wide, root=info.root)
    reached = Diagnosis("cluster", True, f"{name}, Kubernetes {found.server_version}")
    tried: list[Diagnosis] = []
    shown = Shown()
    if diagnosis.ok and not (target.starts_itself or target.settings.skip_preflight):
        shown, tried = try_it(found, target, there, info)
    busy = in_use(found, target)
    return [reached, *busy, diagnosis, *tried, *capabilities(target, there, info, missing, shown), *rights]


def in_use(found: Cluster, target: Target) -> list[Diagnosis]:
    """The run that would keep another one out now, by its Lease."""
    try:
        busy = holder(found)
    except MeshproofError:  # a right that is missing has a line of its own
        return []
    if not busy:
        return []
    root = target.settings.root_namespace or rights.ROOT_NAMESPACE
    error = in_use_error(found, lease.in_use(busy), busy, root=root)
    return [Diagnosis("lease", False, error.message, error.hint)]


def try_it(found: Cluster, target: Target, there: Access, info: MeshInfo) -> tuple[Shown, list[Diagnosis]]:
    """What the cluster does, tried in a namespace of its own, which is removed; see `clients.proof.preflight`."""
    run = f"doctor-{secrets.token_hex(3)}"
    try:
        canary = preflight.canary(found, target.settings, there, info, run)
        shown = canary.look(images=True)
        rows = [Diagnosis(one.name, one.ok, one.detail, one.hint, optional=not one.needed) for one in shown.lines]
        canary.wait_gone()
    except MeshproofError as error:
        return Shown(), [Diagnosis("preflight", False, error.message, error.hint)]
    return shown, rows


def mesh(survey: Survey) -> tuple[MeshInfo, Diagnosis]:
    """Whether there is a mesh, and which revision a run would use.

    Raises:
        SettingsError: the settings name a revision that it does not have.
    """
    info = MeshInfo()
    try:
        info = discovery.seen(survey)
        if not info.name:
            return info, Diagnosis("mesh", False, "none was found", "install Istio, or use --target embedded")
    except SettingsError:
        raise
    except MeshproofError as error:
        return info, Diagnosis("mesh", False, error.message, error.hint)
    by = f"label istio.io/rev={info.label}" if info.label else "label istio-injection=enabled"
    detail = f"{info.flavour} {info.version}, revision {info.revision} by {by}, root namespace {info.root}"
    detail += f", cluster domain {info.cluster_domain}" if info.cluster_domain != DEFAULT else ""
    return info, Diagnosis("mesh", True, detail)


def capabilities(
    target: Target, there: Access, info: MeshInfo, missing: tuple[Right, ...], shown: Shown
) -> list[Diagnosis]:
    """What the target has, in one line, and what it lacks, each with the reason.

    Args:
        missing: rights that the identity lacks; a capability that is not detectable without them is not called lacking.
        shown: what was tried, which counts more than what was detected.
    """
    if not info.name:
        return []
    has_browser, detail = browsers.describe()
    browser = browsers.Found(detail) if has_browser else browsers.Found(why_not=detail)
    found = preflight.corrected(table.found(info, table.Surroundings(target, there, browser)), shown)
    rows = [
        Diagnosis(f"capability {name}", False, why, needs.hint(name, why), optional=True)
        for name, why in sorted(found.lacks.items())
        if name != CapabilityName.CHROMIUM  # it has a line of its own
    ]
    not_known = {one.name: one for one in doctor_rights.not_known(found.names, missing)}
    return [Diagnosis("capabilities", True, ", ".join(found.names)), *(not_known.get(one.name, one) for one in rows)]
