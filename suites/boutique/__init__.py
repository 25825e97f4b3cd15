"""Online Boutique (`BTQ-…`): mutual TLS by namespace, by workload and for the whole mesh, on eleven services."""

from clients.model.schedule import WHOLE_SUITE, SuiteSchedule

# All modules share an environment of eighteen pods: one worker deploys it once, faster than two deploy it twice.
SCHEDULE = SuiteSchedule(one_process=True, durations_s={WHOLE_SUITE: 75.0})
