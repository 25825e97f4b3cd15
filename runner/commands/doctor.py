"""`meshproof doctor`: what is missing, with the mend. On a cluster, also whether our own permissions suffice."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from clients.kube.cluster import Cluster
from clients.model.errors import MeshproofError
from runner.commands import common
from runner.config import settings
from runner.target import browsers, identity
from runner.target.access import access
from runner.target.held_target import chosen_revision

RIGHTS = (
    ("create", "namespaces", ""),
    ("delete", "namespaces", ""),
    ("list", "pods", ""),
    ("create", "deployments.apps", ""),
    ("create", "services", ""),
    ("create", "serviceaccounts", ""),
    # Since Kubernetes 1.35 an exec over a websocket is checked as `create` too.
    ("get", "pods/exec", ""),
    ("create", "pods/exec", ""),
    ("get", "pods/log", ""),
    ("create", "peerauthentications.security.istio.io", ""),
    ("create", "requestauthentications.security.istio.io", ""),
    ("create", "authorizationpolicies.security.istio.io", ""),
    ("create", "leases.coordination.k8s.io", "default"),
    ("create", "configmaps", ""),
    *(
        ("create", f"{kind}.networking.istio.io", "")
        for kind in ("gateways", "virtualservices", "destinationrules", "serviceentries", "sidecars")
    ),
    ("create", "networkpolicies.networking.k8s.io", ""),
    ("create", "secrets", ""),
    ("create", "roles.rbac.authorization.k8s.io", ""),
    ("create", "rolebindings.rbac.authorization.k8s.io", ""),
)
GATEWAY_API_RIGHTS = tuple(("create", f"{kind}.gateway.networking.k8s.io", "") for kind in ("gateways", "httproutes"))
MESH_WIDE_RIGHT = ("create", "peerauthentications.security.istio.io", "istio-system")


@dataclass(frozen=True)
class Diagnosis:
    """One thing looked at; `mend` says what to do when it is not in order.

    Attributes:
        optional: a run does without: it skips what needs it, and says so.
    """

    name: str
    ok: bool
    detail: str = ""
    hint: str = ""
    optional: bool = False

    @property
    def sign(self) -> str:
        """How it stands in the list."""
        if self.ok:
            return "[green]ok[/green]     "
        return "[yellow]without[/yellow]" if self.optional else "[red]missing[/red]"


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
    findings = [Diagnosis("cluster", True, f"Kubernetes {found.server_version}"), *mesh(found, wanted.revision)]
    rights = (*RIGHTS, MESH_WIDE_RIGHT) if wanted.allow_mesh_wide else RIGHTS
    return findings + [right(found, *asked) for asked in (*rights, *optional_rights(found))]


def mesh(found: Cluster, revision: str) -> list[Diagnosis]:
    """Is there a mesh, and which revision would be used."""
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
    ]


def optional_rights(found: Cluster) -> tuple[tuple[str, str, str], ...]:
    """Rights that are asked for only where the cluster has what they are about."""
    try:
        return GATEWAY_API_RIGHTS if "gateway-api" in found.mesh.capabilities else ()
    except MeshproofError:  # told already
        return ()


def right(found: Cluster, verb: str, resource: str, namespace: str) -> Diagnosis:
    """Whether we may do this; `resource` reads `plural[.group]` or `plural/subresource`."""
    name = f"may {verb} {resource}" + (f" in {namespace}" if namespace else "")
    try:
        kind, _, group = resource.partition(".")
        kind, _, subresource = kind.partition("/")
        allowed = found.can_i(verb, kind, namespace, group=group, subresource=subresource)
    except MeshproofError as error:
        return Diagnosis(name, False, error.message, error.hint)
    return Diagnosis(name, allowed, "yes" if allowed else "no", "grant it to the kubeconfig's identity")
