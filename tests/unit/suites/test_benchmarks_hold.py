"""The processor time of held traffic is read from the kernel's own lines, and counted by program."""

from __future__ import annotations

import pytest

from benchmarks.hold import TICKS, figures, usage
from clients.hold.account import Account
from clients.hold.flows import FLOWS
from clients.hold.seen import Seen

pytestmark = pytest.mark.unit

BY_NAME = {flow.name: flow for flow in FLOWS}
KEPT = BY_NAME["mesh-http1-kept"]
STAT = "812 (pilot (agent) x) S 1 812 812 0 -1 4194560 900 0 0 0 {} {} 7000 8000 20 0 9 0 5000 1 2"


def test_a_process_has_its_own_time_and_not_that_of_its_children() -> None:
    assert usage(STAT.format(3 * TICKS, TICKS)) == ("pilot (agent) x", 4.0)


def test_figures_are_of_the_time_between_two_looks() -> None:
    began, ended = (
        Seen("h", 0.0, until, (Account(KEPT, requests=requests, due=requests - 1, gap_s=0.25),))
        for until, requests in ((10.0, 1000), (20.0, 3000))
    )
    found = figures({("sender", "envoy"): 0.25, ("server", "traffic"): 0.15}, began, ended)
    assert found == {
        "requests_per_s": 200.0,
        "cores": 0.4,
        "share_of_two_cores": 0.2,
        "ms_per_request": 2.0,
        "lost": 1,
        "leaks": 0,
        "longest_gap_s": 0.25,
    }
