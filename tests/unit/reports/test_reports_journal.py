"""The journal survives what kills a run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import a_case, sample_run, sample_target

from reports.record import packed
from reports.record.journal import Contents, Journal, read
from reports.record.model import ReportError

pytestmark = pytest.mark.unit


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "journal.ndjson"


def test_what_was_written_is_read_back(path: Path) -> None:
    journal, case = Journal(path), a_case()
    journal.run(sample_run())
    journal.target(sample_target())
    journal.case(case)
    journal.run(replace(sample_run(), exit=7))
    contents = read(path)
    assert contents.run == replace(sample_run(), exit=7)
    assert contents.target == sample_target()
    assert [kept for _, kept in contents.cases] == [case]
    assert contents.cases[0][0].endswith("Z")
    assert contents.damaged == 0


def test_a_torn_last_line_is_left_out_and_counted(path: Path) -> None:
    journal = Journal(path)
    journal.case(a_case(id="one"))
    journal.case(a_case(id="two"))
    path.write_bytes(path.read_bytes()[:-40])
    assert [case.id for _, case in read(path).cases] == ["one"]
    assert read(path).damaged == 1


def test_the_next_record_is_not_glued_to_a_torn_one(path: Path) -> None:
    journal = Journal(path)
    journal.case(a_case(id="one"))
    path.write_bytes(path.read_bytes()[:-40])
    journal.case(a_case(id="two"))
    assert [case.id for _, case in read(path).cases] == ["two"]


@pytest.mark.parametrize(
    "line",
    [b"\x00\x00\x00", b"[]", b'{"type": "case"}', b'{"type": "other", "data": {}}', b"\xff\xfe{}"],
    ids=["zeros", "list", "no-data", "unknown-type", "not-utf-8"],
)
def test_garbage_costs_only_itself(path: Path, line: bytes) -> None:
    journal = Journal(path)
    journal.case(a_case(id="one"))
    with path.open("ab") as file:
        file.write(line + b"\n")
    journal.case(a_case(id="two"))
    contents = read(path)
    assert [case.id for _, case in contents.cases] == ["one", "two"]
    assert contents.damaged == 1


def test_a_field_of_the_wrong_kind_is_damage(path: Path) -> None:
    Journal(path).case(a_case(applied=()))
    record = json.loads(path.read_text())
    record["data"]["verdict"] = "passed"
    path.write_text(json.dumps(record) + "\n" + "[" * 100_000 + "\n")
    assert read(path) == Contents(damaged=2)


def test_records_of_several_writers_do_not_mix(path: Path) -> None:
    long = "x" * 20_000
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: Journal(path).case(a_case(id=str(number), reason=long)), range(40)))
    contents = read(path)
    assert sorted(int(case.id) for _, case in contents.cases) == list(range(40))
    assert contents.damaged == 0


def test_text_that_utf_8_cannot_hold_is_kept_readable(path: Path) -> None:
    Journal(path).case(a_case(reason="half a pair: \ud83d\nand a second line"))
    assert read(path).cases[0][1].reason == "half a pair: ?\nand a second line"


def test_a_missing_journal_is_one_clear_line(path: Path) -> None:
    with pytest.raises(ReportError, match=r"cannot read journal .*journal\.ndjson: No such file") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_short_write_is_an_error_and_the_next_record_is_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is nearly full takes a part of a record, without an error."""
    made, whole = Journal(path), os.write
    made.run(sample_run())
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:40]))
        with pytest.raises(ReportError, match="No space left on device"):
            made.case(a_case())
    made.case(a_case())
    contents = read(path)
    assert (len(contents.cases), contents.damaged) == (1, 1)


def test_a_compressed_journal_reads_the_same_and_takes_more(path: Path) -> None:
    Journal(path).case(a_case(id="one"))
    packed.pack(path)
    assert [file.name for file in path.parent.iterdir()] == ["journal.ndjson.gz"]
    assert [case.id for _, case in read(path).cases] == ["one"]
    Journal(path).case(a_case(id="two"))
    assert [file.name for file in path.parent.iterdir()] == ["journal.ndjson"]
    assert [case.id for _, case in read(path).cases] == ["one", "two"]


def test_the_plain_journal_counts_where_compressing_was_broken_off(path: Path) -> None:
    Journal(path).case(a_case(id="one"))
    before = path.read_bytes()
    packed.pack(path)
    path.write_bytes(before)
    Journal(path).case(a_case(id="two"))
    packed.pack(path)
    assert [case.id for _, case in read(path).cases] == ["one", "two"]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: data[: len(data) // 2], id="cut off"),
        pytest.param(lambda data: data[: len(data) // 2] + b"\xff" * (len(data) // 2), id="overwritten"),
        pytest.param(lambda data: data[:-9], id="without its end"),
    ],
)
def test_of_a_damaged_compressed_journal_what_is_readable_is_read(path: Path, spoil: Callable[[bytes], bytes]) -> None:
    for number in range(400):
        Journal(path).case(a_case(id=str(number), reason=hashlib.sha256(str(number).encode()).hexdigest() * 9))
    packed.pack(path)
    compressed = packed.packed(path)
    compressed.write_bytes(spoil(compressed.read_bytes()))
    contents = read(path)
    assert contents.damaged
    assert len(contents.cases) > 100
