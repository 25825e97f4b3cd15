"""Images: the layout that containerd reads, and the same content for the same input."""

from __future__ import annotations

import hashlib
import json
import tarfile

import pytest

from testbed.build.oci import Image, write_archive

pytestmark = pytest.mark.unit


def build(folder, content="program"):
    folder.mkdir()
    base = folder / "base"
    (base / "usr/bin").mkdir(parents=True)
    (base / "usr/bin/tool").write_text("tool")
    (base / "bin").symlink_to("usr/bin")
    program = folder / "program"
    program.write_text(content)
    program.chmod(0o755)
    images = [
        Image("host.test/a:1", ("/a",), {"/usr/local/bin/a": program}, user="1000:1000"),
        Image("host.test/b:1", ("/b",), folders=(("/etc/writable", 0o777),)),
    ]
    write_archive(folder / "images.tar", base, images)
    return folder / "images.tar"


def read(archive, name):
    return archive.extractfile(name).read()


def test_every_blob_is_named_by_its_digest_and_every_image_by_its_reference(tmp_path):
    with tarfile.open(build(tmp_path / "one")) as archive:
        for member in archive.getmembers():
            if member.name.startswith("blobs/"):
                assert hashlib.sha256(read(archive, member.name)).hexdigest() == member.name.rsplit("/", 1)[1]
        index = json.loads(read(archive, "index.json"))
        assert [m["annotations"]["io.containerd.image.name"] for m in index["manifests"]] == [
            "host.test/a:1",
            "host.test/b:1",
        ]
        manifest = json.loads(read(archive, f"blobs/sha256/{index['manifests'][0]['digest'].split(':')[1]}"))
        config = json.loads(read(archive, f"blobs/sha256/{manifest['config']['digest'].split(':')[1]}"))
        assert config["config"]["User"] == "1000:1000"
        assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]


def test_the_base_layer_is_shared(tmp_path):
    with tarfile.open(build(tmp_path / "one")) as archive:
        index = json.loads(read(archive, "index.json"))
        manifests = [json.loads(read(archive, f"blobs/sha256/{m['digest'].split(':')[1]}")) for m in index["manifests"]]
    assert manifests[0]["layers"][0] == manifests[1]["layers"][0]
    assert manifests[0]["layers"][1] != manifests[1]["layers"][1]


def test_same_input_same_bytes_other_input_other_bytes(tmp_path):
    one, two, three = build(tmp_path / "one"), build(tmp_path / "two"), build(tmp_path / "three", "other")

    def index(path):
        with tarfile.open(path) as archive:
            return read(archive, "index.json")

    assert index(one) == index(two) != index(three)
