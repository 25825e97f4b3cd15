"""Proving clusters: the table, the framework's promises on a start that fails, and the ranges of several nodes."""

from __future__ import annotations

import itertools
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from clients.model.errors import ClusterError, ConflictError, SettingsError
from testbed import addresses, configuration, preflight
from testbed.form import GATEWAY, SINGLE, Form, NodeForm, pools
from testbed.parts import ImageNames
from testbed.preflight import Needs
from testbed.profiles import access, manager, table
from testbed.profiles.profile import Profile, ProfileHosts, StartedCluster

pytestmark = pytest.mark.unit


class Fake(Profile):
    """Fails where the test says so; its processes are a list."""

    name, summary, stands_for, traits = "fake", "a fake", "nobody's", ()

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.running: set[int] = set()
        self.fails = ""
        self.differs: tuple[str, ...] = ()
        self.needs = Needs(0, 0)

    def built(self, release):
        return True

    def build(self, release, say):
        self._call("build")

    def start(self, folder, release, say):
        self.running = {1}
        self._call("start")
        kubeconfig = folder / "administrator"
        kubeconfig.write_text("{}")
        return StartedCluster(kubeconfig, Path("kubectl"), "1.34", release.version)

    def stop(self, folder):
        self.running = set()
        self.calls.append("stop")

    def processes(self, folder):
        return self.running

    def changed(self, folder):
        return self.differs

    def load(self, folder, archive):
        self._call("load")

    def _call(self, name):
        self.calls.append(name)
        if self.fails == name:
            raise ClusterError(f"{name} failed")


@pytest.fixture
def fake(monkeypatch, tmp_path):
    made = Fake()
    monkeypatch.setenv("MESHPROOF_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(table, "PROFILES", {made.name: made})
    monkeypatch.setattr(preflight, "checks", lambda **_: [preflight._memory(made.needs)])

    def write(folder, name, started):
        (folder / access.KUBECONFIG).touch()
        return folder / access.KUBECONFIG, folder / access.SETTINGS

    monkeypatch.setattr(access, "write", write)
    return made


def up(istio=None, user=lambda _: ""):
    return manager.up("fake", istio, lambda _: None, user)


def test_a_profile_is_up_until_it_is_down(fake):
    assert manager.states() == {}
    made = up()
    assert up() == made
    assert fake.calls == ["stop", "build", "start"]
    assert manager.status("fake").detail["run"] == made.command
    assert manager.down("fake", print)
    assert manager.status("fake").state == "down"
    assert not manager.down("fake", print)


@pytest.mark.parametrize("step", ["build", "start"])
def test_a_start_that_fails_half_way_leaves_nothing(fake, step):
    fake.fails = step
    with pytest.raises(ClusterError, match=f"{step} failed"):
        up()
    assert fake.calls[-1] == "stop"
    left = {path.name for path in manager.folder_of("fake").iterdir()}
    assert left <= {"lock", "log"}
    assert manager.states() == {}


def test_processes_of_a_start_that_was_killed_are_reported(fake):
    fake.running = {os.getpid()}
    assert manager.status("fake").state == "broken"
    assert "down --profile fake" in manager.status("fake").detail["hint"]


def test_bad_ground_is_reported_before_anything_is_built(fake):
    fake.needs = Needs(memory_gib=10**6)
    with pytest.raises(ClusterError, match=r"the profile fake cannot run here: memory: .*; free at least 1e\+06 GiB"):
        up()
    assert fake.calls == []


def test_another_version_is_refused(fake):
    up("1.31")
    with pytest.raises(ClusterError, match=r"runs Istio 1\.31\.1 already, not 1\.29\.1; run './meshproof down"):
        up("1.29")


def test_a_profile_that_runs_with_other_parts_is_started_again_unless_it_is_in_use(fake):
    made = up()
    fake.differs = ("external",)
    users = []
    with pytest.raises(ConflictError, match="external changed since it was started, and it is in use by ann"):
        up(user=lambda kubeconfig: users.append(kubeconfig) or "ann")
    assert users == [Path(made.administrator)]
    assert fake.calls == ["stop", "build", "start"]
    up()
    assert fake.calls == ["stop", "build", "start"] * 2


def test_a_misspelt_profile_names_the_nearest():
    with pytest.raises(SettingsError, match="there is no profile nodse; did you mean nodes"):
        table.of("nodse")


def test_the_page_is_generated_from_the_table():
    text = table.DOCUMENT.read_text(encoding="utf-8")
    assert table.in_document(text) == text, "run: python -m testbed.profiles.table"
    assert all(f"**`{name}`**" in text for name in table.PROFILES)


def test_the_account_has_the_context_of_the_profile_and_not_the_administrators_key():
    administrator = {"clusters": [{"name": "c", "cluster": {"server": "https://a"}}], "users": [{"user": "secret"}]}
    made = yaml.safe_load(access.as_account(yaml.safe_dump(administrator), "nodes", "t"))
    assert made["current-context"] == "nodes"
    assert made["clusters"][0]["cluster"] == {"server": "https://a"}
    assert made["users"] == [{"name": "nodes", "user": {"token": "t"}}]


def test_the_settings_of_a_run_are_read_back():
    external = ProfileHosts({"example.com": "198.51.100.10"}, Path("/r"), Path("/l"), "a/30", "b/32", {"x.y": ["z"]})
    images = {"sleep": "registry.meshproof.test/sleep:1"}
    started = StartedCluster(Path("k"), Path("k"), "1", "1", images, Path("/i"), external, {"egress.blocked": True})
    read = tomllib.loads(access.settings_of("nodes", started))
    assert read["images"] == images
    assert read["egress"] == {"blocked": True}
    assert read["external"]["hosts"] == {"example.com": "198.51.100.10"}
    assert read["external"]["more"] == {"x.y": ["z"]}
    known = tomllib.loads(access.KNOWN_FAILURES.read_text(encoding="utf-8"))
    assert read["known_failures"] == known["known_failures"]


def test_the_settings_of_a_profile_say_nothing_of_the_embedded_target_alone():
    """The list's own head was copied: that it counts on the embedded target only, which is not so of these settings."""
    text = access.settings_of("nodes", StartedCluster(Path("k"), Path("k"), "1", "1", {}, None, None, {}))
    assert "embedded target only" not in text
    assert "docs/known-failures.md" in text


THREE = Form("three", (NodeForm("a", "default"), NodeForm("b", "default"), NodeForm("c", GATEWAY, "d=g:NoSchedule")))


def test_pods_of_several_nodes_have_ranges_of_their_own():
    ranges = [one for n in range(3) for one in (pools(THREE, n).pods, pools(THREE, n).gateway)]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(ranges, 2))
    assert all(one.subnet_of(addresses.PODS) for one in ranges)
    inside = [one.subnet_of(addresses.GATEWAY_POOL) for one in ranges]
    assert inside == [False] * 4 + [True] * 2, "only the gateway pool's node is let out"
    assert pools(SINGLE, 0).gateway == addresses.GATEWAY_POOL


def test_each_node_gets_its_own_labels_routes_and_server(tmp_path):
    link = addresses.choose_link([])
    made = configuration.Configuration(link, ImageNames("1"), ("etcd",), THREE)
    for name in ("first", "third"):
        (tmp_path / name).mkdir()
    made.write_first(tmp_path / "first")
    made.write_further(tmp_path / "third", 2, ("kubelet",))
    first, third = ((tmp_path / name / "env").read_text() for name in ("first", "third"))
    assert 'NODE_LABELS="cloud.google.com/gke-nodepool=default"' in first
    assert 'NODE_TAINTS="d=g:NoSchedule"' in third
    assert f"NODE_IP={link.node_address(2)}\n" in third
    assert f"{pools(THREE, 1).pods}={link.node_address(1)}" in third
    server = yaml.safe_load((tmp_path / "third" / "kubelet.kubeconfig").read_text())["clusters"][0]["cluster"]["server"]
    assert server == f"https://{link.node}:{configuration.API_PORT}"
    assert not (tmp_path / "third" / "pki" / "ca.key").exists(), "the authority's key stays on the first node"


@pytest.mark.parametrize(
    "path",
    sorted(Path(manager.__file__).parent.glob("*_cluster/*.yaml")),
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_manifests_of_profiles_are_yaml(path):
    text = re.sub(r"\{\{ *\w+ *\}\}", "value", path.read_text(encoding="utf-8"))
    assert [body["kind"] for body in yaml.safe_load_all(text)]
