"""The egress tutorial (`EGR-…`): traffic leaves the mesh through one gateway, and the ways around it are shut."""

from clients.model.schedule import SuiteSchedule

SCHEDULE = SuiteSchedule(
    durations_s={
        "test_network_policies.py": 10.0,
        "test_network_policies_no_control_plane.py": 8.0,
        "test_clean_up.py": 6.0,
        "test_network_policies_optional.py": 5.0,
        "test_network_policies_no_dns.py": 4.5,
    },
    yields_lock=frozenset({"test_clean_up.py"}),
)
