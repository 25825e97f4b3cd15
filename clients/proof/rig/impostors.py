"""Certificates of clients that claim to be a workload of the mesh."""

from __future__ import annotations

import json
import threading

from clients.identity.certificates import foreign_authority
from clients.kube.cluster import Cluster
from clients.mesh import sidecar
from clients.model.client_certificate import ClientCertificate
from clients.model.errors import InfrastructureError
from clients.model.probe import Probe, Workload
from clients.proof.rig.workloads import Workloads


class Impostors:
    """Makes one certificate for each workload and trust domain. May be used from several threads."""

    def __init__(self, cluster: Cluster, workloads: Workloads) -> None:
        self._cluster = cluster
        self._workloads = workloads
        self._made: dict[tuple[Workload, str], ClientCertificate] = {}
        self._identities: dict[Workload, str] = {}
        self._lock = threading.Lock()

    def certificate(self, probe: Probe) -> ClientCertificate | None:
        """The certificate that the probe's client shows, of an authority that no mesh knows; None where it shows none.

        Raises:
            InfrastructureError: the workload has no ready pod, or its proxy names no identity.
        """
        if probe.impostor_of is None:
            return None
        key = (probe.impostor_of, probe.impostor_domain)
        with self._lock:
            if key not in self._made:
                if probe.impostor_of not in self._identities:
                    self._identities[probe.impostor_of] = self._identity(probe.impostor_of)
                own = self._identities[probe.impostor_of]
                self._made[key] = foreign_authority().impostor(_in_domain(own, probe.impostor_domain))
            return self._made[key]

    def _identity(self, workload: Workload) -> str:
        """The URI in the certificate of its proxy (Envoy's admin interface, `/certs`)."""
        pod = self._workloads.pods(workload)[0]
        try:
            held = json.loads(sidecar.admin(self._cluster, pod, "certs"))["certificates"]
            chain = [shown for one in held for shown in one.get("cert_chain", ())]
            return next(
                str(name["uri"])
                for shown in chain
                for name in shown.get("subject_alt_names", ())
                if str(name.get("uri", "")).startswith("spiffe://")
            )
        except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
            raise InfrastructureError(f"the proxy of {pod} does not name its identity") from None


def _in_domain(identity: str, domain: str) -> str:
    """The identity in another trust domain (SPIFFE ID, section 2); as it is where none is named."""
    scheme, _, rest = identity.partition("://")
    return f"{scheme}://{domain}/{rest.partition('/')[2]}" if domain else identity
