"""The embedded cluster leaves nothing behind, whatever ends it, and nothing in it reaches this machine.

These tests start a second testbed next to the shared one, which shows that the two do not disturb each other.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from clients.kube.cluster import Cluster
from clients.kube.exec import exec_once
from clients.kube.lease import RunLease
from clients.model.errors import ConflictError
from runner.target.in_use import user_of
from testbed import api
from testbed.apiserver import ApiServer
from testbed.lifecycle import Testbed
from testbed.parts import Parts
from testbed.store import cache_root
from testbed.versions import istio_release

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
START = "import sys; from pathlib import Path; from testbed.lifecycle import Testbed\n"
START += "from testbed.versions import istio_release\n"
START += "Testbed(Path(sys.argv[1])).up(istio_release(None), lambda line: print(line, flush=True))"


@pytest.fixture
def second(testbed: api.Up) -> Iterator[Testbed]:
    """Another testbed, in a folder of its own; its parts are the shared ones, built already."""
    place = cache_root() / f"second-testbed-{os.getpid()}"
    made = Testbed(place)
    yield made
    made.down(print)
    shutil.rmtree(place, ignore_errors=True)


def footprint(second: Testbed) -> dict[str, object]:
    """What a testbed could leave on this machine."""
    nft = ["chroot", str(node_root()), "/usr/sbin/nft", "list", "tables"]
    routes = ["chroot", str(node_root()), "/usr/sbin/ip", "route", "show"]
    cgroups = [str(folder) for folder in second.node.cgroups.folders if folder.exists()]
    kept = {"log", "lock"}
    folder = second.node.state
    return {
        "interfaces": sorted(entry.name for entry in Path("/sys/class/net").iterdir()),
        "routes": subprocess.run(routes, capture_output=True, text=True, check=True).stdout,
        "packet filter": subprocess.run(nft, capture_output=True, text=True, check=True).stdout,
        "mounts": Path("/proc/self/mountinfo").read_text(),
        "cgroups": cgroups,
        "processes": sorted(pid for pid in processes() if str(second.root) in command_line(pid)),
        "files": sorted(entry.name for entry in folder.iterdir() if entry.name not in kept) if folder.exists() else [],
    }


def node_root() -> Path:
    parts = Parts(istio_release(None), lambda _: None)
    return parts.store.path(parts.node_root()) / "root"


def processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def up(second: Testbed) -> None:
    second.up(istio_release(None), print)


def test_up_twice_is_one_and_down_leaves_nothing(second):
    before = footprint(second)
    up(second)
    pid = second.node.pid()
    assert footprint(second) != before
    up(second)
    assert second.node.pid() == pid
    assert second.down(print)
    assert footprint(second) == before
    assert not second.down(print)


def test_a_killed_node_is_seen_and_a_new_one_starts(second):
    before = footprint(second)
    up(second)
    os.kill(second.node.pid(), signal.SIGKILL)
    wait_until(lambda: second.running() is None)
    up(second)
    assert second.running()
    second.down(print)
    assert footprint(second) == before


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_a_start_that_is_ended_half_way(second, blow):
    before = footprint(second)
    with subprocess.Popen(
        [sys.executable, "-c", START, str(second.root)], cwd=ROOT, stderr=subprocess.DEVNULL
    ) as starting:
        wait_until(lambda: second.node.pid() is not None)
        time.sleep(1)
        starting.send_signal(blow)
        assert starting.wait(60) != 0
    if blow is signal.SIGKILL:
        assert second.running() is None  # it runs on, but it is never taken for one that is up
        second.down(print)
    assert footprint(second) == before


def wait_until(true, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


POD = """
apiVersion: v1
kind: Namespace
metadata: {name: mp-hermetic}
---
apiVersion: v1
kind: Pod
metadata: {name: inside, namespace: mp-hermetic}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: sleep, image: %s, imagePullPolicy: Never}]
"""


@pytest.fixture
def inside(testbed: api.Up, cluster: Cluster, tmp_path: Path) -> Iterator[object]:
    """Runs curl in a pod."""
    parts = Parts(istio_release(None), lambda _: None)
    kubectl = parts.store.path(parts.program("kubernetes")) / "kubectl"
    server = ApiServer(testbed.kubeconfig, kubectl, tmp_path)
    server.apply(POD % testbed.images["sleep"])
    try:
        wait_until(lambda: any(pod.ready for pod in cluster.pods("mp-hermetic", "")), 60)
        [pod] = cluster.pods("mp-hermetic", "")
        yield lambda url: exec_once(
            cluster, pod, "sleep", ["curl", "-ksS", "-m", "3", "-o", "/dev/null", "-w", "%{http_code}", url]
        )
    finally:
        cluster.delete("v1", "Namespace", "mp-hermetic")
        server.wait("the end of the pod", gone, 60)


def gone(session, server) -> str | None:
    answer = session.get(f"{server}/api/v1/namespaces/mp-hermetic", timeout=5)
    return None if answer.status_code == 404 else "the namespace is still there"


def test_pods_and_the_node_cannot_reach_this_machine(inside, testbed):
    node = Testbed().node
    host = str(next(iter(_own_addresses(node.link_name))))
    with socket.create_server((host, 0)) as listener:
        port = listener.getsockname()[1]
        socket.create_connection((host, port), 2).close()  # the server is there, for clients that may connect
        listener.accept()[0].close()
        listener.settimeout(1)
        assert inside("https://10.96.0.1:443/version").stdout in {"200", "401", "403"}  # the pod's network works
        refused = inside(f"http://{host}:{port}/")
        assert (refused.stdout, refused.exit_code) == ("000", 28)
        assert inside("http://198.51.100.7/").stdout == "000"
        script = f"timeout 2 bash -c '</dev/tcp/{host}/{port}' 2>/dev/null; echo $?"
        assert node.run(["bash", "-c", script]).strip() != "0"
        with pytest.raises(TimeoutError):
            listener.accept()
    assert "default" not in node.run(["ip", "route"])


def _own_addresses(link: str) -> list[str]:
    shown = subprocess.run(
        ["chroot", str(node_root()), "/usr/sbin/ip", "-4", "-o", "address", "show", "dev", link],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.split()[3].split("/")[0] for line in shown.stdout.splitlines()]


def test_the_other_istio_starts_too(second):
    if not api.built("1.29"):
        pytest.skip("Istio 1.29 is not built here; build it with: ./meshproof testbed build --istio 1.29")
    second.up(istio_release("1.29"), print, default=False)
    assert second.running().istio == "1.29.1"


def test_built_parts_travel_in_one_file(testbed, tmp_path):
    """Exported here, imported into an empty cache, started there without the means to fetch or to build."""
    bundle, elsewhere = tmp_path / "parts.tar.gz", tmp_path / "cache"

    def meshproof(*words: str, **environment: str) -> str:
        command = [sys.executable, "-m", "runner", *words]
        ended = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    meshproof("testbed", "export", str(bundle))
    there = {"MESHPROOF_CACHE_DIR": str(elsewhere), "GOPROXY": "off", "PIP_NO_INDEX": "1", "PATH": "/usr/sbin:/usr/bin"}
    try:
        assert "building" not in meshproof("testbed", "import", str(bundle), **there)
        output = meshproof("up", **there)
        assert "is ready" in output
        assert "building" not in output
    finally:
        meshproof("down", **there)


def test_a_cluster_that_runs_with_other_programs_is_started_again_but_not_under_a_run(second):
    second.up(istio_release(None), print, in_use=user_of)
    before = second.node.pid()
    second.up(istio_release(None), print, in_use=user_of)
    assert second.node.pid() == before
    noted = second.node.state / "state.json"
    state = json.loads(noted.read_text())
    noted.write_text(json.dumps({**state, "made_of": {**state["made_of"], "external": "of-yesterday"}}))
    with closing(Cluster.connect(second.node.state / "kubeconfig")) as cluster, RunLease(cluster, "ann", run="run-1"):
        with pytest.raises(ConflictError, match="external changed since it was started, and it is in use by ann"):
            second.up(istio_release(None), print, in_use=user_of)
        assert second.node.pid() == before
    second.up(istio_release(None), print, in_use=user_of)
    assert second.node.pid() != before
    assert second.changed() == ()
