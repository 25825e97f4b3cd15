"""Reports go to a real server of S3's interface, which checks every signature."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3

from clients.model.errors import SettingsError
from reports.bucket import Bucket
from reports.record.model import ReportError
from testbed.harness import tools
from testbed.progress import to_stderr

pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.Server]:
    program = tools.program("versitygw", to_stderr)
    with s3.serving(program, tmp_path_factory.mktemp("s3")) as running:
        (running.folder / "proofs").mkdir()
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "20261128-021700-3fa9"
    (made / "diagnostics").mkdir(parents=True)
    (made / "index.html").write_text("<p>report</p>")
    (made / "diagnostics/a log.txt").write_text("a line")
    (made / "large").write_bytes(secrets.token_bytes(12 << 20))  # in several parts
    return made


def test_the_folder_arrives_as_it_is(server: s3.Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    bucket = Bucket.of("s3://proofs/nightly")
    bucket.look()
    assert bucket.put(folder) == f"s3://proofs/nightly/{folder.name}"
    there = server.folder / "proofs/nightly" / folder.name
    found = {path.relative_to(there): path.read_bytes() for path in there.rglob("*") if path.is_file()}
    assert found == {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_earlier_runs_showed_comes_back(
    server: s3.Server, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    bucket = Bucket.of("s3://proofs/back")
    (folder / "conformance.json").write_text("{}")
    bucket.put(folder)
    (folder / "not-notified").touch()
    bucket.put_file(folder, "not-notified")
    files = ("conformance.json", "not-notified")
    assert bucket.fetch(tmp_path / "out", files, "20261101", 3) == 1
    assert {path.name for path in (tmp_path / "out" / folder.name).iterdir()} == set(files)
    assert bucket.fetch(tmp_path / "none", files, "20261129", 3) == 0


def test_a_wrong_secret_is_one_line(server: s3.Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (server.environment() | {"AWS_SECRET_ACCESS_KEY": "wrong"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ReportError, match="SignatureDoesNotMatch") as refused:
        Bucket.of("s3://proofs").put(folder)
    assert server.key not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_bucket_that_is_not_there(server: s3.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="there is no bucket other"):
        Bucket.of("s3://other").look()
