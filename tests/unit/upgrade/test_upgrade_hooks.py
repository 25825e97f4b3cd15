"""Hooks as users write them: that print much or no text, leave something running, or are no program."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from clients.model.errors import ClusterError
from runner.upgrade import hooks

pytestmark = pytest.mark.unit


def test_bytes_that_are_no_text_are_no_traceback() -> None:
    hooks.run("canary", r"printf 'one\377\n'", 20.0, {})
    with pytest.raises(ClusterError, match=r"\(exit 3\): two\\xff$"):
        hooks.run("canary", r"printf 'one\ntwo\377\n'; exit 3", 20.0, {})


def test_the_last_line_is_one_line_of_text() -> None:
    with pytest.raises(ClusterError) as caught:
        hooks.run("canary", r"printf 'a\n\033[31mred\033[0m\tx\r\n\n'; exit 1", 20.0, {})
    assert str(caught.value).isprintable()


def test_what_a_hook_prints_of_secrets_is_not_shown() -> None:
    with pytest.raises(ClusterError) as caught:
        hooks.run("canary", "echo password=hunter22hunter22; exit 1", 20.0, {})
    assert "hunter22" not in str(caught.value)


def test_much_output_is_not_kept_in_memory() -> None:
    with pytest.raises(ClusterError, match=r"\(exit 2\): the last$"):
        hooks.run("canary", "head -c 50000000 /dev/zero | tr '\\0' x; echo; echo the last; exit 2", 60.0, {})
    with pytest.raises(ClusterError, match=rf"\(exit 2\): x{{{hooks.LAST_LINE}}}$"):
        hooks.run("canary", "head -c 9000 /dev/zero | tr '\\0' x; exit 2", 60.0, {})


def test_what_goes_on_in_the_background_does_not_hold_the_upgrade_up(tmp_path: Path) -> None:
    """`kubectl port-forward … &`: the hook has ended, and what it has left is the user's."""
    began = time.monotonic()
    hooks.run("moved", f"sleep 30 & echo $! > {tmp_path}/pid", 20.0, {})
    assert time.monotonic() - began < 10
    os.kill(int((tmp_path / "pid").read_text()), 9)  # it still ran


def test_a_hook_that_fails_ends_what_it_has_started(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="exit 1"):
        hooks.run("moved", f"sleep 30 & echo $! > {tmp_path}/pid; exit 1", 20.0, {})
    left = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    deadline = time.monotonic() + 10
    while left.exists() and left.read_text().rpartition(")")[2].split()[0] != "Z" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left.exists() or left.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_command_that_cannot_be_started_is_one_line() -> None:
    with pytest.raises(ClusterError, match="cannot be run: Argument list too long"):
        hooks.run("moved", "true " + "x" * 200_000, 20.0, {})
