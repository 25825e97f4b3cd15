"""What the proxies of the held traffic say themselves: configuration that they reject, and root certificates.

Source of the shapes: Envoy's admin interface, `stats`, `certs` and `config_dump` (envoyproxy.io, "Administration
interface").
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from clients.hold.held import Held
from clients.kube.cluster import Cluster
from clients.kube.pods import Pod
from clients.mesh import sidecar
from clients.model.errors import InfrastructureError
from runner.upgrade.plan import PhaseName
from runner.upgrade.record import Event
from runner.upgrade.verdict import NOT_KNOWN_KIND

_REJECTED = "stats?filter=update_rejected"
_ERRORS = "config_dump?resource=dynamic_listeners&mask=error_state"
REASON = 240
"""Characters of a proxy's reason that an event shows."""


class Proxies:
    """Asks the proxies of held traffic at the end of each phase; what is rejected counts from the look before."""

    def __init__(self, cluster: Cluster, held: Held) -> None:
        self._cluster, self._held = cluster, held
        self._rejected: dict[str, int] = {}

    def events(self, phase: str) -> list[Event]:
        """An event for each proxy that rejects configuration, trusts other roots, or did not answer."""
        found: list[Event] = []
        roots: dict[str, frozenset[str]] = {}
        for namespace in self._held.namespaces.values():
            for pod in self._cluster.pods(namespace):
                if not (pod.injected and pod.ready):
                    continue
                try:
                    found += self._rejections(phase, pod)
                    roots[str(pod)] = roots_of(sidecar.admin(self._cluster, pod, "certs"))
                except InfrastructureError as error:
                    found.append(Event(phase, NOT_KNOWN_KIND, str(pod), error.message))
        return [*found, *apart(phase, roots)]

    def _rejections(self, phase: str, pod: Pod) -> Iterator[Event]:
        before = self._rejected.get(str(pod), 0)
        now = self._rejected[str(pod)] = rejected(sidecar.admin(self._cluster, pod, _REJECTED))
        if now == before or not now:  # fewer than before: it has started again, and counts from 0
            return
        why = reason(sidecar.admin(self._cluster, pod, _ERRORS)) or "see istiod's log"
        kind = NOT_KNOWN_KIND if phase == PhaseName.BEFORE else "rejected"
        yield Event(phase, kind, str(pod), f"its proxy rejects the configuration of its control plane: {why}")


def rejected(stats: str) -> int:
    """Updates of its configuration that a proxy has rejected since it started: `lds.update_rejected: 2`.

    Raises:
        InfrastructureError: it does not say.
    """
    counts = [line.rpartition(":")[2].strip() for line in stats.splitlines() if "update_rejected:" in line]
    if not counts:
        raise InfrastructureError("its proxy does not say whether it rejects configuration")
    return sum(int(count) for count in counts if count.isdigit())


def reason(dump: str) -> str:
    """Why it rejects its listeners; empty where none of them says so."""
    try:
        configs = json.loads(dump).get("configs") or ()
    except ValueError:
        return ""
    details = (str((one.get("error_state") or {}).get("details", "")) for one in configs)
    return next((" ".join(text.split())[:REASON] for text in details if text), "")


def roots_of(certs: str) -> frozenset[str]:
    """Serial numbers of the roots by which a proxy verifies others of the mesh.

    Other authorities, of TLS that it begins or ends, are not among them: those certificates have no SPIFFE identity.

    Raises:
        InfrastructureError: it does not list certificates.
    """
    try:
        found = json.loads(certs).get("certificates") or ()
        own = [one for one in found if any(map(_of_mesh, one.get("cert_chain") or ()))]
        return frozenset(str(root["serial_number"]) for one in own for root in one.get("ca_cert") or ())
    except (ValueError, AttributeError, KeyError, TypeError):
        raise InfrastructureError("its proxy does not list its certificates") from None


def _of_mesh(certificate: Mapping[str, Any]) -> bool:
    names = certificate.get("subject_alt_names") or ()
    return any(str(name.get("uri", "")).startswith("spiffe://") for name in names)


def apart(phase: str, roots: Mapping[str, frozenset[str]]) -> list[Event]:
    """An event for each proxy that trusts none of the roots of one before it: they cannot verify each other."""
    found: list[Event] = []
    known: dict[str, frozenset[str]] = {}
    for name, own in roots.items():
        if other := next((one for one, theirs in known.items() if own and not own & theirs), ""):
            text = f"its root certificates ({_serials(own)}) are not those of {other}"
            found.append(Event(phase, "root", name, text))
        elif own:
            known[name] = own
    return found


def _serials(roots: frozenset[str]) -> str:
    return ", ".join(f"serial {one[:12]}…" for one in sorted(roots))
