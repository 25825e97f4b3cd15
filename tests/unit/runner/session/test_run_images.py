"""Images of a run by digest: what pods say, what each process notes, and what the report names."""

from __future__ import annotations

from pathlib import Path

import pytest

from clients.kube.pods import Pod, RunningImage
from runner.session import run_images

pytestmark = pytest.mark.unit

CURL = RunningImage("sleep", "curlimages/curl:8.16.0", "docker.io/curlimages/curl@sha256:aa")
PROXY = RunningImage("istio-proxy", "istio/proxyv2:1.31", "docker.io/istio/proxyv2@sha256:bb")
INIT = RunningImage("istio-init", "istio/proxyv2:1.31", "docker.io/istio/proxyv2@sha256:bb")
BOTH = "istio/proxyv2:1.31 (docker.io/istio/proxyv2@sha256:bb, docker.io/istio/proxyv2@sha256:cc)"


def test_a_pod_names_what_each_of_its_containers_has_pulled() -> None:
    body = {
        "metadata": {"name": "a", "namespace": "n"},
        "spec": {
            "initContainers": [{"name": "istio-proxy", "image": PROXY.image, "restartPolicy": "Always"}],
            "containers": [{"name": "sleep", "image": CURL.image}, {"name": "waits", "image": "x"}],
        },
        "status": {
            "initContainerStatuses": [{"name": "istio-proxy", "image": "i", "imageID": PROXY.pulled}],
            "containerStatuses": [{"name": "sleep", "imageID": CURL.pulled}, {"name": "waits", "imageID": ""}],
        },
    }
    pod = Pod.from_json(body)
    assert set(pod.images) == {CURL, PROXY}
    assert pod == Pod.from_json({**body, "status": {}})  # a key of caches


def test_processes_add_up_and_each_replaces_its_own(tmp_path: Path) -> None:
    run_images.save([CURL], tmp_path, "gw0")
    run_images.save([PROXY], tmp_path, "gw1")
    run_images.save([CURL, INIT], tmp_path, "gw0")
    assert run_images.load(tmp_path) == {CURL, PROXY, INIT}
    assert run_images.load(tmp_path / "none") == set()


def test_a_folder_that_cannot_be_written_costs_no_run(tmp_path: Path) -> None:
    run_images.save([CURL], tmp_path / "gone", "gw0")


def test_each_name_has_its_reference_and_what_was_pulled() -> None:
    other = RunningImage("istio-proxy", PROXY.image, "docker.io/istio/proxyv2@sha256:cc")
    named = {"sleep": CURL.image, "unused": "a:1", "control plane discovery": "istio/pilot@sha256:dd"}
    assert run_images.by_digest(named, [CURL, PROXY, INIT, other]) == {
        "sleep": "curlimages/curl:8.16.0 (docker.io/curlimages/curl@sha256:aa)",
        "unused": "a:1",
        "control plane discovery": "istio/pilot@sha256:dd",
        "container istio-init": BOTH,
        "proxy": BOTH,
    }
