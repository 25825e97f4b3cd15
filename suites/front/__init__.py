"""The front door (`CRA-…`): an ingress gateway that routes to two applications and demands a token below /api/."""

ENVIRONMENT_S = 10.0
"""One more process makes a gateway and two applications of its own (see `runner.session.schedule`)."""

DURATIONS_S = {
    "test_policy.py": 32.0,
    "test_keys_rotation.py": 12.0,
    "test_grpc.py": 4.0,
}
"""Modules that take longer than they have tests, with the seconds that they were seen to take."""
