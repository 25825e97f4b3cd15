"""All checks before an upgrade of the mesh. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from clients.kube.cluster import Cluster
from clients.mesh.istioctl import Analyzer
from clients.mesh.survey.survey import Survey
from clients.mesh.upgrade import filters, meshes, proxies, revisions
from clients.mesh.upgrade.change import ChangeLevel, ReleaseChange, Touched, minor_of
from clients.mesh.upgrade.meshes import RevisionMesh
from clients.mesh.upgrade.programs import UpgradePrograms
from clients.mesh.upgrade.removed import REMOVED
from clients.mesh.upgrade.table import CHANGES, NEWEST, OLDEST
from clients.mesh.upgrade.unchecked import Unchecked, UncheckedReason
from clients.mesh.upgrade.view import MeshView, read
from clients.model.errors import ClusterError, InfrastructureError, SettingsError

_ORDER = tuple(ChangeLevel)


@dataclass(frozen=True)
class Prechecks:
    """What the checks found.

    Attributes:
        start, end: versions (`1.29`, `1.31.1`).
        found: the worst first.
        not_checked: what could not be looked at.
    """

    start: str
    end: str
    found: tuple[Touched, ...] = ()
    not_checked: tuple[Unchecked, ...] = ()

    def of(self, level: ChangeLevel) -> tuple[Touched, ...]:
        """Results of one level."""
        return tuple(one for one in self.found if one.level is level)


def prechecks(
    cluster: Cluster,
    start: str,
    end: str,
    *,
    revision: str = "",
    target: str = "",
    root: str = "",
    istioctl: Analyzer | None = None,
) -> Prechecks:
    """Look at a cluster before its mesh moves from one version to another.

    Any two do, also of one minor, or in the wrong order (see `check_versions`).

    Args:
        start, end: the versions; empty for one that is not seen.
        revision: the revision or tag that moves; empty for the default one, or the only one.
        target: revision that it moves to; empty for an upgrade in place.
        root: the root namespace; empty for the one that the mesh states.
        istioctl: of the version to which the mesh moves; None where there is none.

    Raises:
        SettingsError: there is no such revision.
        AccessError: the identity may not read the webhooks.
    """
    view = read(cluster, Survey(cluster, revision, root))
    unread = list(view.unread)
    found = _tried("revisions", lambda: revisions.checks(view, target), unread)
    first, last = _minor(start), _minor(end)
    if first is None or last is None:
        between = f"from {start or 'one not seen'} to {end or 'one not seen'}"
        unread.append(Unchecked(f"changes between the versions: {between}"))
    else:
        found += changes(view, start, end, unread)
        found += _tried("proxies", lambda: proxies.checks(view, start, end), unread)
        found += _tried("filters", lambda: filters.checks(view, start, end), unread)
    by_istioctl, refused = _by_program(istioctl, start if first is not None else "")
    if target:
        differing, missing = settings_between(cluster, revision, target, root)
        found, unread = [*found, *differing], [*unread, *missing]
    if first is not None and last is not None and first > last:
        unread.append(Unchecked(f"changes from {start} back to {end} are not in the table"))
    elif first is not None and last is not None and first < last and (last > NEWEST or first < OLDEST - 1):
        unread.append(Unchecked(f"changes before 1.{OLDEST} and after 1.{NEWEST} are not in the table"))
    return Prechecks(start, end, _sorted([*found, *by_istioctl]), (*unread, *refused))


def settings_between(
    cluster: Cluster, revision: str, target: str, root: str = ""
) -> tuple[list[Touched], list[Unchecked]]:
    """How the meshes of two revisions differ, and what of them cannot be read; nothing of one that is not there yet."""
    try:
        old, new = (RevisionMesh.of(Survey(cluster, name, root)) for name in (revision, target))
    except SettingsError:
        return [], [Unchecked(f"MeshConfig of the revision {target}: it is not there yet")]
    unread = [*old.unread, *new.unread]
    both = meshes.of_both(old, new)
    return (_tried("meshes", lambda: meshes.checks(*both), unread) if both else []), unread


def check_versions(start: str, end: str) -> None:
    """Raise SettingsError unless the second version is of a newer minor."""
    if minor_of(start) >= minor_of(end):
        raise SettingsError(f"{end} is not of a newer minor than {start}", "state --from and --to, oldest first")


def changes(view: MeshView, start: str, end: str, unread: list[Unchecked]) -> list[Touched]:
    """What the changes of all minors after `start`, up to `end`, touch.

    Args:
        unread: gets those that could not be looked for.
    """
    minors = range(minor_of(start) + 1, minor_of(end) + 1)
    found: list[Touched] = []
    for one in CHANGES:
        if one.minor in minors:
            found += _tried(one.code, partial(_change, one, view), unread)
    for minor in minors:
        gone = [name for name in REMOVED.get(minor, ()) if name in view.variables]
        if gone:
            text = "istiod does not know these variables any more: what they set is lost"
            objects = tuple(f"istiod {name}={view.variables[name]}" for name in gone)
            found.append(
                Touched(
                    f"1.{minor}-variables", ChangeLevel.ERROR, "changes", text, objects, "read the notes of the release"
                )
            )
    return found


def _change(one: ReleaseChange, view: MeshView) -> Iterator[Touched]:
    if objects := tuple(dict.fromkeys(one.touches(view))):
        yield Touched(one.code, one.level, "changes", one.text, objects, one.hint)


def _tried(name: str, check: Callable[[], Iterable[Touched]], unread: list[Unchecked]) -> list[Touched]:
    """What a check finds; objects of a form that it does not expect are not checked, and end nothing.

    The definitions of an old release let more through than those of today, and a mesh's configuration is plain text.
    """
    try:
        return list(check())
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        unread.append(Unchecked(f"{name}: an object has an unexpected form ({type(error).__name__})"))
        return []


def _minor(version: str) -> int | None:
    try:
        return minor_of(version)
    except SettingsError:
        return None


def _by_program(istioctl: Analyzer | None, start: str) -> tuple[list[Touched], list[Unchecked]]:
    by = UncheckedReason.BY_ISTIOCTL
    if istioctl is None:
        return [], [Unchecked("precheck, analyze and proxy-status: there is no istioctl", by)]
    programs = UpgradePrograms(istioctl)
    if not start:
        return [], [Unchecked("precheck, analyze and proxy-status: the version before is not seen", by)]
    found: list[Touched] = []
    refused: list[Unchecked] = []
    checks: dict[str, Callable[[], Sequence[Touched]]] = {
        "precheck": lambda: programs.precheck(start),
        "analyze": programs.analyze,
        "proxy-status": programs.proxy_status,
    }
    for name, check in checks.items():
        try:
            found += check()
        except (InfrastructureError, ClusterError) as error:
            refused.append(Unchecked(f"{name}: {error.message}", by))
    return found, refused


def _sorted(found: Sequence[Touched]) -> tuple[Touched, ...]:
    """The worst first; what is alike but for its objects is one result."""
    objects: dict[Touched, list[str]] = {}
    for one in found:
        objects.setdefault(replace(one, objects=()), []).extend(one.objects)
    merged = [replace(one, objects=tuple(names)) for one, names in objects.items()]
    return tuple(sorted(merged, key=lambda one: (_ORDER.index(one.level), one.check, one.code)))
