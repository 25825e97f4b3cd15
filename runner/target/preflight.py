"""What a cluster that is not the harness's own does is tried before the first case, and decides what can be proven."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from clients.apply.applier import Applier
from clients.apply.fitting import Fitting
from clients.apply.limits import Limits
from clients.apply.overlay import Overlay
from clients.kube.cluster import Cluster
from clients.mesh.capabilities.capabilities import CapabilityName
from clients.mesh.discovery import MeshInfo
from clients.mesh.survey.prior_note import NoteKind, NoteState, PriorNote
from clients.model.entrance import Entrance
from clients.model.errors import ClusterError
from clients.probe.way_in import WaysIn
from clients.proof.preflight.canary import DOOR, HOME, PLAIN_HOME, START_S, Canary
from clients.proof.preflight.shown import CheckName, Shown
from clients.proof.rig.rig import opening
from runner.config.ingress_settings import WITHOUT_BALANCER
from runner.config.settings import ROOT, Settings
from runner.target.access import Access
from runner.target.capabilities import Capabilities
from runner.target.fitting import KEPT, fitting

WORKER = "canary"
TRIED = "tried: "
"""Begins the reason for what was found to be lacking by trying it; the reason ends with what to do."""

_SELECTED = frozenset({CheckName.WORKLOADS, CheckName.INJECTION})
"""What fails in namespaces that istiod does not discover."""
_REFUSING = frozenset(
    {NoteKind.AUTHORIZATION_POLICY, NoteKind.ENVOY_FILTER, NoteKind.WASM_PLUGIN, NoteKind.DESTINATION_RULE}
)
"""Kinds of the root namespace that may be why a request is refused, where they stay in force."""

_NOT_ASIDE = "in force; PERMISSIVE is refused in the run's namespaces, so cases with plaintext clients are skipped"


def canary(
    cluster: Cluster,
    settings: Settings,
    there: Access,
    mesh: MeshInfo,
    run: str,
    enters: Callable[[], bool] = lambda: True,
) -> Canary:
    """The canary of a run, or of a call of doctor, by its id.

    Args:
        enters: whether the run has clients outside the cluster.

    Raises:
        SettingsError: the pull secret of the settings cannot be read.
    """
    overlay = Overlay(
        prefix=f"mp-{run.rsplit('-', 1)[-1]}-",
        run=run,
        worker=WORKER,
        images=there.images,
        revision=mesh.label,
        domain=mesh.cluster_domain,
        values={},
        namespaces=frozenset({HOME, PLAIN_HOME}),
        fitting=_fitting(settings, cluster, mesh),
    )
    namespace = overlay.namespace(HOME)
    ways_in = WaysIn(cluster, {f"{namespace}/{DOOR}": Entrance(way=settings.ingress.way)})
    limits = Limits(timeout_s=max(START_S, settings.ready_s))

    def without(names: tuple[str, ...]) -> Applier:
        lighter = replace(overlay, fitting=_fitting(settings, cluster, mesh, names))
        return Applier(cluster, lighter, ROOT / "manifests", limits)

    applier = Applier(cluster, overlay, ROOT / "manifests", limits)
    return Canary(cluster, applier, namespace, ways_in, opening(mesh, overlay), enters, tuple(KEPT), without)


def _fitting(settings: Settings, cluster: Cluster, mesh: MeshInfo, refused: tuple[str, ...] = ()) -> Fitting:
    """As of a run; the canary's Service has the type that the way in for all gateways asks for."""
    demanded = fitting(settings, cluster, mesh.prior, own=False, refused=refused)
    instead = WITHOUT_BALANCER.get(settings.ingress.way)
    return replace(demanded, service_types={f"{HOME}/{DOOR}": instead} if instead else {})


def end_where_blocked(shown: Shown, notes: Sequence[PriorNote]) -> None:
    """Raise where nothing can be proven.

    Args:
        notes: what is in force in the mesh (see `clients.mesh.survey.prior.Prior`).

    Raises:
        ClusterError: something without which no case can be proven is not there; with what it is, and what to do.
    """
    blocking = [one for one in shown.lines if one.blocks and not one.ok]
    if not blocking:
        return
    wrong = [one for one in shown.lines if not one.ok and (one.needed or one.blocks)]
    causes = [f"{one.name}: {one.detail}" for one in wrong]
    if {one.name for one in blocking} & _SELECTED:
        causes += [note.text for note in notes if note.kind is NoteKind.DISCOVERY_SELECTORS]
        causes += [one.detail for one in shown.lines if one.name == CheckName.LABELS and one not in wrong]
    if any(one.name == CheckName.REQUEST for one in blocking):
        causes += [note.text for note in notes if note.kind in _REFUSING and note.state is NoteState.IN_FORCE]
    hint = "; ".join(filter(None, (blocking[0].hint, "--skip-preflight goes on all the same")))
    raise ClusterError(f"nothing can be proven on this cluster: {'; '.join(causes)}", hint)


def corrected(found: Capabilities, shown: Shown) -> Capabilities:
    """The capabilities as far as they were tried; what was not found out stays as it was detected.

    A load balancer that was begun and gave no address in time may be slow, so it counts where it was detected.
    """
    lines = {one.name: "; ".join(filter(None, (one.detail, one.hint))) for one in shown.lines}
    wrong = [lines[one.name] for one in shown.lines if one.name in (CheckName.MODE, CheckName.OUTSIDE) and not one.ok]
    names, lacks = set(found.names), dict(found.lacks)
    balanced = None if shown.late and CapabilityName.LOAD_BALANCER in names else shown.load_balancer
    for name, has, why in (
        (CapabilityName.NETWORK_POLICY, shown.network_policy, lines.get(CheckName.NETWORK_POLICIES, "")),
        (CapabilityName.LOAD_BALANCER, balanced, lines.get(CheckName.LOAD_BALANCER, "")),
        (CapabilityName.GATEWAY_API, shown.deploys_gateways, lines.get(CheckName.POD_SECURITY, "")),
        (CapabilityName.CLIENT_ADDRESS, shown.client_address, lines.get(CheckName.WAY_IN, "")),
        (CapabilityName.PLAINTEXT_CLIENT, shown.plaintext_client, "; ".join(wrong)),
        (CapabilityName.ACCESS_LOG, shown.logs, lines.get(CheckName.LOGS, "")),
        (CapabilityName.OWN_TOKENS, shown.own_tokens, lines.get(CheckName.MORE_POLICIES, "")),
        (CapabilityName.OWN_IAP_TOKENS, shown.own_iap_tokens, lines.get(CheckName.MORE_POLICIES, "")),
    ):
        if has is None:
            continue
        names.discard(name.value)
        lacks.pop(name.value, None)
        if has:
            names.add(name.value)
        else:
            lacks[name.value] = f"{TRIED}{why}"
    return Capabilities(tuple(sorted(names)), lacks)


def opened(mesh: MeshInfo, shown: Shown) -> MeshInfo:
    """The mesh, with what a run sets against it as far as the cluster accepts that, and against new policies."""
    prior = mesh.prior
    if shown.denying:
        prior = replace(prior, allow=True)
    if shown.permissive is False:
        notes = tuple(_refused(note) if _by_permissive(note) else note for note in prior.notes)
        prior = replace(prior, permissive=False, notes=notes)
    if shown.logs is False:
        others = mesh.capabilities - {CapabilityName.ACCESS_LOG.value}
        mesh = replace(mesh, log_provider="", capabilities=others)
    return replace(mesh, prior=prior)


def _by_permissive(note: PriorNote) -> bool:
    return note.kind is NoteKind.PEER_AUTHENTICATION and note.state is NoteState.SET_ASIDE


def _refused(note: PriorNote) -> PriorNote:
    """The same note, where the cluster refuses PERMISSIVE."""
    return replace(note, state=NoteState.IN_FORCE, detail=_NOT_ASIDE)


def in_force(shown: Shown) -> tuple[str, ...]:
    """What new namespaces get, and what a run does about it, for reports; none where they get nothing."""
    guarding, denying, left = (", ".join(names) for names in (shown.guarding, shown.denying, shown.left))
    notes = (
        f"NetworkPolicy {guarding} of new namespaces: set aside by one that allows" if guarding else "",
        f"{denying} of new namespaces: set aside by a policy that allows, where a stage has none" if denying else "",
        f"{left} of new namespaces: in force" if left else "",
    )
    return tuple(filter(None, notes))
