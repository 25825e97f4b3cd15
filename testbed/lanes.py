"""Builds independent parts in parallel.

Compiling keeps every core busy; linking and downloading do not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from testbed import preflight
from testbed.build import command
from testbed.parts import Parts
from testbed.store import Part

LANE_GIB = 6.0
"""Memory that one Go build may take, in GiB: two compilers, or a linker, with a lazy collector."""


def build_programs(parts: Parts) -> None:
    """Build the missing programs and root file systems that a start needs.

    Raises:
        BuildError: one could not be built; the other builds are ended.
    """
    parts.get(parts.toolchain())  # every lane needs it first
    ours = [parts.program(name) for name in ("external", "coredns", "httpbin", "boutique", "traffic")]
    one = [parts.program("kubernetes"), *ours]
    fetched = [parts.node_root(), parts.image_root(), parts.etcd(), parts.envoy()]
    other = [*fetched, parts.program(parts.release.module), parts.program("calico")]
    run([one, other] if preflight.available_gib() >= 2 * LANE_GIB else [[*one, *other]], parts)


def run(lanes: Sequence[Sequence[Part]], parts: Parts) -> None:
    """Build each lane's parts in order, and the lanes in parallel. Raises as `build_programs` does."""
    ended = threading.Event()

    def in_turn(lane: Sequence[Part]) -> None:
        for part in lane:
            if not ended.is_set():
                parts.get(part)

    with ThreadPoolExecutor(len(lanes)) as pool:
        at_work = [pool.submit(in_turn, lane) for lane in lanes]
        try:
            for lane in as_completed(at_work):
                lane.result()
        except BaseException:
            ended.set()
            while not all(lane.done() for lane in at_work):
                command.end_all()
                time.sleep(0.1)  # then again: a lane may have been between two commands
            raise
