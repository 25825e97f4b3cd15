"""`report` over a good run: it writes nothing that says less, and replaces no signature in silence."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from report_samples import sample_report

from reports.record.journal import Journal
from reports.write import write_all
from runner.commands import cli

pytestmark = pytest.mark.unit
JOURNAL = "journal.ndjson"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MESHPROOF_SIGNING_KEY", raising=False)
    folder = tmp_path / "out" / "r1"
    journal = Journal(folder / JOURNAL)
    report = sample_report()
    journal.run(report.run)
    journal.target(report.target)
    for case in report.cases:
        journal.case(case)
    write_all(folder / JOURNAL, folder)
    return folder


def key_in(folder: Path) -> Path:
    path = folder / f"key{len(list(folder.glob('key*')))}.pem"
    plain = serialization.NoEncryption()
    made = Ed25519PrivateKey.generate()
    path.write_bytes(made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def cut(run: Path) -> None:
    packed = run / f"{JOURNAL}.gz"
    packed.write_bytes(packed.read_bytes()[:3000])


def empty(run: Path) -> None:
    (run / JOURNAL).touch()


def garbage(run: Path) -> None:
    (run / JOURNAL).write_bytes(b"\x00\xff{{{\n" * 10)


def shorter(run: Path) -> None:
    lines = gzip.decompress((run / f"{JOURNAL}.gz").read_bytes()).splitlines()
    (run / f"{JOURNAL}.gz").write_bytes(gzip.compress(b"\n".join(lines[:-3]) + b"\n"))


@pytest.mark.parametrize("words", [[], ["--sign-again"]])
@pytest.mark.parametrize("damage", [cut, empty, garbage, shorter])
def test_a_damaged_journal_costs_no_report(
    run: Path, damage: object, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    damage(run)  # type: ignore[operator]
    before = contents(run)
    assert cli.main(["report", str(run), *words]) == 2
    assert contents(run) == before
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "nothing was written" in printed.err
    assert not printed.out


def test_a_run_is_written_again(run: Path) -> None:
    for _ in range(2):
        assert cli.main(["report", str(run)]) == 0
    assert cli.main(["verify", str(run)]) == 0


def test_what_is_torn_is_written_where_nothing_was_before(run: Path) -> None:
    shorter(run)
    for path in run.iterdir():
        if path.is_file() and not path.name.startswith(JOURNAL):
            path.unlink()
    assert cli.main(["report", str(run)]) == 0


def test_a_signature_of_ones_own_is_not_replaced_by_that_of_a_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESHPROOF_SIGNING_KEY", str(key_in(tmp_path)))
    assert cli.main(["report", str(run)]) == 0, "a key of the run's own gives way"
    assert cli.main(["report", str(run)]) == 0
    before = contents(run)
    for other in (None, key_in(tmp_path)):
        monkeypatch.delenv("MESHPROOF_SIGNING_KEY")
        if other:
            monkeypatch.setenv("MESHPROOF_SIGNING_KEY", str(other))
        capsys.readouterr()
        assert cli.main(["report", str(run)]) == 2
        assert "was signed by the key" in capsys.readouterr().err
        assert contents(run) == before
        monkeypatch.setenv("MESHPROOF_SIGNING_KEY", "")
    monkeypatch.delenv("MESHPROOF_SIGNING_KEY")
    assert cli.main(["report", str(run), "--sign-again"]) == 0


@pytest.mark.parametrize("name", ["index.html", f"{JOURNAL}.gz", "attestation.pub", "attestation.json"])
def test_a_run_that_was_changed_is_not_signed_again_in_silence(
    run: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run / name
    if name == f"{JOURNAL}.gz":
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))
    else:
        path.write_bytes(b"" if name == "attestation.json" else path.read_bytes()[:-40])
    before = contents(run)
    assert cli.main(["report", str(run)]) == 2
    assert contents(run) == before
    assert "--sign-again" in capsys.readouterr().err
    assert cli.main(["report", str(run), "--sign-again"]) == 0
    assert cli.main(["verify", str(run)]) == 0


@pytest.mark.parametrize("words", [["diff", "RUN", "RUN"], ["verify", "RUN"], ["merge", "RUN"]])
def test_a_loop_of_links_is_bad_input(run: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (run / "conformance.json").unlink()
    (run / "conformance.json").symlink_to("conformance.json")
    assert cli.main([str(run) if word == "RUN" else word for word in words]) in (1, 2)
    assert "conformance.json" in "".join(capsys.readouterr())


def test_verify_names_what_is_not_signed(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "later.txt").write_text("x")
    assert cli.main(["verify", str(run)]) == 0
    assert "1 file is not signed (later.txt)" in capsys.readouterr().out
