"""Identity-Aware Proxy in front of the mesh (`IAP-…`): the gateway requires the token that IAP mints for it."""

from clients.model.schedule import SuiteSchedule

# One more worker deploys a gateway and the six workloads of Bookinfo.
SCHEDULE = SuiteSchedule(environment_s=20.0)
