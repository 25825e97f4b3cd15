"""What profiles change of the embedded cluster, as far as it can be seen without one."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from testbed.internet import HOSTS
from testbed.parts import Parts
from testbed.profiles import canary, hardened, managed, table
from testbed.profiles.embedded import EmbeddedProfile
from testbed.versions import HERE, ISTIO_RELEASES, istio_release

pytestmark = pytest.mark.unit


def test_each_revision_of_the_canary_has_its_own_name_and_tag():
    sides = canary.TwoRevisions().sides(Parts(istio_release("1.31"), print))
    assert {tag: side.release.minor for tag, side in sides.items()} == {"stable": "1.29", "next": "1.31"}
    names = [name for _, name in canary.TwoRevisions().core(Parts(istio_release("1.31"), print))]
    assert names == ["istiod-1-29-1-stable", "istiod-1-31-1-next", "coredns"]


@pytest.mark.parametrize("minor", list(ISTIO_RELEASES))
def test_the_canary_always_has_two_versions(minor):
    release = istio_release(minor)
    assert canary.other(release) != release


def test_a_managed_istiods_name_is_known_in_the_cluster():
    manifests = "kind: Deployment\n---\nkind: ConfigMap\ndata: {Corefile: 'cluster.local:53 {}'}\n"
    body = yaml.safe_load(managed._with_zone(manifests))
    assert "cluster.local:53 {}" in body["data"]["Corefile"]
    assert f"{managed.ADDRESS} {managed.HOST}" in body["data"]["Corefile"]


def test_a_managed_istiod_listens_where_no_external_host_does():
    """They are in one network, at some of the same ports: a host that listened at every address kept istiod's port."""
    external = (HERE / "modules" / "external" / "main.go").read_text()
    own = set(re.findall(r'Addr="\$ISTIOD_ADDRESS:(\d+)"', (managed._FILES / "sv" / "istiod" / "run").read_text()))
    assert {"15012", "15017"} <= own
    assert re.findall(r"net\.Listen\(.*\)", external) == ['net.Listen("tcp4", to)']
    assert "net.JoinHostPort(address, port)" in external
    assert managed.ADDRESS not in {address for one in HOSTS for address in one.addresses}


def test_of_a_managed_mesh_only_webhooks_and_its_configuration_are_in_the_cluster():
    kinds = {"MutatingWebhookConfiguration": "any", "ConfigMap": "istio-asm-managed"}
    others = {"Deployment": "istiod-asm-managed", "Service": "istiod-asm-managed"}
    injector = {"kind": "ConfigMap", "metadata": {"name": managed._INJECTOR}}

    def kept(body):
        return any(managed._is(body, *which) for which in managed._KEPT)

    assert all(kept({"kind": kind, "metadata": {"name": name}}) for kind, name in kinds.items())
    assert not any(kept({"kind": kind, "metadata": {"name": name}}) for kind, name in others.items())
    assert not kept(injector)


def test_the_hardened_injector_uses_the_plug_in():
    values = json.dumps({"pilot": {"cni": {"enabled": False}}})
    body = {"kind": "ConfigMap", "metadata": {"name": "istio-sidecar-injector"}, "data": {"values": values}}
    made = hardened._by_cni(body)
    assert json.loads(made["data"]["values"]) == {"pilot": {"cni": {"enabled": True}}}


@pytest.mark.parametrize("profile", table.PROFILES.values(), ids=lambda profile: profile.name)
def test_services_of_an_amendment_have_a_script(profile):
    if not isinstance(profile, EmbeddedProfile) or profile.form.amendment is None:
        return
    folder = HERE / "profiles" / f"{profile.name}_cluster" / "sv"
    assert all((folder / service / "run").is_file() for service in profile.form.amendment.services)
