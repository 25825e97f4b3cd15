"""EnvoyFilters whose patches are for proxies of some versions only (Istio, EnvoyFilter, `match.proxy.proxyVersion`)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from clients.kube.fields import kind_and_name, spec_of
from clients.mesh.upgrade.change import ChangeLevel, Touched
from clients.mesh.upgrade.view import MeshView

CHECK = "filters"


def checks(view: MeshView, start: str, end: str) -> Iterator[Touched]:
    """Patches that proxies of the old version have and those of the new one have not, or the other way round.

    Where two patches of one place in one namespace take turns, nothing is said.
    """
    lost: dict[tuple[str, str], list[str]] = defaultdict(list)
    begins: dict[tuple[str, str], list[str]] = defaultdict(list)
    for body in view.of("EnvoyFilter"):
        for patch in spec_of(body).get("configPatches") or ():
            pattern = str(((patch.get("match") or {}).get("proxy") or {}).get("proxyVersion") or "")
            was, now = (_matches(pattern, version) for version in (start, end))
            if pattern and was != now:
                place = (body["metadata"].get("namespace", ""), str(patch.get("applyTo")))
                (lost if was else begins)[place].append(kind_and_name(body))
    for mine, others, text in (
        (lost, begins, f"its patches are not for proxies of {end}: what they do ends with the move"),
        (begins, lost, f"its patches are for proxies of {end}, and not for those of {start}: they begin with the move"),
    ):
        for place, names in mine.items():
            if place not in others:
                objects = tuple(dict.fromkeys(names))
                hint = "write a patch for the other version, or leave proxyVersion out"
                yield Touched("FILTER-VERSION", ChangeLevel.WARNING, CHECK, text, objects, hint)


def _matches(pattern: str, version: str) -> bool:
    """As istiod does it: anywhere in the version; a pattern that is none matches nothing."""
    whole = version if version.count(".") > 1 else f"{version}.0"
    try:
        return bool(re.search(pattern, whole))
    except re.error:
        return False
