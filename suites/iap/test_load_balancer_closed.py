"""The load balancer is taken down: its address refuses connections."""

from __future__ import annotations

import socket

import pytest

from clients.model.stage import Stage
from suites.iap.workloads import ENVIRONMENT

STAGE = Stage("iap-load-balancer-closed", title="Load balancer taken down", environment=ENVIRONMENT)


@pytest.mark.control("IAP-CLEAN-01")
def test_after_clean_up_the_address_refuses_connections(observe, stand_in):
    """In a module of its own: it closes the load balancer for good."""
    place = stand_in.balancer.place("http")
    with socket.create_connection(place, 2):
        pass
    stand_in.balancer.close()

    def problem():
        try:
            socket.create_connection(place, 2).close()
        except ConnectionRefusedError:
            return None
        return "the load balancer's address still accepts connections"

    observe("IAP-CLEAN-01", "the address, which accepted a connection before, refuses connections", problem)
