"""Whose build of Istio a mesh is, and who runs its control plane. By what can be seen from inside the cluster.

Sources: the documentation of Cloud Service Mesh (managed control plane, revisions, control plane implementations) and
of the service mesh add-on of AKS (its namespaces).
"""

from __future__ import annotations

from enum import StrEnum

from clients.model.addresses import host_of

AKS_NAMESPACE = "aks-istio-system"
_GOOGLE = ".googleapis.com"
_MANAGED = "asm-managed"
"""Beginning of the names of all revisions that Google runs, one for each release channel."""
_TRAFFIC_DIRECTOR = "trafficdirector.googleapis.com"


class Flavour(StrEnum):
    """The names are for people: they are in reports and in the reasons of skips."""

    NONE = ""
    ISTIO = "Istio"
    ASM = "Cloud Service Mesh, in the cluster"
    CSM_ISTIOD = "managed Cloud Service Mesh (istiod)"
    CSM_TRAFFIC_DIRECTOR = "managed Cloud Service Mesh (Traffic Director)"
    AKS = "AKS service mesh add-on"
    EXTERNAL = "Istio, with its control plane outside of the cluster"


def flavour(*, namespace: str, host: str, version: str, discovery: str, revision: str, managed: bool) -> Flavour:
    """The flavour of a mesh that injects.

    Args:
        namespace: of the Service that injects; empty where it is a URL, of this `host`.
        version: of the control plane or of the proxies.
        discovery: address that proxies ask for their configuration.
        managed: the cluster has a ControlPlaneRevision of Google's for the revision.
    """
    if _TRAFFIC_DIRECTOR in discovery:
        return Flavour.CSM_TRAFFIC_DIRECTOR
    hosts = (host, host_of(discovery))
    if managed or revision.startswith(_MANAGED) or any(one.endswith(_GOOGLE) for one in hosts):
        return Flavour.CSM_ISTIOD
    if namespace == AKS_NAMESPACE:
        return Flavour.AKS
    if "-asm." in version:
        return Flavour.ASM
    return Flavour.EXTERNAL if host else Flavour.ISTIO
