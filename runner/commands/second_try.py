"""End-to-end tests that failed are tried once more, alone: what then passes is unstable, and is named as such.

On a real cluster a test can fail by the machine's own doing. A second failure is a failure; a few tests that pass at
the second try leave the run green, but never silent: each is a defect of the test or of the harness, to be filed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

LIMIT = 2
"""So many failed tests are tried again; of more, none: then something is broken."""
TESTS_FAILED = 1
"""pytest's exit code where tests failed, and nothing else went wrong."""


def failed_tests(cache: Path) -> list[str]:
    """Node ids of the tests that failed in the last run that had this folder as pytest's cache.

    Raises:
        ValueError: the file of pytest's cache is not what it was in pytest 8 and 9.
    """
    file = cache / "v" / "cache" / "lastfailed"
    if not file.is_file():
        return []
    found = json.loads(file.read_text())
    if not isinstance(found, dict):
        raise ValueError(f"{file}: not a table of tests")
    return sorted(found)


def with_second_try(run: Callable[[Sequence[str]], int], cache: Path, say: Callable[[str], None]) -> int:
    """Run the tests, and those that failed once more if they are few.

    Args:
        run: runs pytest with these further options, and returns its exit code.
        cache: folder for pytest's cache; empty.
        say: prints a line.

    Returns:
        The exit code of the last run.
    """
    options = ("-o", f"cache_dir={cache}")
    code = run(options)
    failed = failed_tests(cache) if code == TESTS_FAILED else []
    if not failed or len(failed) > LIMIT:
        return code
    say(f"end-to-end tests that failed are tried once more, alone: {', '.join(failed)}")
    code = run((*options, "--last-failed", "--last-failed-no-failures=none"))
    if code == 0:
        say(f"UNSTABLE, failed once and then passed, please file: {', '.join(failed)}")
    return code
