"""What differs between the targets of two runs, and what their records do not say."""

from __future__ import annotations

from reports.record.model import TargetInfo

WANTED = ("mesh", "kubernetes", "node image", "proxy image", "CNI", "MeshConfig", "istiod")
"""What a comparison of two meshes should know. The last two are the first words of several names in
`TargetInfo.configuration`."""
Pairs = dict[str, tuple[str, str]]
"""Name → (before, after)."""


def environment(was: TargetInfo, now: TargetInfo) -> Pairs:
    """What differs: mesh, cluster, the mesh's configuration, and every detail that was recorded.

    Where one side has no record of a whole part, its single settings are not called different: see `missing`.
    """
    old, new = _facts(was), _facts(now)
    unknown = {*missing(was), *missing(now)}
    names = [name for name in {**old, **new} if _part(name) not in unknown]
    pairs = {name: (old.get(name, ""), new.get(name, "")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def same(was: TargetInfo, now: TargetInfo) -> dict[str, str]:
    """What both sides record alike, without single settings of the mesh."""
    old, new = _facts(was), _facts(now)
    return {name: value for name, value in old.items() if value and new.get(name) == value and _part(name) == name}


def missing(target: TargetInfo) -> list[str]:
    """Which of `WANTED` a record does not have: an older release wrote it, or the identity might not read it."""
    there = {_part(name) for name, value in _facts(target).items() if value}
    return [name for name in WANTED if name not in there]


def _facts(target: TargetInfo) -> dict[str, str]:
    mesh = target.mesh
    return {
        "target": f"{target.kind} {target.cluster or target.context}".strip(),
        "kubernetes": target.kubernetes,
        "mesh": f"{mesh.name} {mesh.version}".strip(),
        "mesh revision": mesh.revision,
        **target.facts,
        **target.configuration,
    }


def _part(name: str) -> str:
    """The part of the record that a name belongs to: `MeshConfig` for `MeshConfig accessLogFile`."""
    first = name.partition(" ")[0]
    return first if first in ("MeshConfig", "istiod") else name
