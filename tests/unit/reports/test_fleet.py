"""Many clusters in one matrix: the newest run of each, the worst first."""

from __future__ import annotations

import html
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit
from zlib import crc32

import pytest
from report_samples import a_case, sample_report

from clients.model.evidence import Grade, Verdict
from reports.fleet import matrix, page, write
from reports.record import conformance
from reports.record.model import ReportError, TargetInfo
from runner.commands import cli

pytestmark = pytest.mark.unit
WAYS = {"f": Verdict.FAIL, "i": Verdict.INCONCLUSIVE, "s": Verdict.SKIP, "p": Verdict.PASS}


def kept(folder: Path, context: str, day: int, **marks: str) -> None:
    """Write the report of a run; each letter of a control is one of its cases."""
    cases = tuple(
        a_case(id=f"{name}[{place}]", control=name, verdict=WAYS[letter], grade=Grade.FULL if letter == "p" else None)
        for name, letters in marks.items()
        for place, letter in enumerate(letters)
    )
    report = sample_report()
    run = replace(
        report.run, id=f"202611{day:02}-020000-{crc32(context.encode()):08x}", started=f"2026-11-{day:02}T02:00:00Z"
    )
    report = replace(report, run=run, target=TargetInfo("live", context=context), cases=cases, not_run=())
    conformance.save(report, folder / run.id / conformance.FILE)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    kept(tmp_path, "good", 1, A="f", B="p")
    kept(tmp_path, "good", 2, A="pp", B="p", C="s")
    kept(tmp_path, "worst", 2, A="pff", B="f")
    kept(tmp_path, "bad", 2, A="pf", B="p")
    kept(tmp_path, "unknown<b>", 2, A="p", B="i")
    return tmp_path


def test_the_newest_run_of_each_cluster_the_worst_first(runs: Path) -> None:
    fleet = matrix.merge([runs])
    assert [one.name for one in fleet.clusters] == ["live worst", "live bad", "live unknown<b>", "live good"]
    assert [one.code for one in fleet.clusters] == [1, 1, 3, 0]
    assert fleet.controls == ("A", "B", "C")
    assert fleet.uneven == ("A", "B")
    assert fleet.clusters[0].marks == {"A": "fail", "B": "fail"}
    assert fleet.clusters[0].totals == {"pass": 1, "fail": 3}
    assert fleet.code == 1
    assert page.headline(fleet) == "2 of 4 clusters do not conform, 1 is not proven"


def test_clusters_without_a_context_are_distinguished_by_their_folders(tmp_path: Path) -> None:
    for name in ("eu", "us"):
        kept(tmp_path / name, "", 1, A="p" if name == "eu" else "f")
    kept(tmp_path / "us", "", 2, A="p")
    fleet = matrix.merge([tmp_path])
    assert [(one.name, one.code) for one in fleet.clusters] == [("eu live", 0), ("us live", 0)]
    assert page.headline(fleet) == "All 2 clusters conform"


@pytest.mark.parametrize("folders", [("", "eu"), ("eu", ""), ("", ""), ("", "copy")])
def test_a_run_that_is_there_twice_is_one_cluster(folders: tuple[str, str], tmp_path: Path) -> None:
    """Of a folder that is named with one inside it, and of a copy of the bucket next to the folder itself."""
    kept(tmp_path / "all" / "eu", "prod", 1, A="p")
    shutil.copytree(tmp_path / "all" / "eu", tmp_path / "all" / "copy" / "from" / "bucket")
    fleet = matrix.merge([tmp_path / "all" / name for name in folders])
    assert len(fleet.clusters) == 1


@pytest.mark.parametrize("name", ["arn:aws:eks", "100%41 of #1?", "a b"])
def test_a_link_leads_to_whatever_folder_a_run_is_in(name: str, tmp_path: Path) -> None:
    """`arn:` would be a scheme, and a page ends at `#` and `?`."""
    kept(tmp_path / name, "prod", 1, A="p")
    _, index = write.update([tmp_path], tmp_path)
    [link] = re.findall(r'<td><a href="([^"]*)">', index.read_text(encoding="utf-8"))
    found = urlsplit(urljoin(index.as_uri(), html.unescape(link)))
    assert Path(unquote(found.path)) == next((tmp_path / name).iterdir()) / "index.html"


@pytest.mark.parametrize(
    ("kind", "name", "clusters"),
    [("live", "prod", 1), ("live", "", 2), ("embedded", "", 1), ("kind", "", 1)],
)
def test_a_cluster_may_get_another_address(kind: str, name: str, clusters: int, tmp_path: Path) -> None:
    """One that was built anew was two, of which the old one stayed as it was for ever.

    A user's cluster has a name by its settings then; the embedded one, and one of kind, get an address at each start.
    """
    for day, server in ((1, "https://10.0.0.1:6443"), (2, "https://10.0.0.2:6443")):
        kept(tmp_path, "prod", day, A="p")
        file = next(tmp_path.glob(f"202611{day:02}*")) / conformance.FILE
        report = conformance.load(file)
        target = replace(report.target, kind=kind, server=server, cluster=name)
        conformance.save(replace(report, target=target), file)
    assert len(matrix.merge([tmp_path]).clusters) == clusters


def test_a_run_of_a_wrong_clock_does_not_hide_the_later_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be the newest of its cluster until the day comes that its clock said."""
    monkeypatch.setattr(matrix, "last_night", lambda: "2026-11-03")
    kept(tmp_path / "1", "prod", 2, A="f")
    kept(tmp_path / "2", "prod", 9, A="p")
    shutil.move(next((tmp_path / "2").iterdir()), tmp_path / "1")
    (tmp_path / "2").rmdir()
    assert [one.started for one in matrix.merge([tmp_path]).clusters] == ["2026-11-02T02:00:00Z"]
    shutil.rmtree(next((tmp_path / "1").glob("20261102*")))
    assert [one.started for one in matrix.merge([tmp_path]).clusters] == ["2026-11-09T02:00:00Z"], "there is no other"


def test_page_json_and_terminal_say_the_same(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = runs / "out"
    assert cli.main(["merge", str(runs), "--to", str(out)]) == 1
    printed = capsys.readouterr().out
    assert "2 of 4 clusters do not conform, 1 is not proven" in printed
    assert "live worst" in printed
    data = json.loads((out / write.JSON).read_text())
    assert data["schema"] == "meshproof/fleet/v1"
    assert data["marks"]["A"] == ["fail", "fail", "pass", "pass"]
    assert data["marks"]["C"] == [None, None, None, "skip"]
    text = (out / write.PAGE).read_text()
    assert "unknown&lt;b&gt;" in text
    assert "unknown<b>" not in text
    assert f'href="../20261102-020000-{crc32(b"worst"):08x}/index.html"' in text


def test_a_damaged_report_is_named_and_the_others_are_merged(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "x").mkdir()
    (runs / "x" / "conformance.json").write_text('{"schema": "of another program"}')
    assert cli.main(["merge", str(runs)]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert str(runs / "x" / "conformance.json") in printed.err
    assert (runs / "fleet.html").is_file()


@pytest.mark.parametrize("what", ["nowhere", "empty"])
def test_no_report_at_all_is_one_line(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReportError):
        matrix.merge([tmp_path / what])
    assert cli.main(["merge", str(tmp_path / what)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_two_hundred_clusters(tmp_path: Path) -> None:
    """Only controls that did not pass everywhere have a column, so that the page stays small."""
    for number in range(200):
        kept(tmp_path, f"c{number:03}", 1, **{f"X-{one:02}": "p" for one in range(30)}, Y="pf"[number % 50 == 0])
    fleet = matrix.merge([tmp_path])
    assert [one.code for one in fleet.clusters].count(1) == 4
    assert fleet.uneven == ("Y",)
    assert len(page.render(fleet, tmp_path)) < 300_000
