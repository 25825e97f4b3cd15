"""`meshproof doctor`: what is missing, with the mend. On a cluster, also whether our own permissions suffice."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from clients.kube.cluster import Cluster
from clients.mesh.capabilities import CapabilityName
from clients.mesh.discovery import MeshInfo, discover
from clients.model.errors import MeshproofError
from runner.commands import common
from runner.config import settings
from runner.target import browsers, identity, targets
from runner.target import capabilities as table
from runner.target.access import Access
from runner.target.held_target import chosen_revision
from runner.target.target import Target

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


@common.takes(*common.CLUSTER, "revision", "hosts", "istioctl", "allow_mesh_wide")
def doctor(*, given: common.Given) -> int:
    """Look at what a run needs, and say what is missing and how to get it."""
    wanted = settings.load(given)
    target = targets.of(wanted)
    machine = [Diagnosis(check.name, check.ok, check.detail, check.hint) for check in target.machine()]
    findings = [*machine, *cluster(target), browser(), *tokens(wanted)]
    console = Console(soft_wrap=True)
    for finding in findings:
        hint = f"; {finding.hint}" if finding.hint and not finding.ok else ""
        console.print(f"{finding.sign}  {escape(finding.name)}: {escape(finding.detail + hint)}")
    bad = sum(not (finding.ok or finding.optional) for finding in findings)
    console.print(f"{bad} missing" if bad else "nothing is missing")
    return common.FAILED if bad else common.OK


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


def cluster(target: Target) -> list[Diagnosis]:
    """What a run needs of a cluster that is there already."""
    try:
        there = target.look(print)
        if there is None:
            return [Diagnosis("cluster", True, "it is down, and started when a run needs it")]
        found = there.connect()
        name = target.name(there, found.server)
    except MeshproofError as error:
        return [Diagnosis("cluster", False, error.message, error.hint)]
    findings = [Diagnosis("cluster", True, f"{name}, Kubernetes {found.server_version}")]
    info, diagnosis = mesh(found, target.settings.revision)
    findings += [diagnosis, *capabilities(target, there, info)]
    return findings if target.starts_itself else findings + [right(found, *asked) for asked in rights(target, info)]


def mesh(found: Cluster, revision: str) -> tuple[MeshInfo, Diagnosis]:
    """Is there a mesh, and which revision would be used."""
    info = MeshInfo()
    try:
        info = discover(found)
        if not info.name:
            return info, Diagnosis("mesh", False, "none was found", "install Istio, or use --target embedded")
        chosen = chosen_revision(revision, info.revisions) or "default injection label"
    except MeshproofError as error:
        return info, Diagnosis("mesh", False, error.message, error.hint)
    return info, Diagnosis("mesh", True, f"{info.name} {info.version}, revision: {chosen}")


def capabilities(target: Target, there: Access, info: MeshInfo) -> list[Diagnosis]:
    """What the target has, in one line, and what it lacks, each with the reason."""
    if not info.name:
        return []
    has_browser, detail = browsers.describe()
    browser = browsers.Found(detail) if has_browser else browsers.Found(why_not=detail)
    found = table.found(info, table.Surroundings(target, there, browser))
    missing = [
        Diagnosis(f"capability {name}", False, why, table.TABLE[name].hint, optional=True)
        for name, why in sorted(found.lacks.items())
        if name != CapabilityName.CHROMIUM  # it has a line of its own
    ]
    return [Diagnosis("capabilities", True, ", ".join(found.names)), *missing]


def rights(target: Target, info: MeshInfo) -> tuple[tuple[str, str, str], ...]:
    """Those that a run needs there; some only where the cluster has what they are about."""
    wide = (MESH_WIDE_RIGHT,) if target.settings.allow_mesh_wide else ()
    optional = GATEWAY_API_RIGHTS if CapabilityName.GATEWAY_API in info.capabilities else ()
    return (*RIGHTS, *wide, *optional)


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
