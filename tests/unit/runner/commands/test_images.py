"""The list of images: what to mirror, and by which digest to pin."""

from __future__ import annotations

import json

import pytest

from runner.commands import cli
from runner.commands.images import WorkloadImage, of_settings, with_digests
from runner.config.image_settings import Images
from runner.config.settings import Settings
from runner.target.live import PUBLIC_IMAGES

pytestmark = pytest.mark.unit
DIGEST = f"sha256:{'0f' * 32}"


def test_every_image_is_listed_with_its_source() -> None:
    listed = of_settings(Settings(image_prefix="mirror.example.com", images=Images(envoy="own.example.com/envoy:1")))
    assert {one.name: one.source for one in listed} == {**PUBLIC_IMAGES, "envoy": "own.example.com/envoy:1"}
    found = {one.name: one.reference for one in listed}
    assert found["sleep"] == "mirror.example.com/curlimages/curl:8.16.0"
    assert found["envoy"] == "own.example.com/envoy:1", "one that is named is not mirrored"


def test_digests_are_those_of_the_nodes() -> None:
    names = [f"docker.io/curlimages/curl@{DIGEST}", "docker.io/curlimages/curl:8.16.0"]
    nodes = [{"status": {"images": [{"names": names}, {"names": None}]}}, {"status": {}}]
    listed = [
        WorkloadImage("sleep", "", "curlimages/curl:8.16.0"),
        WorkloadImage("httpbin", "", "mccutchen/go-httpbin:v2.15.0"),
    ]
    sleep, httpbin = with_digests(listed, nodes)
    assert sleep.pinned == f"curlimages/curl@{DIGEST}"
    assert httpbin.pinned == "mccutchen/go-httpbin:v2.15.0"
    port = WorkloadImage("x", "", "localhost:5000/a/b:1", DIGEST)
    assert port.pinned == f"localhost:5000/a/b@{DIGEST}"


OTHER = f"sha256:{'1e' * 32}"


def having(*images: list[str]) -> dict[str, object]:
    return {"status": {"images": [{"names": names} for names in images]}}


@pytest.mark.parametrize(
    ("reference", "nodes", "pinned"),
    [
        ("localhost:5000/a:1", [having([f"localhost:5000/a@{DIGEST}", "localhost:5000/a:1"])], "localhost:5000/a"),
        ("[::1]:5000/a/b:1", [having([f"[::1]:5000/a/b@{DIGEST}", "[::1]:5000/a/b:1"])], "[::1]:5000/a/b"),
        ("busybox", [having([f"docker.io/library/busybox@{DIGEST}", "docker.io/library/busybox:latest"])], "busybox"),
        ("docker.io/a:1", [having([f"docker.io/library/a@{DIGEST}", "docker.io/library/a:1"])], "docker.io/a"),
        (
            "mirror.example.com/a:1",
            [having([f"docker.io/x/a@{OTHER}", f"mirror.example.com/a@{DIGEST}", "x/a:1", "mirror.example.com/a:1"])],
            "mirror.example.com/a",
        ),
        ("x/a:1", [having([f"docker.io/x/a@{DIGEST}", f"docker.io/x/a@{OTHER}", "docker.io/x/a:1"])], "x/a"),
    ],
    ids=["port", "IPv6 registry", "no tag", "official", "two registries", "two digests of one registry"],
)
def test_a_digest_is_that_of_the_same_registry(reference: str, nodes: list[dict[str, object]], pinned: str) -> None:
    """That of another one that has the same image may be unknown there."""
    [found] = with_digests([WorkloadImage("x", "", reference)], nodes)
    assert found.pinned == f"{pinned}@{DIGEST}"


@pytest.mark.parametrize(
    ("reference", "nodes"),
    [
        ("x/a:1", [having(["docker.io/x/a:1"])]),
        ("x/a:1", [having(["<none>@<none>", "<none>:<none>", "docker.io/x/a:1"])]),
        ("x/a:1", [having([f"other.example.com/a@{DIGEST}", "docker.io/x/a:1"])]),
        ("x/a:1", [having([f"docker.io/x/a@{one}", "docker.io/x/a:1"]) for one in (DIGEST, OTHER)]),
        ("x/a:1", [having([f"docker.io/x/a@{DIGEST}", "docker.io/x/a:2"])]),
        (f"x/a:1@{OTHER}", [having([f"docker.io/x/a@{DIGEST}", "docker.io/x/a:1"])]),
        (f"r.example.com:5000/x/a@{OTHER}", [having([f"docker.io/x/a@{DIGEST}"])]),
    ],
    ids=["none", "removed", "another registry", "nodes differ", "another tag", "tag and digest", "digest"],
)
def test_what_is_not_known_for_sure_is_left_as_it_is(reference: str, nodes: list[dict[str, object]]) -> None:
    [found] = with_digests([WorkloadImage("x", "", reference)], nodes)
    assert found.pinned == reference


def test_the_command_needs_no_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["images", "--json", "--image-prefix", "mirror.example.com"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {one["name"] for one in listed} == set(PUBLIC_IMAGES)
    assert cli.main(["images", "--toml"]) == 0
    assert 'sleep = "curlimages/curl:8.16.0"' in capsys.readouterr().out.splitlines()
