"""The lock of the testbed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clients.model.errors import ClusterError
from testbed.lock import held

pytestmark = pytest.mark.unit

HOLD = """
import sys
from pathlib import Path
from testbed.lock import held
with held(Path(sys.argv[1]), "up", print):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_learns_which_one_holds_the_testbed(tmp_path):
    path, lines = tmp_path / "lock", []
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(ClusterError, match=rf"held by process {holder.pid} "),
            held(path, "down", lines.append, 0.3),
        ):
            pass
        holder.communicate("")
    with held(path, "down", lines.append, 0.3):  # the end of the holder is the end of its hold
        pass
    assert len(lines) == 1
