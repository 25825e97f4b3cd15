"""Versions of proxies against that of the control plane, before and after it moves.

Istio supports a control plane that is one minor newer than its proxies, and none that is older (istio.io, "Supported
Releases", control plane and data plane skew).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from clients.kube.fields import kind_and_name, labels_of, spec_of
from clients.kube.pods import SIDECAR
from clients.mesh.survey.injected import version_of
from clients.mesh.upgrade.change import ChangeLevel, Touched, minor_of
from clients.mesh.upgrade.view import Json, MeshView
from clients.model.errors import SettingsError

CHECK = "proxies"
SKEW = 1
"""Minors that proxies may be older than their control plane."""


def checks(view: MeshView, start: str, end: str) -> Iterator[Touched]:
    """Proxies of other versions, and what becomes of all of them while the control plane moves."""
    before, after = minor_of(start), minor_of(end)
    found: dict[str, list[str]] = defaultdict(list)
    for body in view.of("Pod"):
        if version := proxy_version(body):
            found[version].append(kind_and_name(body))
    for version, pods in sorted(found.items()):
        minor = _minor(version)
        if minor is None:
            continue
        if minor > after:
            text = f"proxies of {version} are newer than {end}, which Istio does not support"
            yield Touched("PROXY-NEWER", ChangeLevel.ERROR, CHECK, text, tuple(pods), "restart them after the move")
        elif after - minor > SKEW:
            text = f"proxies of {version} are {after - minor} minors older than {end}; Istio supports {SKEW}"
            hint = "move them by a revision of their own, or upgrade minor by minor"
            yield Touched("PROXY-OLDER", ChangeLevel.WARNING, CHECK, text, tuple(pods), hint)
        if minor < before:
            text = f"proxies of {version} were not restarted since an earlier upgrade"
            yield Touched("PROXY-LEFT", ChangeLevel.WARNING, CHECK, text, tuple(pods), "restart them before this one")


def proxy_version(body: Json) -> str:
    """Version of the proxy of a pod, by its image; empty where it has none."""
    containers = [*(spec_of(body).get("containers") or ()), *(spec_of(body).get("initContainers") or ())]
    found = next((one for one in containers if one["name"] == SIDECAR), None)
    return (
        version_of(str(found.get("image") or ""), labels_of(body).get("app.kubernetes.io/version", "")) if found else ""
    )


def _minor(version: str) -> int | None:
    try:
        return minor_of(version)
    except SettingsError:
        return None
