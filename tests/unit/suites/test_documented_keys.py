"""The commands of docs/report.md about signing: openssl makes the keys, `verify` tells them apart."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from report_samples import sample_report

from reports.write import write_reports
from runner.commands import cli
from runner.config import settings
from runner.config.settings import ROOT

pytestmark = pytest.mark.unit


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed on this machine")
def test_a_run_is_verified_by_the_key_that_signed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings take `--signing-key`, and `verify --key` the public part."""
    text = (ROOT / "docs/report.md").read_text(encoding="utf-8")
    made = re.findall(r"^openssl .*$", text, re.MULTILINE)
    assert [line.split()[1] for line in made] == ["genpkey", "pkey"]
    assert "-algorithm" in made[0]
    assert all(option in made[1] for option in ("-in", "-pubout", "-out"))
    for folder in ("ours", "theirs"):
        (tmp_path / folder).mkdir()
        for line in made:
            subprocess.run(line.split(), cwd=tmp_path / folder, check=True, capture_output=True)
    assert "./meshproof run --signing-key key.pem\n" in text
    monkeypatch.chdir(tmp_path / "ours")
    key = settings.load({"signing_key": "key.pem"}).signing_key
    write_reports(sample_report(), tmp_path / "out" / "r1", key)
    latest = str(tmp_path / "out" / "latest")
    assert cli.main(["verify", latest, "--key", "key.pub"]) == 0
    assert cli.main(["verify", latest, "--key", str(tmp_path / "theirs/key.pub")]) == 1
    assert cli.main(["verify", latest]) == 0
    assert "Traceback" not in capsys.readouterr().err
