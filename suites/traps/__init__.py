"""Policies that do not do what their authors meant (`X-TRAP-…`): each control pins what the mesh really does."""

from clients.model.schedule import WHOLE_SUITE, SuiteSchedule

SCHEDULE = SuiteSchedule(one_process=True, durations_s={WHOLE_SUITE: 40.0})
