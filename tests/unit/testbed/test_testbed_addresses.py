"""Addresses of the testbed: what the machine routes already is avoided."""

from __future__ import annotations

import ipaddress

import pytest

from clients.model.errors import ClusterError
from testbed.addresses import BENCHMARKING, EXTERNAL, PODS, SERVICES, choose_link, routed

pytestmark = pytest.mark.unit

ROUTES = """\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000012C6\t00000000\t0001\t0\t0\t0\tFCFFFFFF\t0\t0\t0
*\t080012C6\t00000000\t0201\t0\t0\t4096\tFCFFFFFF\t0\t0\t0
"""


def test_routes_are_read_without_the_default_and_without_unreachable_ones(tmp_path):
    table = tmp_path / "route"
    table.write_text(ROUTES)
    assert routed(table) == [ipaddress.ip_network("198.18.0.0/30")]


def test_the_link_avoids_what_the_machine_routes():
    free = choose_link([])
    assert (free.host, free.node) == ("198.18.0.1", "198.18.0.2")
    other = choose_link([ipaddress.ip_network("198.18.0.0/24")])
    assert not other.network.overlaps(ipaddress.ip_network("198.18.0.0/24"))
    assert other.network.subnet_of(BENCHMARKING)


def test_a_machine_that_routes_the_whole_range_is_refused():
    with pytest.raises(ClusterError, match="routed on this machine already"):
        choose_link([ipaddress.ip_network("198.0.0.0/8")])


def test_the_ranges_inside_the_node_do_not_overlap():
    ranges = [PODS, SERVICES, EXTERNAL, BENCHMARKING]
    assert not any(a.overlaps(b) for a in ranges for b in ranges if a is not b)
