"""A warning of a library fails a test of the project, and no case of a run on a user's cluster."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[4]

WARNS = """
import threading
import urllib3
import warnings


def test_of_a_run():
    warnings.warn("not verified", urllib3.exceptions.InsecureRequestWarning)


def test_of_a_thread():
    def end():
        raise ConnectionResetError

    thread = threading.Thread(target=end)
    thread.start()
    thread.join()
"""


def test_a_warning_fails_a_test_of_the_project() -> None:
    with pytest.raises(UserWarning):
        warnings.warn("x", stacklevel=1)


def test_a_warning_fails_no_case_of_a_run(tmp_path: Path) -> None:
    """With `insecure-skip-tls-verify` every request warns: nothing could be proven on such a cluster.

    A connection that a forwarded port lost in a thread made whichever case ran then inconclusive.
    """
    (tmp_path / "test_run.py").write_text(WARNS)
    words = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-p", "no:cacheprovider", str(tmp_path)]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rN", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout
    assert "Warning" not in ended.stdout + ended.stderr
