"""The private folder of a run: for its owner only, and removed with its process, however that ends."""

from __future__ import annotations

import os
import tempfile

import pytest

from runner.config import folders

pytestmark = pytest.mark.unit


def test_a_killed_process_s_folder_is_swept_and_a_live_one_s_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead, foreign = tmp_path / "meshproof-run-4999999-abc", tmp_path / "meshproof-run-notes-x"
    for folder in (dead, foreign):
        folder.mkdir()
    (dead / "tokens").write_text("secret")
    own = folders.make_private_folder()
    assert own.stat().st_mode & 0o077 == 0
    assert f"-{os.getpid()}-" in own.name
    folders.sweep_private_folders()
    assert sorted(tmp_path.iterdir()) == sorted([own, foreign])
