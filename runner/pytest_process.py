"""`python -m runner.pytest_process WORDS`: pytest with these words. A run outlives who reads its lines."""

import sys

from runner import lost_output

lost_output.tolerate()  # before pytest takes the streams

import pytest  # noqa: E402

sys.argv[0] = "pytest"  # the name in its messages
raise SystemExit(pytest.main())
