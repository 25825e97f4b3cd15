"""What the settings name on the cluster: it must be there before anything starts, or every case would end for it."""

from __future__ import annotations

from typing import Any

from clients.kube.cluster import Cluster
from clients.mesh.survey.survey import Survey
from clients.model.errors import AccessError, ClusterError, SettingsError
from runner.config.egress_settings import Egress
from runner.config.settings import Settings
from runner.target.fitting import pull_secret


def survey_of(cluster: Cluster, settings: Settings) -> Survey:
    """The survey of the mesh that the settings name. It reads each part once, when that is first asked for."""
    return Survey(cluster, settings.revision, settings.root_namespace)


def require(survey: Survey, settings: Settings) -> None:
    """Look at each of them. What this identity may not read is left to the run.

    Raises:
        ClusterError: there is no mesh at all, or the cluster does not answer.
        SettingsError: one does not exist, or is not as the settings say; with what to do.
    """
    cluster = survey.cluster
    if not (survey.injects or survey.istiods):
        raise ClusterError("no service mesh was found on the cluster", "install Istio, or use --target embedded")
    _ = survey.revision, survey.root  # each raises where what is wanted is not there
    if settings.pods.pull_secret:
        pull_secret(settings.pods.pull_secret, cluster)
    if settings.egress.namespace:
        _require_gateway(cluster, settings.egress)


def _require_gateway(cluster: Cluster, egress: Egress) -> None:
    """The user's egress gateway: its Service with both ports, and pods that Gateway objects select."""
    name = f"{egress.namespace}/{egress.service}"
    try:
        service = cluster.get("v1", "Service", egress.service, egress.namespace)
        pods = cluster.objects("v1", "Pod", egress.namespace, egress.label)
    except AccessError:
        return
    if service is None:
        hint = "name the Service of your egress gateway by egress.namespace and egress.service, or leave [egress] out"
        raise SettingsError(f"the settings name the egress gateway {name}, a Service that does not exist", hint)
    if not pods:
        what = f"no pod in {egress.namespace} has the label {egress.label}"
        raise SettingsError(f"egress.label selects nothing: {what}", "name a label of the gateway's own pods")
    for port, setting, expected in ((80, "http_port", egress.http_port), (443, "tls_port", egress.tls_port)):
        _require_port(name, service, port, setting, expected)


def _require_port(name: str, service: dict[str, Any], port: int, setting: str, expected: int) -> None:
    """Routes lead to a port of the Service; the listener behind it is at the pods' own."""
    stated = next((one for one in service["spec"].get("ports") or () if one["port"] == port), None)
    if stated is None:
        raise SettingsError(f"the egress gateway {name} has no port {port}", "add it to its Service: routes lead there")
    target = stated.get("targetPort", port)
    if isinstance(target, int) and target != expected:
        what = f"port {port} of the egress gateway {name} leads to {target}, and egress.{setting} is {expected}"
        raise SettingsError(what, f"set egress.{setting} = {target}")
