"""`meshproof doctor`: what is missing, with what to do. On a cluster, also whether our own permissions suffice."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from clients.kube.cluster import Cluster
from clients.model.errors import MeshproofError
from runner.commands import common, doctor_rights
from runner.commands.diagnosis import Diagnosis
from runner.config import settings
from runner.config.rights import Right
from runner.target import browsers, identity
from runner.target.access import access
from runner.target.held_target import chosen_revision


def doctor(
    target: common.Target = None,
    context: common.Context = None,
    kubeconfig: common.Kubeconfig = None,
    revision: common.Revision = None,
    allow_mesh_wide: common.AllowMeshWide = None,
) -> int:
    """Look at what a run needs, and say what is missing and how to mend it."""
    given = {"target": target, "context": context, "kubeconfig": common.absolute(kubeconfig), "revision": revision}
    wanted = settings.load({**given, "allow_mesh_wide": allow_mesh_wide})
    embedded = wanted.target is settings.TargetKind.EMBEDDED
    findings = [*(machine() if embedded else cluster(wanted)), browser(), *tokens(wanted)]
    console = Console(soft_wrap=True)
    for finding in findings:
        hint = f"; {finding.hint}" if finding.hint and not finding.ok else ""
        console.print(f"{finding.sign}  {escape(finding.name)}: {escape(finding.detail + hint)}")
    bad = sum(not (finding.ok or finding.optional) for finding in findings)
    console.print(f"{bad} missing" if bad else "nothing is missing")
    return common.FAILED if bad else common.OK


def machine() -> list[Diagnosis]:
    """What the embedded testbed needs of this machine."""
    from testbed import api

    return [Diagnosis(check.name, check.ok, check.detail, check.hint) for check in api.checks()]


def browser() -> Diagnosis:
    """Whether controls with a person at a browser can be proven from this machine."""
    found, detail = browsers.describe()
    hint = f"{browsers.HINT}; without one the controls that need it are skipped"
    return Diagnosis("browser", found, detail, hint, optional=True)


def tokens(wanted: settings.Settings) -> list[Diagnosis]:
    """Whether the sources of real tokens give what they should."""
    found = []
    for issuer in identity.real_issuers(wanted).values():
        try:
            issuer.check()
            found.append(Diagnosis(issuer.setting, True, f"tokens of {issuer.issuer} for {issuer.audience}"))
        except MeshproofError as error:
            found.append(Diagnosis(issuer.setting, False, error.message, error.hint))
    return found


def cluster(wanted: settings.Settings) -> list[Diagnosis]:
    """What a run needs of a cluster that is there already."""
    try:
        there = access(wanted, print)
        found = Cluster.connect(there.file, there.context or None)
    except MeshproofError as error:
        return [Diagnosis("cluster", False, error.message, error.hint)]
    kubernetes = Diagnosis("cluster", True, f"Kubernetes {found.server_version}")
    rights, missing = doctor_rights.diagnoses(found, mesh_wide=wanted.allow_mesh_wide)
    return [kubernetes, *mesh(found, wanted.revision, missing), *rights]


def mesh(found: Cluster, revision: str, missing: tuple[Right, ...]) -> list[Diagnosis]:
    """Is there a mesh, which revision would be used, and what can it do.

    Args:
        missing: rights that the identity does not have; what cannot be looked at for want of one is not called lacking.
    """
    try:
        info = found.mesh
        if not info.name:
            return [Diagnosis("mesh", False, "none was found", "install Istio, or use --target embedded")]
        chosen = chosen_revision(revision, info.revisions) or "default injection label"
    except MeshproofError as error:
        return [Diagnosis("mesh", False, error.message, error.hint)]
    capabilities = ", ".join(sorted(info.capabilities))
    return [
        Diagnosis("mesh", True, f"{info.name} {info.version}, revision: {chosen}"),
        Diagnosis("capabilities", True, capabilities or "none"),
        *doctor_rights.not_known(info.capabilities, missing),
    ]
