"""The front door (`CRA-…`): an ingress gateway that routes to two applications and requires a token below /api/."""

from clients.model.schedule import SuiteSchedule

# One more worker deploys a gateway and two applications.
SCHEDULE = SuiteSchedule(
    durations_s={"test_policy.py": 32.0, "test_keys_rotation.py": 12.0, "test_grpc.py": 4.0}, environment_s=10.0
)
