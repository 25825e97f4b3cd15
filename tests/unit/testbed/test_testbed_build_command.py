"""Build commands that fail: the real error is shown."""

from __future__ import annotations

import sys

import pytest

from testbed.build.command import BuildError, run

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("coloured", [False, True])
def test_a_failed_build_shows_the_last_lines_of_the_real_error(tmp_path, coloured):
    script = "import sys; [print('line', i) for i in range(100)]; sys.exit('the real error')"
    script = script.replace("the real", "the\\x1b[2J real") if coloured else script
    with pytest.raises(BuildError) as caught:
        run([sys.executable, "-c", script], what="building a thing", log=tmp_path / "log")
    message = str(caught.value).replace("the\\x1b[2J real", "the real")
    assert "\x1b" not in message
    assert message.startswith("building a thing failed with exit code 1")
    assert "the real error" in message
    assert "\n    line 99\n    the real error\n  whole log: " in message, "each on a line of its own"
    assert "line 10\n" not in message
    assert "line 10\n" in (tmp_path / "log").read_text()


def test_a_missing_program_is_one_line(tmp_path):
    with pytest.raises(BuildError, match="no-such-program cannot be started"):
        run(["no-such-program"], what="building", log=tmp_path / "log")
