"""The office's addresses, which the policies of the traps name, are those that their requests state."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.config.settings import ROOT
from suites.traps.test_remote_ip import ELSEWHERE, INSIDE

pytestmark = pytest.mark.unit

POLICIES = sorted((ROOT / "manifests" / "traps" / "remote-ip").glob("*.yaml"))
RANGES = ("ipBlocks", "remoteIpBlocks")


def ranges(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for one in value for found in ranges(one)]
    if not isinstance(value, dict):
        return []
    own = [block for name in RANGES for block in value.get(name, [])]
    return own + [found for one in value.values() for found in ranges(one)]


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_policies_name_the_range_that_the_requests_are_from(path: Path) -> None:
    """A policy for another range refuses the liar too, whatever the gateway believes: the case proved nothing."""
    named = ranges(list(yaml.safe_load_all(path.read_text())))
    assert named
    for block in map(ip_network, named):
        assert ip_address(INSIDE) in block
        assert ip_address(ELSEWHERE) not in block
