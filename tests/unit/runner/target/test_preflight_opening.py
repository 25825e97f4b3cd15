"""A cluster that refuses what a run sets against its mesh: the rest is proven."""

from __future__ import annotations

import pytest
from test_preflight import tried

from clients.apply.open_mesh import OpenMesh
from clients.mesh.capabilities.capabilities import CapabilityName
from clients.mesh.discovery import MeshInfo
from clients.mesh.survey.prior import Prior
from clients.mesh.survey.prior_note import NoteKind, NoteState, PriorNote
from clients.model.errors import ClusterError
from runner.target.capabilities import Capabilities
from runner.target.preflight import corrected, end_where_blocked, opened

pytestmark = pytest.mark.unit

PLAIN, LOG = CapabilityName.PLAINTEXT_CLIENT.value, CapabilityName.ACCESS_LOG.value
AGAINST = OpenMesh({}, permissive=True, allow=True, open=True, provider="log")
FOUND = MeshInfo(
    capabilities=frozenset({LOG}),
    prior=Prior(
        permissive=True,
        allow=True,
        open=True,
        notes=(
            PriorNote(
                NoteKind.PEER_AUTHENTICATION, NoteState.SET_ASIDE, "PeerAuthentication a/b (STRICT)", "set aside"
            ),
            PriorNote(NoteKind.SIDECAR, NoteState.SET_ASIDE, "Sidecar a/b", "set aside by PERMISSIVE"),
        ),
    ),
    log_provider="log",
)


def test_a_cluster_that_refuses_permissive_has_no_plaintext_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook that demands STRICT refused it, and the run ended: nothing could be proven."""
    shown = tried(monkeypatch, refused="PeerAuthentication", against=AGAINST)
    assert next(line for line in shown.lines if line.name == "admission").ok
    end_where_blocked(shown, ())
    found = corrected(Capabilities((LOG, PLAIN), {}), shown)
    assert PLAIN not in found.names
    assert LOG in found.names
    assert found.lacks[PLAIN].startswith(
        "tried: the mesh takes none, and PERMISSIVE is refused: PeerAuthentication meshproof-open-mesh is refused; "
    )
    mesh = opened(FOUND, shown)
    assert (mesh.prior.permissive, mesh.prior.allow, mesh.prior.open) == (False, True, True)
    assert mesh.prior.texts[0].startswith("PeerAuthentication a/b (STRICT): in force; PERMISSIVE is refused")
    assert mesh.prior.notes[0].state is NoteState.IN_FORCE
    assert mesh.prior.notes[1:] == FOUND.prior.notes[1:]
    assert mesh.log_provider == "log"


def test_a_cluster_that_refuses_telemetries_has_no_access_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = tried(monkeypatch, refused="Telemetry", against=AGAINST)
    end_where_blocked(shown, ())
    found = corrected(Capabilities((LOG, PLAIN), {}), shown)
    assert LOG not in found.names
    assert PLAIN in found.names
    assert found.lacks[LOG].startswith(
        "tried: a Telemetry is refused: Telemetry meshproof-access-log is refused; exempt"
    )
    mesh = opened(FOUND, shown)
    assert (mesh.log_provider, mesh.writes_access_log, mesh.prior) == ("", False, FOUND.prior)


@pytest.mark.parametrize("kind", ["AuthorizationPolicy", "Sidecar"])
def test_a_run_ends_where_no_stage_begins_from_the_state_that_it_states(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    shown = tried(monkeypatch, refused=kind, against=AGAINST)
    with pytest.raises(ClusterError, match=f"opening the mesh: the {kind} that a run needs .* is refused"):
        end_where_blocked(shown, ())
    assert "workloads" not in {line.name for line in shown.lines}, "no pod is waited for"


def test_what_is_accepted_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = tried(monkeypatch, against=AGAINST)
    assert opened(FOUND, shown) == FOUND
    assert corrected(Capabilities((LOG, PLAIN), {}), shown).lacks == {}
