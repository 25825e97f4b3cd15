"""Mistakes on the command line that cost a traceback, a half-done thing, or a line without its object."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import typer
from report_samples import sample_report
from rich import markup

from reports.record import conformance
from runner.commands import cli, like, upgrade
from runner.target.access import Access
from runner.target.embedded import Embedded
from testbed import api
from testbed.harness import image

pytestmark = pytest.mark.unit
UPGRADE = ["upgrade", "--from-revision", "a", "--to-revision", "b"]


def kept(folder: Path) -> Path:
    report = sample_report()
    conformance.save(report, folder / report.run.id / conformance.FILE)
    return folder / report.run.id


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["precheck"], "Missing option '--to'"),
        (["selfcheck", "--runs", "0"], "'--runs'"),
        (["upgrade", "--look", "0"], "'--look'"),
        (["diff"], "Missing argument"),
        (["cleanup", "--run", "a b"], "--run 'a b' is no id of a run"),
        (["testbed", "import", "/etc/passwd"], "/etc/passwd cannot be read as a bundle: it is no archive"),
        (["testbed", "import", "/nowhere"], "/nowhere cannot be read as a bundle: No such file or directory"),
        (["run", "-p", "nosuchplugin"], "-p names nosuchplugin, which is no module"),
        (["run", "-k", "(("], "-k '((' is no expression: column 3: expected"),
        (["run", "-m", "e2e or"], "-m 'e2e or' is no expression"),
        (["plan", "-k", "a b"], "-k 'a b' is no expression"),
        (["test", "-k", "not"], "-k 'not' is no expression"),
        (["run", "--baseline", "nope"], "nope: No such file or directory; name the folder of a run"),
        (["verify", ".", "--key", "nope"], "has no attestation.json"),
        (["images", "--toml", "--json"], "--toml and --json are two forms of one output"),
        (["upgrade", "--from-revision", "a", "--to-revision", "a"], "--from-revision and --to-revision are both a"),
        (["upgrade", "--from-revision", "a", "--to-revision", "b", "--baseline", "nope"], "cannot read nope"),
        (["image", "export", "/proc/x/y"], "the folder /proc/x cannot be written"),
        (["precheck", "--to", "x"], "'x' is no version of Istio"),
        (["precheck", "--to", "1.31", "--to-revision", "A B"], "--to-revision 'A B' is no name of a revision"),
        ([*UPGRADE, "--look", "nan"], "'--look'"),
        ([*UPGRADE, "--hook-timeout", "nan"], "'--hook-timeout'"),
        ([*UPGRADE, "--namespace", "x/y"], "--namespace 'x/y' is no name of a namespace"),
        ([*UPGRADE[:-1], "b_"], "--to-revision 'b_' is no name of a revision"),
        (["upgrade", "--from-revision", "../a", *UPGRADE[3:]], "--from-revision '../a' is no name of a revision"),
        (["hold", "mark", " "], "a mark needs a name of at most 100 printable characters"),
        (["hold", "mark", "a\nb"], "a mark needs a name of at most 100 printable characters"),
        (["hold", "mark", "x" * 101], "a mark needs a name of at most 100 printable characters"),
        (["like", "--output", "/proc/x/y"], "the folder /proc/x cannot be written"),
    ],
)
def test_a_mistake_is_one_line_with_its_object(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(image.HarnessImage, "build", lambda _: pytest.fail("nothing is built for it"))
    for place, name in ((Embedded, "access"), (Embedded, "look"), (Access, "connect")):
        monkeypatch.setattr(place, name, lambda *_: pytest.fail("no cluster is reached for it"))
    assert cli.main(words) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out


LONG = "a" * 300
"""A name that no file can have: to look for it is an error, as it is in a folder that one may not enter."""


@pytest.mark.parametrize(
    "words",
    [
        ["report", LONG],
        ["verify", LONG],
        ["verify", ".", "--key", LONG],
        ["diff", LONG, "."],
        ["history", LONG],
        ["history", ".", "--file", LONG],
        ["merge", LONG],
        ["plan", LONG],
        ["run", LONG],
        ["run", "--baseline", LONG],
        ["run", "--rerun-failed", LONG],
        ["run", "--signing-key", LONG],
        ["run", "--metrics", f"{LONG}/x"],
        ["up", "--like", LONG],
        [*UPGRADE, "--resume", LONG],
        [*UPGRADE, "--baseline", LONG],
        ["testbed", "import", LONG],
        ["like", "--output", f"{LONG}/x"],
    ],
    ids=lambda words: " ".join(word.replace(LONG, "LONG") for word in words),
)
def test_a_place_that_cannot_be_looked_at_is_one_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit code 1, as a traceback has it, a run would not conform, and a signed file would not be what it was."""
    monkeypatch.chdir(tmp_path)
    kept(tmp_path)
    monkeypatch.setattr(image.HarnessImage, "build", lambda _: pytest.fail("nothing is built for it"))
    for place, name in ((Embedded, "access"), (Embedded, "look"), (Access, "connect"), (api, "up")):
        monkeypatch.setattr(place, name, lambda *_, **__: pytest.fail("no cluster is reached for it"))
    assert cli.main(words) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("meshproof: ")


@pytest.mark.parametrize("words", [["images"], ["diff", "a", "b"], ["verify"], ["plan"]], ids=" ".join)
def test_a_working_folder_that_is_gone_is_one_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir("gone")
    (tmp_path / "gone").rmdir()
    assert cli.main(words) == 2
    line = "meshproof: the working folder cannot be used: No such file or directory; change to another one\n"
    assert capsys.readouterr().err == line


def test_a_file_of_no_name_is_no_mistake_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr(cli, "application", lambda _: broken)
    with pytest.raises(ConnectionResetError):
        cli.main(["status"])


def test_no_word_of_a_help_is_taken_for_markup() -> None:
    """`[images]` was a style to the library, and not there."""
    group = typer.main.get_command(cli.application())
    commands = [group, *group.commands.values()]  # type: ignore[attr-defined]
    commands += [one for verb in commands[1:] for one in getattr(verb, "commands", {}).values()]
    assert len(commands) > 30
    texts = [one.help for one in commands] + [
        getattr(parameter, "help", None) for one in commands for parameter in one.params
    ]
    for text in filter(None, texts):
        assert markup.render(text).plain == text.replace("\\[", "[")


@pytest.mark.parametrize(
    "words", [["hold", "start"], ["upgrade", "--from-revision", "a", "--to-revision", "b", "--no-prompt"]]
)
def test_an_image_that_must_be_named_is_asked_for_before_a_cluster_is_reached(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Access, "connect", lambda *_: pytest.fail("no cluster is reached for it"))
    named = {"cluster": "c", "user": "c"}
    parts = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": named}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "c", "user": {"token": "t"}}],
    }
    (tmp_path / "config").write_text(json.dumps(parts))
    assert cli.main([*words, "--kubeconfig", str(tmp_path / "config"), "--context", "c"]) == 2
    assert "no image of the traffic generator is set" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["up"], ["upgrade", "--from", "1.29", "--to", "1.31"]])
def test_a_version_or_run_is_looked_at_before_the_cluster_that_a_mesh_is_like(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in (like, upgrade):
        monkeypatch.setattr(place, "resolve", lambda _: pytest.fail("a cluster is read"))
    monkeypatch.setattr(upgrade.own_cluster, "given", lambda *_: pytest.fail("a cluster starts"))
    (tmp_path / "run.json").write_text("{}")
    wrong = ["--istio", "1.7"] if words == ["up"] else ["--baseline", str(tmp_path / "run.json")]
    assert cli.main([*words, "--like", "prod", *wrong]) == 2
    assert ("1.7" if words == ["up"] else "run.json") in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b\x08\x00", gzip.compress(b"x" * 5000)[:-12]],
    ids=["empty", "cut in the head", "cut"],  # what is compressed holds the time, and workers must agree on ids
)
def test_an_archive_that_is_damaged(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.tar.gz").write_bytes(content)
    assert cli.main(["testbed", "import", str(tmp_path / "x.tar.gz")]) == 2
    printed = capsys.readouterr().err
    assert "x.tar.gz cannot be read as a bundle: it is" in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize("verb", [["report"], ["run", "--rerun-failed"]])
def test_the_hint_names_a_run_that_is_there(
    verb: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = kept(tmp_path / "mine")
    monkeypatch.setenv("MESHPROOF_OUT", str(tmp_path / "mine"))
    assert cli.main([*verb, "nope"]) == 2
    assert f"for instance {run}" in capsys.readouterr().err


def test_a_folder_in_the_place_of_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / conformance.FILE).mkdir()
    assert cli.main(["diff", str(tmp_path), str(tmp_path)]) == 2
    assert f"cannot read {tmp_path / conformance.FILE}: Is a directory" in capsys.readouterr().err


def test_merge_goes_on_after_a_damaged_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / conformance.FILE).write_text("{")
    assert cli.main(["merge", str(tmp_path)]) == 2
    assert (tmp_path / "fleet.html").exists()
    assert capsys.readouterr().err.count("b/conformance.json") == 1


@pytest.mark.parametrize("verb", ["merge", "history"])
def test_where_no_report_can_be_read_nothing_is_written(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / conformance.FILE).write_text("{")
    assert cli.main([verb, str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert "a/conformance.json" in printed
    assert "1 more that cannot be read" in printed
    assert "name the folders" not in printed, "one hint"
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_a_history_in_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept(tmp_path / "out")
    file = tmp_path / "new" / "folder" / "h.sqlite"
    assert cli.main(["history", str(tmp_path / "out"), "--file", str(file)]) == 0
    assert json.loads(file.with_name("history.json").read_text())
    assert cli.main(["history", str(tmp_path / "out"), "--file", "/proc/x/h.sqlite"]) == 2
    assert "the folder /proc/x cannot be made" in capsys.readouterr().err
