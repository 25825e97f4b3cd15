"""Paths to external hosts, drawn from evidence: workloads, the egress gateway, hosts, and how far requests came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clients.model.evidence import Evidence, Verdict
from reports.matrix import MatrixStage

WIDTH, ROW, TOP = 720, 44, 34
_BOX = 200
_LEFT, _RIGHT = _BOX, WIDTH - _BOX
_MIDDLE = WIDTH // 2
_GATEWAY_HALF = 62


@dataclass(frozen=True)
class Line:
    """One path that requests took. Coordinates in units of the picture.

    Attributes:
        kind: `through` (they were answered), `stopped` (refused, as they must be), `odd` (not what is stated).
        path: of the curve, as SVG writes it.
        end: where it ends short of a host; None where it does not.
        ids: the cases.
        text: the path in words.
    """

    kind: str
    path: str
    end: tuple[float, float] | None
    ids: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Diagram:
    """A stage's paths. `sources` and `hosts` are names with the y of their middle."""

    stage: MatrixStage
    height: int
    sources: tuple[tuple[str, float], ...]
    hosts: tuple[tuple[str, float], ...]
    gateway: float | None
    lines: tuple[Line, ...]


def picture(stage: MatrixStage) -> Diagram | None:
    """The stage's picture; None when no case of it was followed by logs."""
    followed = [case for case in stage.cases if case.network_path]
    if not followed:
        return None
    sources = dict.fromkeys(case.network_path[0] for case in followed)
    hosts = dict.fromkeys(case.destination for case in followed)
    rows = max(len(sources), len(hosts))
    left, right = _spread(list(sources), rows), _spread(list(hosts), rows)
    through_gateway = any(len(case.network_path) > 1 and case.network_path[1] != case.destination for case in followed)
    gateway = TOP + rows * ROW / 2 if through_gateway else None
    grouped: dict[tuple[tuple[str, ...], str, str], list[Evidence]] = {}
    for case in followed:
        grouped.setdefault((case.network_path, case.destination, _kind(case)), []).append(case)
    lanes: dict[str, int] = {}
    lines = []
    for (network_path, host, kind), cases in grouped.items():
        lane = lanes[network_path[0]] = lanes.get(network_path[0], -1) + 1
        lines.append(_line(network_path, host, kind, cases, left, right, gateway, lane))
    named = tuple(left.items()), tuple(right.items())
    return Diagram(stage, TOP + rows * ROW + 10, *named, gateway, tuple(lines))


def _kind(case: Evidence) -> str:
    if case.verdict is not Verdict.PASS:
        return "odd"
    return "through" if case.network_path[-1] == case.destination else "stopped"


def _spread(names: Sequence[str], rows: int) -> dict[str, float]:
    """Middles of the names, evenly over the height of `rows` rows."""
    step = rows * ROW / max(1, len(names))
    return {name: TOP + step * (index + 0.5) for index, name in enumerate(names)}


def _line(
    network_path: tuple[str, ...],
    host: str,
    kind: str,
    cases: list[Evidence],
    left: dict[str, float],
    right: dict[str, float],
    gateway: float | None,
    lane: int,
) -> Line:
    shift = ((lane + 1) // 2) * 6 * (1 if lane % 2 else -1)  # lines of one workload leave it side by side
    start, target = left[network_path[0]] + shift, right[host] + shift
    reached, by_gateway = network_path[-1] == host, len(network_path) > 1 and network_path[1] != host
    end: tuple[float, float] | None = None
    if by_gateway and gateway is not None:
        path = _curve(_LEFT, start, _MIDDLE - _GATEWAY_HALF, gateway + shift)
        if reached:
            path += " " + _curve(_MIDDLE + _GATEWAY_HALF, gateway + shift, _RIGHT, target)
        else:
            end = (_MIDDLE - _GATEWAY_HALF, gateway + shift)
    elif reached:
        path = _curve(_LEFT, start, _RIGHT, target)
    else:
        end = (_LEFT + 34, start)
        path = f"M{_LEFT} {start:g} L{end[0]:g} {end[1]:g}"
    ids = tuple(case.id for case in cases)
    stopped = "" if reached else f", refused before {host}"
    return Line(kind, path, end, ids, " → ".join(network_path) + stopped)


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    bend = (x1 + x2) / 2
    return f"M{x1:g} {y1:g} C{bend:g} {y1:g} {bend:g} {y2:g} {x2:g} {y2:g}"
