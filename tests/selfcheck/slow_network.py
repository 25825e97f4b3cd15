"""Delays and drops the packets between the pods of the embedded cluster: `python -m tests.selfcheck.slow_network`.

Kernels without netem are common where containers are nested, so a program holds the packets: a rule of the node's
packet filter queues them (NFQUEUE), and a batch verdict releases all that are old enough (linux/netfilter/
nfnetlink_queue.h). The rule bypasses a queue that no program serves, so a crash leaves the network as it was.
"""

from __future__ import annotations

import argparse
import errno
import os
import select
import signal
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen
from sys import executable
from types import FrameType

from testbed import api
from tests.selfcheck.store import ROOT

QUEUE = 77
DELAY_MS, LOSS = 50.0, 0.01
_NETLINK_NETFILTER, _SUBSYSTEM = 12, 3 << 8
_PACKET, _CONFIG, _BATCH = _SUBSYSTEM, _SUBSYSTEM | 2, _SUBSYSTEM | 3
_REQUEST, _ACK = 1, 4
_BIND, _COPY_META = 1, 1
_ATTRIBUTE_COMMAND, _ATTRIBUTE_PARAMETERS, _ATTRIBUTE_LENGTH = 1, 2, 3
_ATTRIBUTE_HEADER, _ATTRIBUTE_VERDICT = 1, 2
_ACCEPT = 1
_MOST_PACKETS = 100_000
_BUFFER = 64 * 1024**2
READY = "ready"


@contextmanager
def slow(delay_ms: float = DELAY_MS, loss: float = LOSS) -> Iterator[None]:
    """Packets that the node forwards arrive so much later, and this share of them never does.

    Raises:
        ClusterError: the node's packet filter cannot do it.
        OSError: the program did not start.
    """
    rules = [
        ["FORWARD", "-m", "statistic", "--mode", "random", "--probability", f"{loss:g}", "-j", "DROP"],
        ["FORWARD", "-j", "NFQUEUE", "--queue-num", str(QUEUE), "--queue-bypass"],
    ]
    added: list[list[str]] = []
    node = api.status().detail["node process"]
    command = ["nsenter", f"--net=/proc/{node}/ns/net", executable, "-m", "tests.selfcheck.slow_network"]
    with Popen([*command, str(delay_ms)], cwd=ROOT, stdout=PIPE, text=True, process_group=0) as program:
        try:
            assert program.stdout is not None
            if program.stdout.readline().strip() != READY:
                raise OSError(f"the program that holds packets ended with {program.wait()}")
            for rule in rules:
                api.run_in_node("iptables", "-t", "mangle", "-A", *rule)
                added.append(rule)
            yield
        finally:
            for rule in added:
                api.run_in_node("iptables", "-t", "mangle", "-D", *rule)
            program.send_signal(signal.SIGTERM)


class Queue:
    """One netfilter queue, whose packets are released after a delay. Only their ids are copied to this program."""

    def __init__(self, number: int, delay_s: float) -> None:
        self._number, self._delay_s = number, delay_s
        self._held: deque[tuple[float, int]] = deque()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, 33, _BUFFER)  # SO_RCVBUFFORCE
        self._socket.bind((0, 0))
        self._ask(_CONFIG, _attribute(_ATTRIBUTE_COMMAND, struct.pack("!BxH", _BIND, socket.AF_INET)))
        self._ask(_CONFIG, _attribute(_ATTRIBUTE_PARAMETERS, struct.pack("!IB", 0, _COPY_META)))
        self._ask(_CONFIG, _attribute(_ATTRIBUTE_LENGTH, struct.pack("!I", _MOST_PACKETS)))

    def serve(self) -> None:
        """Hold and release packets, for ever."""
        while True:
            wait_s = max(0.0, self._held[0][0] - time.monotonic()) if self._held else None
            if select.select([self._socket], [], [], wait_s)[0]:
                self._receive()
            self._release(time.monotonic())

    def _receive(self) -> None:
        try:
            data = self._socket.recv(1 << 20)
        except OSError as error:
            if error.errno == errno.ENOBUFS:  # packets were dropped: more loss than asked for, but no end
                return
            raise
        due = time.monotonic() + self._delay_s
        self._held += ((due, number) for number in packet_ids(data))

    def _release(self, now: float) -> None:
        last = None
        while self._held and self._held[0][0] <= now:
            last = self._held.popleft()[1]
        if last is not None:
            verdict = _attribute(_ATTRIBUTE_VERDICT, struct.pack("!II", _ACCEPT, last))
            self._socket.send(self._message(_BATCH, _REQUEST, verdict))

    def _ask(self, kind: int, attributes: bytes) -> None:
        """Send a message and wait for its acknowledgement."""
        self._socket.send(self._message(kind, _REQUEST | _ACK, attributes))
        answer = self._socket.recv(1 << 16)
        (code,) = struct.unpack_from("=i", answer, 16)
        if code:
            raise OSError(-code, os.strerror(-code))

    def _message(self, kind: int, flags: int, attributes: bytes) -> bytes:
        body = struct.pack("!BBH", socket.AF_UNSPEC, 0, self._number) + attributes
        return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body


def packet_ids(data: bytes) -> Iterator[int]:
    """The packets' numbers in what a queue has sent."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        if kind == _PACKET:
            yield from _ids_in(data[20:length])
        data = data[(length + 3) & ~3 :]


def _ids_in(attributes: bytes) -> Iterator[int]:
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind & 0x7FFF == _ATTRIBUTE_HEADER:
            yield struct.unpack_from("!I", attributes, 4)[0]
        attributes = attributes[(length + 3) & ~3 :]


def _attribute(kind: int, value: bytes) -> bytes:
    padding = -len(value) % 4
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(padding)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def main() -> None:
    """Serve the queue until a signal comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("delay_ms", type=float)
    signal.signal(signal.SIGTERM, _end)
    queue = Queue(QUEUE, parser.parse_args().delay_ms / 1000)
    print(READY, flush=True)
    queue.serve()


if __name__ == "__main__":
    main()
