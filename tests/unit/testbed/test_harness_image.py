"""The harness's own image: what goes into it, its name, its bill of materials. No test builds one."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from clients.model.errors import ClusterError
from runner.commands import image as verb
from runner.config.settings import ROOT
from testbed.harness import checkout, image, loading, packages, sbom
from testbed.harness.image import HarnessImage
from testbed.store import COMPLETE, PartStore

pytestmark = pytest.mark.unit


def name(line: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9._-]+", line)[0]).lower()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A checkout with one file in each folder that goes into the image, and in two that do not."""
    root = tmp_path / "checkout"
    for folder in (*checkout.FOLDERS, "tests", "runner/__pycache__", "reports/out/20260101-000000-aaaa"):
        (root / folder).mkdir(parents=True)
        (root / folder / "file.txt").write_text(folder)
    for file in checkout.FILES:
        shutil.copy(ROOT / file, root / file)
    return root


def of(root: Path, tmp_path: Path) -> HarnessImage:
    return HarnessImage(lambda _line: None, PartStore(tmp_path / "parts"), root)


def test_the_image_has_suites_manifests_and_roles_and_no_test() -> None:
    found = {str(path) for path in checkout.files(ROOT)}
    assert {"suites/catalogue.yaml", "conftest.py", "deploy/rbac/namespaced.yaml", "runner/__main__.py"} <= found
    assert {path.parts[0] for path in checkout.files(ROOT)} <= {
        *(folder.split("/")[0] for folder in checkout.FOLDERS),
        *checkout.FILES,
    }
    assert not [path for path in found if "__pycache__" in path or path.startswith(("tests/", "reports/out/"))]


def test_the_copy_can_be_read_by_every_user(small: Path, tmp_path: Path) -> None:
    (small / "runner/file.txt").chmod(0o600)
    (small / "suites/file.txt").chmod(0o700)
    checkout.copy(small, tmp_path / "copy")
    assert (tmp_path / "copy/runner/file.txt").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "copy/suites/file.txt").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "copy/deploy/rbac").stat().st_mode & 0o777 == 0o755
    assert not (tmp_path / "copy/tests").exists()
    assert not (tmp_path / "copy/reports/out").exists()


def test_the_locked_packages_are_those_of_a_run_each_with_its_hashes() -> None:
    blocks = re.split(r"\n(?=[a-z])", packages.locked(ROOT).strip())
    names = {name(block) for block in blocks}
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert {name(line) for line in stated["project"]["dependencies"]} <= names
    assert {"urllib3", "pluggy", "cffi"} <= names, "what they depend on"
    assert not {"mypy", "ruff", "import-linter", "check-jsonschema"} & names, "of development"
    assert all("--hash=sha256:" in block for block in blocks)
    whole = (ROOT / "requirements.lock").read_text()
    assert all(block.strip() in whole for block in blocks)


def test_the_name_is_of_the_content(small: Path, tmp_path: Path) -> None:
    before = of(small, tmp_path).reference
    (small / "tests/file.txt").write_text("changed")
    assert of(small, tmp_path).reference == before
    (small / "manifests/file.txt").write_text("changed")
    after = of(small, tmp_path).reference
    assert after != before
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.fullmatch(rf"registry\.meshproof\.test/meshproof:{re.escape(version)}-[0-9a-f]{{12}}", after)


def test_a_change_of_the_checkout_leaves_the_root_file_system(small: Path, tmp_path: Path) -> None:
    before = of(small, tmp_path).base.key
    (small / "manifests/file.txt").write_text("changed")
    assert of(small, tmp_path).base.key == before


def test_what_is_built_is_found(small: Path, tmp_path: Path) -> None:
    harness = of(small, tmp_path)
    assert harness.built() is None
    folder = tmp_path / "parts" / f"harness-image-{harness.image.key}"
    folder.mkdir(parents=True)
    (folder / image.ARCHIVE).write_bytes(b"x" * (1 << 20))
    assert harness.built() is None, "not complete"
    (folder / COMPLETE).touch()
    built = harness.built()
    assert built == harness.build(), "nothing is built again, and no right of root is needed"
    assert (built.reference, built.archive, built.size_mib) == (harness.reference, folder / image.ARCHIVE, 1.0)


def test_without_root_one_line_says_so(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image.os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="only root can build the image"):
        of(small, tmp_path).build()
    assert not list(tmp_path.glob("parts/*")), "nothing was begun"


def test_the_bill_of_materials_is_valid_and_names_everything(tmp_path: Path) -> None:
    installed = tmp_path / "dist-packages"
    for package, version, license_ in (("Some_Package", "1.2", "MIT"), ("other", "3", "")):
        folder = installed / f"{package}-{version}.dist-info"
        folder.mkdir(parents=True)
        stated = f"License-Expression: {license_}\n" if license_ else ""
        (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {package}\nVersion: {version}\n{stated}")
    file = tmp_path / sbom.FILE
    sbom.write(file, "registry.meshproof.test/meshproof:1-a", "1", ["curl 7.88.1-10+deb12u1", "dpkg 1:2"], installed)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(file.read_text()) is None
    found = file.read_text()
    for url in ("pkg:pypi/some-package@1.2", "pkg:pypi/other@3", "pkg:deb/debian/curl@7.88.1-10%2Bdeb12u1"):
        assert f'"purl": "{url}' in found
    assert '"id": "MIT"' in found
    assert '"name": "registry.meshproof.test/meshproof"' in found


def test_loading_into_a_cluster_that_is_down_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHPROOF_CACHE_DIR", str(tmp_path))
    with pytest.raises(ClusterError, match="the embedded cluster is down; start it by"):
        loading.load(tmp_path / "image.tar", None, print)
    with pytest.raises(ClusterError, match="the profile kind is down"):
        loading.load(tmp_path / "image.tar", "kind", print)


def test_list_says_that_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESHPROOF_CACHE_DIR", str(tmp_path))
    assert verb.show() == 1
    assert "`./meshproof image build` builds it" in capsys.readouterr().err
