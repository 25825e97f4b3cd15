"""The course of an upgrade: its end in the middle, going on, and what it leaves; the cluster is a stand-in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clients.hold import held as holding
from clients.hold.held import NAMESPACES, Held
from clients.model.errors import ClusterError
from runner.upgrade import conduct, hooks, moving, own_namespaces, proving, sides, stalled
from runner.upgrade.conduct import Upgrade
from runner.upgrade.plan import NEW, OLD, PHASES, MeshState
from runner.upgrade.proving import Proven
from runner.upgrade.record import Cell, Event, OwnNamespace, PhaseRecord, UpgradeRecord, UpgradeSide
from runner.upgrade.verdict import Safety, verdict

pytestmark = pytest.mark.unit
BEFORE, AFTER = UpgradeSide("stable", "1-29-1", "1.29.1"), UpgradeSide("next", "1-31-1", "1.31.1")
HELD = Held("hold-1", {name: name for name in NAMESPACES})
ALL = [phase.name.value for phase in PHASES]


class _Course:
    """What an upgrade did, in order. `trouble` is called before each move."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.trouble: Callable[[str, str], None] = lambda *_: None

    def hold(self, at: UpgradeSide) -> Held:
        self.done.append(f"held on {at.label}")
        return HELD

    def move(self, _: Any, held: Held, part: str, side: UpgradeSide) -> None:
        self.trouble(part, side.label)
        self.done.append(f"{part} to {side.label}")

    def upgrade(self, folder: Path, record: UpgradeRecord | None = None, **more: Any) -> Upgrade:
        cluster: Any = None
        made = record or UpgradeRecord("upgrade-1", BEFORE, AFTER, prechecked=True)
        return Upgrade(cluster, folder, made, self.hold, self.suites, self.done.append, look_s=0, **more)

    def suites(self, at: UpgradeSide, folder: Path) -> Path:
        return folder / "run"


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch) -> _Course:
    """An upgrade in which nothing is wrong."""
    made = _Course()
    watch = SimpleNamespace(seen=None, cells=lambda *_, **__: (), holes=lambda _: [])
    monkeypatch.setattr(conduct, "Watch", lambda *_: watch)
    monkeypatch.setattr(conduct, "Proxies", lambda *_: SimpleNamespace(events=lambda _: []))
    monkeypatch.setattr(conduct, "totals", lambda _: (10, 0.5))
    monkeypatch.setattr(sides, "side", lambda _, name, __: BEFORE if name == BEFORE.label else AFTER)
    monkeypatch.setattr(proving, "judge", lambda _, run, __, folder, ___: Proven(str(run).removeprefix(f"{folder}/")))
    monkeypatch.setattr(moving, "move", made.move)
    monkeypatch.setattr(moving, "strays", lambda *_: [])
    monkeypatch.setattr(holding, "mark", lambda *_: 0.0)
    monkeypatch.setattr(holding, "stop", lambda *_: made.done.append("held traffic removed"))
    return made


def test_all_phases_in_one_go(course: _Course, tmp_path: Path) -> None:
    found = course.upgrade(tmp_path).run()
    assert [phase.name for phase in found.phases] == ALL
    assert (found.requests, found.longest_gap_s, verdict(found).safety) == (10, 0.5, Safety.SAFE)
    assert course.done[-1] == "held traffic removed"
    assert UpgradeRecord.load(tmp_path) == found


def test_an_interrupted_one_goes_on_where_it_was(course: _Course, tmp_path: Path) -> None:
    """The held traffic is removed, starts again, and is brought to where the finished phases have left it."""

    def interrupt(part: str, to: str) -> None:
        if (part, to) == ("client", "stable"):
            raise KeyboardInterrupt

    course.trouble = interrupt
    with pytest.raises(KeyboardInterrupt):
        course.upgrade(tmp_path).run()
    assert course.done[-1] == "held traffic removed"
    earlier = UpgradeRecord.load(tmp_path)
    assert [phase.name for phase in earlier.phases] == ALL[:4]
    course.done.clear()
    course.trouble = lambda *_: None
    found = course.upgrade(tmp_path, earlier).run()
    moves = [line for line in course.done if " to stable" in line or " to next" in line]
    assert moves == [*("client to next", "server to next", "gateway to next"),
                     *("gateway to stable", "client to stable", "server to stable")]  # fmt: skip
    assert [phase.name for phase in found.phases] == ALL
    assert found.requests == 20, "those of both"


def test_a_control_plane_that_is_replaced_meanwhile_is_named(
    course: _Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The revision keeps its name: what the first phases showed is of another version."""
    later = replace(BEFORE, version="1.30.0")
    monkeypatch.setattr(sides, "side", lambda _, name, __: later if name == BEFORE.label else AFTER)
    found = verdict(course.upgrade(tmp_path).run()).against
    assert {(event.kind, event.what) for event in found} == {("revision", "stable")}
    assert found[0].text == "its control plane is of 1.30.0 now, and was of 1.29.1 at the start"
    monkeypatch.setattr(
        sides, "side", lambda _, name, __: replace(BEFORE if name == BEFORE.label else AFTER, version="")
    )
    (tmp_path / "not-seen").mkdir()
    assert verdict(course.upgrade(tmp_path / "not-seen").run()).safety is Safety.SAFE


def test_what_leaks_while_it_is_brought_there_belongs_to_the_phase_that_goes_on(
    course: _Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cells(state: MeshState, *, moving: bool) -> tuple[Cell, ...]:
        return (Cell("mesh-http1-denied", str(state), moving, 10, 0, int(state == MeshState(NEW, OLD, NEW)), 0),)

    watch = SimpleNamespace(seen=None, cells=cells, holes=lambda _: [])
    monkeypatch.setattr(conduct, "Watch", lambda *_: watch)
    done = tuple(PhaseRecord(name, 1.0, 2.0) for name in ALL[:3])
    found = course.upgrade(tmp_path, UpgradeRecord("u", BEFORE, AFTER, phases=done)).run()
    assert [(event.phase, event.kind) for event in verdict(found).against] == [("moved", "leak")]


@pytest.mark.parametrize(
    ("command", "text"),
    [("exit 4", r"the hook of the phase mixed failed \(exit 4\)"), ("sleep 60", r"did not end within 0\.2 s")],
)
def test_a_hook_that_fails_or_hangs_ends_it_and_the_held_traffic(
    command: str, text: str, course: _Course, tmp_path: Path
) -> None:
    commands = hooks.parse([f"mixed={command}"])
    with pytest.raises(ClusterError, match=text):
        course.upgrade(tmp_path, hooks=commands, hook_s=0.2 if "sleep" in command else 20.0).run()
    assert course.done[-1] == "held traffic removed"
    assert [phase.name for phase in UpgradeRecord.load(tmp_path).phases] == ALL[:2]


def test_pods_that_do_not_start_because_of_the_mesh_speak_against_it(
    course: _Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The phase cannot be finished; `--resume` tries it again, and forgets it then."""

    def trouble(part: str, to: str) -> None:
        raise ClusterError("Deployment server is not ready in time")

    event = Event("mixed", "not ready", "hold-server/server-1", "its proxy does not become ready")
    monkeypatch.setattr(stalled, "events", lambda *_: [event])
    course.trouble = trouble
    found = course.upgrade(tmp_path).run()
    assert course.done[-1] == "held traffic removed"
    assert UpgradeRecord.load(tmp_path) == found
    assert (verdict(found).safety, verdict(found).against) == (Safety.NOT_SAFE, (event,))
    assert {one.what for one in verdict(found).unknown} == set(ALL[2:])
    course.trouble = lambda *_: None
    assert verdict(course.upgrade(tmp_path, found).run()).safety is Safety.SAFE


def test_pods_that_do_not_start_for_other_reasons_are_an_error(
    course: _Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trouble(part: str, to: str) -> None:
        raise ClusterError("exceeded quota")

    monkeypatch.setattr(stalled, "events", lambda *_: [])
    course.trouble = trouble
    with pytest.raises(ClusterError, match="exceeded quota"):
        course.upgrade(tmp_path).run()
    assert course.done[-1] == "held traffic removed"


def test_a_namespace_that_stops_half_way_is_named_as_moved(
    course: _Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move(*_: Any) -> None:
        raise ClusterError("not ready in time")

    monkeypatch.setattr(own_namespaces, "move", move)
    monkeypatch.setattr(stalled, "events", lambda phase, *_: [Event(phase, "not ready", "shop/till", "x")])
    one = course.upgrade(tmp_path, UpgradeRecord("u", BEFORE, AFTER, namespaces=(OwnNamespace("shop", "stable"),)))
    assert [event.phase for event in one.run().stopped] == ["moved"]
    assert one.away == ["shop"]


def test_with_an_earlier_run_the_first_is_not_done(course: _Course, tmp_path: Path) -> None:
    found = course.upgrade(tmp_path, baseline=tmp_path / "earlier").run()
    runs = [phase.run for phase in found.phases if phase.run]
    assert runs == ["earlier", "moved/run", "rolled-back/run"]


def test_prechecks_are_made_as_soon_as_the_new_revision_is_there(course: _Course, tmp_path: Path) -> None:
    """A hook installs it: until then neither its version nor its mesh is known."""
    made = UpgradeRecord("upgrade-1", BEFORE, UpgradeSide("next", ""))
    seen: list[str] = []

    def checked(record: UpgradeRecord) -> UpgradeRecord:
        seen.append(record.new.version)
        return replace(record, prechecked=True, prechecks=(("error", "MESH-ROOT", "x", ()),))

    checking = SimpleNamespace(checked=checked, since=lambda *_: [])
    found = course.upgrade(tmp_path, made, checking=checking).run()
    assert seen == ["1.31.1"]
    assert [one.what for one in verdict(found).against] == ["MESH-ROOT"]


def test_what_a_step_of_the_user_sets_otherwise_speaks_against_it(course: _Course, tmp_path: Path) -> None:
    def since(_: UpgradeRecord, phase: str) -> list[Event]:
        return [Event(phase, "precheck", "MESH-OUTBOUND", "x")] if phase == "moved" else []

    found = course.upgrade(tmp_path, checking=SimpleNamespace(since=since)).run()
    assert [(one.phase, one.what) for one in verdict(found).against] == [("moved", "MESH-OUTBOUND")]


@pytest.mark.parametrize(("commands", "looked"), [({}, False), ({"moved": "true"}, True)])
def test_forgotten_namespaces_are_looked_for_where_the_user_moves_them(
    commands: dict[str, str], looked: bool, course: _Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = Event("moved", "not known", "shop", "it was not moved")
    monkeypatch.setattr(own_namespaces, "forgotten", lambda *_: [event])
    found = verdict(course.upgrade(tmp_path, hooks=commands).run())
    assert (event in found.unknown) is looked
