"""The security lab: our suite in two processes, compared with the tutorial's commands in a serial script (`lab.sh`)."""

from __future__ import annotations

from functools import partial

from benchmarks import common, serial
from benchmarks.serial import Topic

LAB = Topic(
    name="lab",
    controls="LAB-",
    title="The security lab",
    compared="the LAB controls, both ways on a running testbed, from nothing applied to nothing left. Script: kubectl "
    "apply of the same manifests, then for every probed case of the suite the tutorial's own `kubectl exec $(kubectl "
    "get pod …) … curl` in a loop until the expected status was seen K times in a row, K being the suite's own for "
    "that case. The suite does more: the state before each change, twins, denial proofs in the backends' logs, state "
    "controls, reports; its time includes its start and its clean-up",
    script=lambda _world, _folder: common.ROOT / "benchmarks" / "lab.sh",
)

if __name__ == "__main__":
    raise SystemExit(common.main(serial.arguments(LAB, __doc__), partial(serial.measure, LAB)))
