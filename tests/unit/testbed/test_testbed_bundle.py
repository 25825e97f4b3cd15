"""Bundles of built parts: what is no such file is refused before anything is written."""

from __future__ import annotations

import tarfile

import pytest

from clients.model.errors import ClusterError
from testbed import api, bundle

pytestmark = pytest.mark.unit


def test_a_file_that_is_no_bundle_is_refused(tmp_path):
    file = tmp_path / "bundle"
    file.write_text("not an archive")
    with pytest.raises(ClusterError, match="cannot be read as a bundle"):
        api.import_(file)


def test_a_bundle_of_other_versions_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("MESHPROOF_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "kubernetes-0123").mkdir()
    with tarfile.open(tmp_path / "bundle", "w") as archive:
        archive.add(tmp_path / "kubernetes-0123", "kubernetes-0123")
    with pytest.raises(ClusterError, match="holds kubernetes-0123, which this checkout does not use"):
        bundle.import_(tmp_path / "bundle", print)
    assert not (tmp_path / "cache").exists()


def test_export_of_nothing_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("MESHPROOF_CACHE_DIR", str(tmp_path))
    with pytest.raises(ClusterError, match="nothing is built yet; run"):
        api.export(tmp_path / "bundle")


def test_the_key_of_a_bundle_is_of_all_its_parts(monkeypatch):
    before = api.bundle_key()
    assert before == api.bundle_key()
    known = bundle._known(print)
    name = next(iter(known))
    monkeypatch.setattr(bundle, "_known", lambda _say: {**known, f"{name}0": known[name]})
    assert api.bundle_key() != before
