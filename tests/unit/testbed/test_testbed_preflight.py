"""Requirements of the machine: each that is not met is reported before any work, with a hint."""

from __future__ import annotations

import os

import pytest

from clients.model.errors import ClusterError
from testbed import preflight

pytestmark = pytest.mark.unit


def test_a_missing_root_is_reported_first(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = preflight.checks(built=False)
    assert [check.name for check in found if not check.ok] == ["root"]
    with pytest.raises(ClusterError, match=r"root: user id 1000; run as root"):
        preflight.require(built=False)


def test_too_few_file_watches_are_reported_with_the_setting(monkeypatch, tmp_path):
    limit = tmp_path / "max_user_instances"
    monkeypatch.setattr(preflight, "INOTIFY_LIMIT", limit)
    limit.write_text("64\n")
    with pytest.raises(ClusterError, match=r"file watches: 64 .*96 needed; sysctl fs\.inotify\.max_user_instances=512"):
        preflight.require(built=True)
    limit.write_text("128\n")
    assert all(check.ok for check in preflight.checks(built=True) if check.name == "file watches")


def test_a_missing_tool_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(preflight.shutil, "which", lambda name: None if name == "unshare" else f"/bin/{name}")
    [tools] = [check for check in preflight.checks(built=True) if check.name == "tools"]
    assert not tools.ok
    assert "unshare" in tools.detail
    assert "util-linux" in tools.hint


def test_too_little_disk_says_how_much_and_where(monkeypatch, tmp_path):
    monkeypatch.setenv("MESHPROOF_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 2**30})())
    [disk] = [check for check in preflight.checks(built=False) if check.name == "disk"]
    assert not disk.ok
    assert f"{preflight.DISK_BUILD_GIB} GiB needed" in disk.detail
    assert str(tmp_path) in disk.detail
