"""The target `embedded`: the testbed, a real Kubernetes and Istio that is built and started on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.mesh.capabilities.capabilities import CapabilityName
from clients.model.errors import SettingsError
from clients.model.known import EMBEDDED
from runner.config.egress_settings import Hosts
from runner.config.settings import ROOT, Settings
from runner.target.access import Access, ExternalHostsRecord, Say
from runner.target.in_use import user_of
from runner.target.target import MachineCheck, Target

# `testbed` is imported where it is used: other targets do not need it.
if TYPE_CHECKING:
    from testbed.api import Up


class Embedded(Target):
    """See `Target`. Its external hosts are its own."""

    kind = "embedded"
    summary = "a cluster that is built and started on this machine"
    starts_itself = True
    mesh_wide_needs_option = False
    known_failures = ROOT / EMBEDDED
    gives = frozenset({CapabilityName.LOAD_BALANCER, CapabilityName.IAP, CapabilityName.ISTIOD_RESTART})

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if settings.context or settings.kubeconfig:
            raise SettingsError(
                "the embedded target has its own cluster", "a context or kubeconfig is for --target live or kind"
            )
        if settings.external.hosts:
            raise SettingsError("the embedded target has external hosts of its own", "leave out [external]")
        if settings.hosts is Hosts.INTERNET:
            raise SettingsError("the embedded target does not reach the internet; it has external hosts of its own")

    @classmethod
    def implied_by(cls, settings: Settings) -> bool:
        """Where no other cluster is named."""
        return not (settings.context or settings.kubeconfig)

    def access(self, say: Say) -> Access:
        """Start the testbed if needed, also again where it runs with other parts; build it first if necessary."""
        from testbed import api

        return self._reached(api.up(self.settings.istio or None, say, in_use=user_of))

    def _reached(self, testbed: Up) -> Access:
        istioctl = str(self.settings.istioctl or testbed.istioctl or "")
        images = {**testbed.images, **self.settings.images.given}
        return Access(str(testbed.kubeconfig), "", images, external_hosts(testbed), istioctl)

    def look(self, say: Say) -> Access | None:  # noqa: ARG002 - nothing is started
        """None where it is down: it is not started only to be looked at, nor started again where it has other parts."""
        from testbed import api

        testbed = api.there(self.settings.istio or None)
        return self._reached(testbed) if testbed else None

    def preflight(self) -> None:
        """Check that this machine can run the testbed, and build it where that is still to do."""
        from testbed import api, preflight

        preflight.require(built=api.built(self.settings.istio or None))

    def machine(self) -> list[MachineCheck]:
        """The testbed's own requirements."""
        from testbed import api

        return [MachineCheck(check.name, check.ok, check.detail, check.hint) for check in api.checks()]

    def name(self, access: Access, server: str) -> str:  # noqa: ARG002 - there is just one, at no address of note
        """Always the same."""
        return "embedded cluster"


def external_hosts(testbed: Up) -> ExternalHostsRecord:
    """The hosts of a testbed; none where an older version of this program started it."""
    external = testbed.external
    if external is None:
        return ExternalHostsRecord()
    hosts = external.hosts | {f"open.{name}": address for name, address in external.open_hosts.items()}
    roots, log = str(external.roots), str(external.log)
    ranges = external.google_apis, external.metadata_server
    return ExternalHostsRecord(hosts, roots, log, *ranges, external.more, ports=True, blocked=True)
