"""The kind profiles, as far as nothing has to run: what they ask of the machine, and what they write."""

from __future__ import annotations

import json
import resource
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.addresses import Link, Network
from testbed.parts import ImageNames
from testbed.profiles.kindcluster import creation, image_archive, node_image, requirements, settings_files
from testbed.profiles.kindcluster.versions import KIND
from testbed.versions import KUBERNETES, MODULES

pytestmark = pytest.mark.unit

LINK = Link(Network("198.18.8.0/24"))
IMAGES = ImageNames("1.31.1-abc")


def test_a_range_that_this_machine_routes_is_named() -> None:
    assert requirements.ranges([Network("172.17.0.0/16")]).ok
    taken = requirements.ranges([Network("10.244.3.0/24")])
    assert not taken.ok
    assert taken.detail == "10.244.0.0/16 of the cluster overlaps 10.244.3.0/24, which this machine routes"


def answer(code: int, out: str = "", err: str = "") -> Any:
    return lambda command, **_: subprocess.CompletedProcess(command, code, out, err)


def missing(*_: Any, **__: Any) -> Any:
    raise FileNotFoundError("apt-cache")


def test_podman_that_cannot_be_had_is_reported() -> None:
    assert requirements.podman(answer(0, "Package: podman\nVersion: 4.3.1\n")).detail == "Version: 4.3.1"
    none = requirements.podman(answer(100, "", "E: No packages found"))
    assert (none.ok, none.detail) == (False, "apt knows no package podman")
    assert "apt-get update" in none.hint
    assert requirements.podman(missing).hint == "build on Debian 12"


def test_a_version_of_kind_that_is_not_served_is_reported(tmp_path: Path) -> None:
    assert requirements.served(tmp_path, answer(0, f"sigs.k8s.io/kind v{KIND}\n")).ok
    gone = requirements.served(tmp_path, answer(1, "", f"go: sigs.k8s.io/kind@v{KIND}: not found\n"))
    assert not gone.ok
    assert "not found" in gone.detail
    assert "testbed import" in gone.hint


def test_the_version_of_kind_is_the_pinned_one() -> None:
    assert f"sigs.k8s.io/kind v{KIND} " in (MODULES / "kind" / "go.mod").read_text()
    assert f"k8s.io/kubernetes v{KUBERNETES}" in (MODULES / "kubeadm" / "go.mod").read_text()


@pytest.mark.parametrize("full", [False, True])
def test_the_clusters_configuration(full: bool, tmp_path: Path) -> None:
    settings_files.write_machine(tmp_path, LINK, full=full)
    cluster = yaml.safe_load((tmp_path / "cluster.yaml").read_text())
    assert [node["role"] for node in cluster["nodes"]] == ["control-plane", "worker", "worker"]
    assert cluster["networking"]["disableDefaultCNI"] is full
    assert cluster["networking"]["apiServerAddress"] == "198.18.8.2", "where this machine reaches it"
    assert cluster["networking"]["dnsSearch"] == []
    env = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert env["NODES_CIDR"] == "198.18.8.128/25"
    assert bool(env["EXTERNAL_ADDRESSES"].strip('"')) is full
    assert (tmp_path / "external" / "hosts.json").exists() is full


def test_a_node_asks_for_no_more_than_this_machine_may_give(tmp_path: Path) -> None:
    settings_files.write_machine(tmp_path, LINK, full=False)
    [line] = [one for one in (tmp_path / "containers.conf").read_text().splitlines() if "ulimits" in one]
    limits = dict(one.split("=") for one in json.loads(line.split(" = ")[1]))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert hard == resource.RLIM_INFINITY or int(limits["nofile"].split(":")[1]) <= hard


def test_istio_has_its_defaults_in_the_plain_form() -> None:
    plain = yaml.safe_load(settings_files.manifest("istio.yaml", IMAGES, full=False))["spec"]
    assert plain["profile"] == "default"
    assert "meshConfig" not in plain, "nothing is switched on: no access log, no provider"
    full = yaml.safe_load(settings_files.manifest("istio.yaml", IMAGES, full=True))["spec"]
    assert full["meshConfig"]["accessLogFile"] == "/dev/stdout"
    assert plain["tag"] == full["tag"] == IMAGES.tag


def test_names_of_external_hosts_are_known_in_the_full_form_only() -> None:
    plain, full = (
        yaml.safe_load(settings_files.manifest("dns.yaml", IMAGES, full=form))["data"]["Corefile"]
        for form in (False, True)
    )
    assert "example.com" not in plain
    assert "198.51.100.10 example.com\n" in full
    assert "forward" not in plain + full, "there is no resolver to ask"


def test_calico_is_found_by_its_usual_name() -> None:
    documents = list(yaml.safe_load_all(settings_files.manifest("calico-node.yaml", IMAGES, full=True)))
    [daemons] = [one for one in documents if one["kind"] == "DaemonSet"]
    assert daemons["metadata"]["name"] == "calico-node"
    assert daemons["spec"]["template"]["spec"]["containers"][0]["image"].endswith(f":v{KUBERNETES}")


def test_only_the_gateway_nodes_pods_get_past_the_firewall() -> None:
    assert "ip daddr 198.51.100.0/25 ip saddr != 10.244.2.0/24 jump refuse" in creation.external_filter("10.244.2.0/24")


def node(name: str, ready: str) -> dict[str, Any]:
    condition = {"type": "Ready", "status": ready, "message": "cni plugin not initialized"}
    return {"metadata": {"name": name}, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(
    ("nodes", "complaint"),
    [
        ([node("a", "True")], "1 of 3 nodes have joined"),
        ([node("a", "True"), node("b", "True"), node("c", "False")], "c: cni plugin not initialized"),
        ([node("a", "True"), node("b", "True"), node("c", "True")], None),
    ],
)
def test_all_nodes_must_have_joined(nodes: list[dict[str, Any]], complaint: str | None) -> None:
    assert creation.not_ready(nodes) == complaint


def test_files_of_kinds_base_image_keep_their_purpose(tmp_path: Path) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    for name, text in {
        "usr/local/bin/entrypoint": "#!/bin/bash\n",
        "kind/bin/undo.sh": "#!/bin/sh\n",
        "kind/README.txt": "text",
        "LICENSES/README.txt": "text",
        "etc/containerd/config.toml": "restrict_oom_score_adj = false\n",
    }.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
        (source / name).chmod(0o444)
    node_image.base_files(source, root)
    modes = {str(path.relative_to(root)): path.stat().st_mode & 0o777 for path in root.rglob("*") if path.is_file()}
    assert modes == {
        "usr/local/bin/entrypoint": 0o755,
        "kind/bin/undo.sh": 0o755,
        "kind/README.txt": 0o644,
        "etc/containerd/config.toml": 0o644,
    }
    assert (root / "etc/containerd/config.toml").read_text() == "restrict_oom_score_adj = true\n"


def test_the_archive_has_every_image_that_kubeadm_asks_for(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "server", "stock"):
        (programs / name).write_text(name)
    (tmp_path / "base").mkdir()
    image_archive.write(tmp_path / "images.tar", tmp_path / "base", programs, programs, programs)
    with tarfile.open(tmp_path / "images.tar") as archive:
        member = archive.extractfile("index.json")
        assert member is not None
        index = json.load(member)
    names = {entry["annotations"]["io.containerd.image.name"] for entry in index["manifests"]}
    assert {f"registry.k8s.io/kube-proxy:v{KUBERNETES}", "registry.k8s.io/etcd:3.6.5-0"} <= names
    assert len(names) == 8
