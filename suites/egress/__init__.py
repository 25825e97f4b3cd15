"""The egress tutorial (`EGR-…`): what leaves the mesh leaves by one gateway, and the ways around it."""

DURATIONS_S = {
    "test_network_policies.py": 10.0,
    "test_network_policies_no_control_plane.py": 8.0,
    "test_clean_up.py": 6.0,
    "test_network_policies_optional.py": 5.0,
    "test_network_policies_no_dns.py": 4.5,
}
"""Modules that wait more than they ask, with the seconds seen to be taken (see `runner.session.schedule`)."""

YIELDS_LOCK = frozenset({"test_clean_up.py"})
"""Modules that lend their turn while they wait, to what runs alone."""
