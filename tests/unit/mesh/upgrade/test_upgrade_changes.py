"""The table of Istio's changes: each has an example that it touches, and some that it does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from upgrade_samples import EXAMPLES, body, pod, view

from clients.mesh.upgrade.change import ChangeLevel, minor_of
from clients.mesh.upgrade.prechecks import changes
from clients.mesh.upgrade.removed import REMOVED
from clients.mesh.upgrade.table import CHANGES, NEWEST, OLDEST
from clients.mesh.upgrade.unchecked import Unchecked
from clients.model.errors import SettingsError
from runner.config.settings import ROOT

pytestmark = pytest.mark.unit

BY_CODE = {one.code: one for one in CHANGES}


def test_every_change_has_an_example_and_every_code_is_there_once() -> None:
    assert list(BY_CODE) == list(EXAMPLES)
    assert len(BY_CODE) == len(CHANGES)
    assert [one.minor for one in CHANGES] == sorted(one.minor for one in CHANGES)
    assert all(EXAMPLES[code].others for code in EXAMPLES)


@pytest.mark.parametrize("code", BY_CODE)
def test_a_change_touches_its_objects_and_no_others(code: str) -> None:
    example = EXAMPLES[code]
    assert tuple(dict.fromkeys(BY_CODE[code].touches(example.touched))) == example.objects
    for other in example.others:
        assert list(BY_CODE[code].touches(other)) == []


ODD: tuple[Any, ...] = (None, "text", 7, [], [None], ["text"], {}, {"x": None})


def spoiled(value: Any) -> Iterator[Any]:
    """Copies in which one part is of another form."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        for odd in (*ODD, *spoiled(part)):
            copy = dict(value) if isinstance(value, dict) else list(value)
            copy[key] = odd
            yield copy


@pytest.mark.parametrize("code", BY_CODE)
def test_an_object_of_an_odd_form_is_not_checked_and_ends_nothing(code: str) -> None:
    """Old definitions let more through, and MeshConfig is plain text: what is not read may not end in a traceback."""
    minor = BY_CODE[code].minor
    touched = EXAMPLES[code].touched
    unread: list[Unchecked] = []
    for key, bodies in touched.objects.items():
        for place, one in enumerate(bodies):
            for spec in (*ODD, *spoiled(json.loads(json.dumps(one.get("spec"))))):
                others = (*bodies[:place], {**one, "spec": spec}, *bodies[place + 1 :])
                changes(replace(touched, objects={**touched.objects, key: others}), f"1.{minor - 1}", code[:4], unread)
    for mesh in touched.configurations:
        for odd in spoiled(json.loads(json.dumps(mesh))):
            changes(replace(touched, configurations=(odd,)), f"1.{minor - 1}", code[:4], unread)
    assert all("an object has an unexpected form" in one.text for one in unread)


def test_one_check_that_cannot_be_made_keeps_no_other_from_its_result() -> None:
    unread: list[Unchecked] = []
    mesh = {"extensionProviders": 7}
    found = changes(
        view(pod(annotations={"sidecar.istio.io/statsCompression": "x"}), mesh=mesh), "1.24", "1.29", unread
    )
    assert "1.29-stats-compression" in {one.code for one in found}
    assert [one.text.partition(":")[0] for one in unread] == ["1.25-opencensus", "1.27-lightstep"]


def test_every_change_has_a_sentence_and_a_hint() -> None:
    for one in CHANGES:
        assert one.text
        assert one.hint
        assert not one.text.endswith(".")
        assert OLDEST <= one.minor <= NEWEST


def test_only_changes_between_the_two_versions_count() -> None:
    both = view(pod("docker.io/istio/proxyv2:1.29.1", annotations={"sidecar.istio.io/enableCoreDump": "true"}))
    assert {one.code for one in changes(both, "1.23", "1.24.3", [])} == {"1.24-core-dump"}
    assert {one.code for one in changes(both, "1.24", "1.29", [])} == {"1.27-native-sidecars"}
    assert {one.code for one in changes(both, "1.29.1", "1.31.1", [])} == {"1.30-registry"}


def test_variables_that_a_version_does_not_know_are_named_with_their_values() -> None:
    found = list(changes(view(ENABLE_AUTO_SNI="true", PILOT_STATUS_QPS="5", PILOT_X="1"), "1.25", "1.28", []))
    assert [(one.code, one.level, one.objects) for one in found] == [
        ("1.26-variables", ChangeLevel.ERROR, ("istiod ENABLE_AUTO_SNI=true",)),
        ("1.27-variables", ChangeLevel.ERROR, ("istiod PILOT_STATUS_QPS=5",)),
    ]
    assert not list(changes(view(ENABLE_AUTO_SNI="true"), "1.26", "1.28", []))
    assert all(OLDEST <= minor <= NEWEST for minor in REMOVED)


@pytest.mark.parametrize("text", ["1", "x.y", "2.1", "1.x", "", "v1.29"])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(SettingsError, match="is no version of Istio"):
        minor_of(text)


def test_versions_of_other_builds() -> None:
    assert [minor_of(text) for text in ("1.29", "1.29.1", "1.27.3-asm.4")] == [29, 29, 27]


def test_objects_of_the_cluster_have_no_namespace_in_their_names() -> None:
    assert list(BY_CODE["1.25-ambient-dns"].touches(view(body("Namespace", name="q", namespace="",
                labels={"istio.io/dataplane-mode": "ambient"})))) == ["Namespace q"]  # fmt: skip


def test_the_page_lists_every_change() -> None:
    page = (ROOT / "docs" / "upgrade-prechecks.md").read_text(encoding="utf-8")
    rows = [" ".join(row.split()) for row in re.split(r"^- ", page.split("## Changes of Istio", 1)[1], flags=re.M)[1:]]
    assert rows == [f"`{one.code}` ({one.level}): {one.text} ({one.hint})" for one in CHANGES]
