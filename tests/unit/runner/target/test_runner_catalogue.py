"""The catalogue, and what a target can prove of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.model.errors import SettingsError
from clients.model.known import Advisory
from reports.record.model import TargetInfo
from runner.config import catalogue, settings
from runner.target import needs
from runner.target.descriptor import TargetDescriptor

pytestmark = pytest.mark.unit
ENTRY = "- {{id: {id}, title: t, polarity: {polarity}, twin: {twin}, needs: [], live_only: false}}\n"


def folder(tmp_path: Path, *entries: str) -> Path:
    (tmp_path / "catalogue.yaml").write_text("cases:\n" + "".join(entries))
    return tmp_path


def entry(name: str, polarity: str = "allow", twin: str = "''") -> str:
    return ENTRY.format(id=name, polarity=polarity, twin=twin)


def test_the_catalogue_holds_the_lab_and_our_own() -> None:
    loaded = catalogue.load()
    strict = loaded.control("LAB-MTLS-03")
    assert strict.polarity == "deny"
    assert strict.twin == "LAB-MTLS-01"
    assert strict.mesh_wide
    assert "X-CLEAN-UP" in loaded.controls


def test_allow_and_deny_are_never_twins_of_their_own_kind() -> None:
    controls = catalogue.load().controls
    for control in controls.values():
        if control.polarity != "state" and control.twin and controls[control.twin].polarity != "state":
            assert controls[control.twin].polarity != control.polarity, control.id


def test_an_unknown_control_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"unknown control lab-mtls-3; did you mean LAB-MTLS-0\d\?"):
        catalogue.load().select(["LAB-MTLS-01", "lab-mtls-3"])


def test_several_controls_in_one_word() -> None:
    assert catalogue.load().select(["LAB-MTLS-01, LAB-MTLS-03", "LAB-PERM-01"]) == {
        "LAB-MTLS-01",
        "LAB-MTLS-03",
        "LAB-PERM-01",
    }


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ((entry("A-1"), entry("A-1")), "defined twice"),
        ((entry("A-1", twin="A-2"),), "twin of A-1"),
        ((entry("a-1"),), "malformed"),
        ((entry("A-1", polarity="maybe"),), "malformed"),
        (("- {id: A-1, title: t}\n",), "lacks 'polarity'"),
        (("- : :\n  x",), "cannot be read"),
    ],
)
def test_a_catalogue_that_is_wrong(tmp_path: Path, entries: tuple[str, ...], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        catalogue.load(folder(tmp_path, *entries))


ADVISORY = "- {{id: X-CVE-1, title: t, polarity: deny, advisory: {advisory}}}\n"


def test_a_control_about_an_advisory_has_its_id_its_link_and_the_patched_versions(tmp_path: Path) -> None:
    text = "{id: CVE-1, link: 'https://x', patched: [1.29.2, 1.30.0]}"
    (folder(tmp_path) / "advisories.yaml").write_text("cases:\n" + ADVISORY.format(advisory=text))
    assert catalogue.load(tmp_path).control("X-CVE-1").advisory == Advisory("CVE-1", "https://x", ("1.29.2", "1.30.0"))


@pytest.mark.parametrize("text", ["CVE-1", "{id: CVE-1}", "{link: 'https://x'}", "{id: C, link: l, fixed: [1]}"])
def test_an_advisory_that_is_wrong(tmp_path: Path, text: str) -> None:
    (folder(tmp_path) / "advisories.yaml").write_text("cases:\n" + ADVISORY.format(advisory=text))
    with pytest.raises(SettingsError, match="X-CVE-1 has a malformed advisory"):
        catalogue.load(tmp_path)


def test_controls_about_advisories_say_where_they_were_published() -> None:
    controls = catalogue.load().controls.values()
    about = [control for control in controls if control.advisory]
    assert {control.id for control in about} == {one.id for one in controls if one.id.startswith("X-CVE-")} != set()
    assert all(control.advisory and control.advisory.link.startswith("https://") for control in about)


EMBEDDED = TargetDescriptor(TargetInfo("embedded"), capabilities=("mesh-wide", "metrics", "plaintext-client"))
LIVE = TargetDescriptor(TargetInfo("live"), capabilities=("metrics", "plaintext-client", "gke-only", "browser"))


def why(name: str, descriptor: TargetDescriptor, **given: object) -> str:
    control, loaded = catalogue.load().control(name), settings.Settings(**given)  # type: ignore[arg-type]
    return needs.reason_to_skip(control, control.needs, descriptor, loaded)


def test_a_substitute_proves_what_needs_google_cloud() -> None:
    control = catalogue.load().control("LAB-DASH-01")
    assert needs.variant(control, EMBEDDED) == "hermetic"
    assert why("LAB-DASH-01", EMBEDDED) == ""
    assert needs.variant(control, LIVE) == ""


@pytest.mark.parametrize("name", ["EGR-API-01", "EGR-API-02", "EGR-API-06"])
def test_a_substitute_that_is_a_server_needs_a_target_that_has_it(name: str) -> None:
    """On a live cluster these asked Google's own servers for what only the testbed's answer, and failed."""
    bare = TargetDescriptor(TargetInfo("live"), capabilities=("external-hosts", "network-policy"))
    assert why(name, bare, target="live").startswith(
        "the target lacks stand-ins (needs stand-ins for Google's metadata server"
    )
    assert why(name, TargetDescriptor(TargetInfo("embedded"), capabilities=("stand-ins",))) == ""


def test_without_a_substitute_it_is_skipped() -> None:
    assert "no substitute" in why("IAP-PRE-01", EMBEDDED)


def test_a_missing_capability_is_named_with_its_meaning() -> None:
    assert why("LAB-JWT-01", EMBEDDED).startswith("the target lacks jwt (needs a JWKS and a token issuer")


def test_mesh_wide_is_free_on_the_embedded_target_only() -> None:
    bare = TargetDescriptor(TargetInfo("live"), capabilities=("sidecar-injection",))
    assert "--allow-mesh-wide" in why("LAB-MTLS-01", bare, target="live")
    assert why("LAB-MTLS-01", bare, target="live", allow_mesh_wide=True) == ""
    embedded = TargetDescriptor(TargetInfo("embedded"), capabilities=("sidecar-injection",))
    assert why("LAB-MTLS-01", embedded) == ""


def test_what_is_lacking_is_named_with_what_to_do() -> None:
    """On a mesh that is STRICT already nothing said what would let the mesh-wide controls be proven."""
    reason = "PeerAuthentication istio-system/default is there already, and the older one counts"
    strict = TargetDescriptor(TargetInfo("live"), capabilities=("sidecar-injection",), lacks={"mesh-wide": reason})
    skipped = why("LAB-MTLS-01", strict, target="live", allow_mesh_wide=True)
    assert f": {reason}). To get it: use the embedded target; " in skipped


def test_what_was_tried_has_its_own_advice() -> None:
    tried = {"network-policy": "tried: new namespaces get deny-all; exempt them"}
    skipped = why("EGR-NETPOL-02", TargetDescriptor(TargetInfo("live"), lacks=tried), target="live")
    assert "network-policy (needs a network plug-in that enforces NetworkPolicy: tried: new namespaces" in skipped
    assert "install Calico" not in skipped


def test_what_no_option_can_give_comes_first() -> None:
    bare = TargetDescriptor(TargetInfo("live"), capabilities=("ingress-gateway", "jwt", "key-refresh"))
    assert why("X-KEYS-10", bare, target="live").startswith(
        "the target lacks istiod-restart (needs a mesh whose istiod"
    )


def test_a_descriptor_survives_its_journey() -> None:
    assert TargetDescriptor.from_json(LIVE.to_json()) == LIVE
    with pytest.raises(SettingsError, match="damaged"):
        TargetDescriptor.from_json("{}")
