"""The hermetic internet's pure parts: who has which certificate and address, and which pods get out."""

from __future__ import annotations

import ipaddress
import json
import ssl
import stat
import subprocess
from pathlib import Path

import pytest

from testbed import golden, internet
from testbed.addresses import EXTERNAL, GATEWAY_POOL, POD_POOL, PODS
from testbed.lifecycle import RunningTestbed
from testbed.parts import Parts
from testbed.versions import HERE, istio_release

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("external")
    internet.write(folder)
    return folder


def accepted(folder: Path, name: str) -> str:
    """`ok`, or OpenSSL's reason to refuse the host's certificate to a client that trusts the given authority."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
    client = ssl.create_default_context(cafile=str(folder / "roots.pem"))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=name)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (near, far):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
    return "ok"


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("example.com", "ok"),
        ("httpbin.org", "ok"),
        ("storage.googleapis.com", "ok"),
        ("untrusted.example.com", "unable to get local issuer certificate"),
        ("wrong-name.example.com", "Hostname mismatch"),
        ("expired.example.com", "certificate has expired"),
    ],
)
def test_each_host_is_refused_for_its_own_reason_and_no_other(written, name, answer):
    assert accepted(written, name).startswith(answer)


def test_keys_are_private_and_those_of_the_authorities_are_not_kept(written):
    keys = sorted(path.name for path in written.glob("*.key"))
    assert keys == sorted(f"{host.name}.key" for host in internet.HOSTS)
    assert {stat.S_IMODE((written / key).stat().st_mode) for key in keys} == {0o600}


def test_the_server_finds_every_host_where_the_node_sees_it(written):
    table = json.loads((written / "hosts.json").read_text())
    assert {entry["name"]: entry["certificate"] for entry in table}["example.com"] == (
        "/etc/meshproof/external/example.com.crt"
    )
    assert all((written / Path(entry["key"]).name).exists() for entry in table)
    assert [entry["addresses"] for entry in table if entry["name"] == "example.com"] == [
        ["198.51.100.10", "198.51.100.138"]
    ]


def test_each_address_is_on_its_side_of_the_packet_filter():
    for host in internet.HOSTS:
        assert all(ipaddress.ip_address(one) in EXTERNAL for one in (*host.addresses, *host.open_addresses))
        assert all(ipaddress.ip_address(one) not in internet.BLOCKED for one in host.open_addresses)
    blocked = {host.name for host in internet.HOSTS if ipaddress.ip_address(host.addresses[0]) in internet.BLOCKED}
    assert blocked == {name for name in (host.name for host in internet.HOSTS) if "google" not in name}
    assert ipaddress.ip_address(internet.NODE_END) not in map(ipaddress.ip_address, internet.addresses())
    assert len(internet.addresses()) == len(set(internet.addresses()))


def test_dns_gives_no_open_address():
    assert "198.51.100.10 example.com" in internet.records()
    assert not [line for line in internet.records() if line.split()[0] in {"198.51.100.138", "198.51.100.148"}]
    assert internet.zones() == ["example.com", "google.internal", "googleapis.com", "httpbin.org"]


def test_the_pools_share_no_address():
    assert not POD_POOL.overlaps(GATEWAY_POOL)
    assert POD_POOL.subnet_of(PODS)
    assert GATEWAY_POOL.subnet_of(PODS)


def network(annotations: dict[str, str]) -> str:
    """What the address plugin is given, as Go writes it."""
    body = {
        "ipam": {"dataDir": "/var/lib/cni/pods", "ranges": [[{"subnet": str(POD_POOL)}]], "type": "meshproof-ipam"},
        "runtimeConfig": {"io.kubernetes.cri.pod-annotations": annotations},
    }
    return json.dumps(body, separators=(",", ":"))


@pytest.mark.parametrize(
    ("annotations", "pool"),
    [
        ({}, "pods"),
        ({"cni.projectcalico.org/ipv4pools": '["gateway"]'}, "gateway"),
        ({"a": "b", "cni.projectcalico.org/ipv4pools": '[ "gateway" ]', "c": "d"}, "gateway"),
        ({"cni.projectcalico.org/ipv4pools": '["default"]'}, "pods"),
        ({"note": '"cni.projectcalico.org/ipv4pools":"["gateway"]"'}, "pods"),
    ],
)
def test_the_address_plugin_gives_the_gateway_range_to_whom_asks_for_it(tmp_path, annotations, pool):
    (tmp_path / "env").write_text(f"POD_POOL={POD_POOL}\nGATEWAY_POOL={GATEWAY_POOL}\n")
    (tmp_path / "host-local").write_text("#!/bin/sh\nexec cat\n")
    (tmp_path / "host-local").chmod(0o755)
    result = subprocess.run(
        ["sh", str(HERE / "node" / "ipam.sh")],
        input=network(annotations),
        capture_output=True,
        text=True,
        check=True,
        env={
            "PATH": "/usr/bin:/bin",
            "MESHPROOF_ENV": str(tmp_path / "env"),
            "MESHPROOF_HOST_LOCAL": str(tmp_path / "host-local"),
        },
    )
    given = json.loads(result.stdout)
    assert given["ipam"]["dataDir"] == f"/var/lib/cni/{pool}"
    assert given["ipam"]["ranges"] == [[{"subnet": str(GATEWAY_POOL if pool == "gateway" else POD_POOL)}]]
    assert given["runtimeConfig"] == json.loads(network(annotations))["runtimeConfig"]


def test_a_bundle_carries_the_server_and_istioctl():
    parts = Parts(istio_release(None), lambda _line: None)
    carried = {part.name for part in golden.needed(parts)}
    assert {"external", parts.release.module} <= carried


def test_a_testbed_that_an_older_version_started_is_still_understood():
    old = {"istio": "1.31.1", "kubernetes": "1.34.4", "installed": "x", "tag": "y", "kubeconfig": "/k"}
    assert RunningTestbed(**old).istioctl == ""
