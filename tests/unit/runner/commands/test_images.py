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


def test_the_command_needs_no_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["images", "--json", "--image-prefix", "mirror.example.com"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {one["name"] for one in listed} == set(PUBLIC_IMAGES)
    assert cli.main(["images", "--toml"]) == 0
    assert 'sleep = "curlimages/curl:8.16.0"' in capsys.readouterr().out.splitlines()
