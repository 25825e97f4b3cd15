"""What the selected tests ask of the target, as far as they are known when it is brought up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

from clients.mesh.capabilities.capabilities import CapabilityName
from clients.probe.outside import OUTSIDE
from runner.session.planned import PlannedTest

_OF_ENTRANCES = frozenset(
    {
        CapabilityName.CLIENT_ADDRESS,
        CapabilityName.GATEWAY_API,
        CapabilityName.INGRESS_GATEWAY,
        CapabilityName.LOAD_BALANCER,
        CapabilityName.TLS_LISTENER,
    }
)


class Demands:
    """Each question is put where it costs time to give what nothing may need."""

    def __init__(self, find: Callable[[], Iterable[PlannedTest]]) -> None:
        """Ask nothing yet.

        Args:
            find: the selected tests, none where they are not known; called at most once.
        """
        self._find = find

    @cached_property
    def _tests(self) -> tuple[PlannedTest, ...]:
        return tuple(self._find())

    def browses(self) -> bool:
        """Whether any of them needs a browser."""
        return any(CapabilityName.CHROMIUM in one.needs for one in self._tests)

    def enters(self) -> bool:
        """Whether any of them has clients outside the cluster, or a gateway for them; where they are not known, yes."""
        return not self._tests or any(map(_enters, self._tests))


def _enters(one: PlannedTest) -> bool:
    outside = any(subject.source.startswith(f"{OUTSIDE}/") for subject in one.subjects)
    return outside or not _OF_ENTRANCES.isdisjoint(one.needs)
