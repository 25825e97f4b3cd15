"""How a mesh is set, for its record: proxy image, network plug-in, MeshConfig, variables of istiod. Redacted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from clients.kube.fields import annotations_of
from clients.mesh.survey.injection_values import proxy_image
from clients.mesh.survey.survey import Survey
from clients.model.api_groups import GATEWAY_API
from clients.model.errors import MeshproofError
from clients.model.redact import REDACTED
from clients.model.redact_settings import is_secret, redact_settings, redact_value

_PLUGINS = {
    "calico-node": "calico",
    "cilium": "cilium",
    "anetd": "GKE Dataplane V2",
    "aws-node": "Amazon VPC CNI",
    "azure-cns": "Azure CNI",
    "antrea-agent": "antrea",
    "kube-flannel-ds": "flannel",
    "kindnet": "kindnet",
    "kube-router": "kube-router",
    "weave-net": "weave",
    "istio-cni-node": "Istio CNI",
}
"""DaemonSet of `kube-system` → the plug-in whose agent it is, by each plug-in's own manifests."""
_CALICO = ("crd.projectcalico.org/v1", "ClusterInformation")
_GATEWAYS = f"gateways.{GATEWAY_API}"
_RELEASE, _CHANNEL = f"{GATEWAY_API}/bundle-version", f"{GATEWAY_API}/channel"
"""Annotations that the project puts on its definitions."""
_SECRET_NAMES = ("TOKEN", "SECRET", "PASSWORD", "PRIVATE", "CREDENTIAL")
"""Words in names of variables whose values are never kept. `TOKEN_ISSUER` and the like lose theirs too."""
_OF_THE_POD = frozenset({"REVISION", "POD_NAME", "POD_NAMESPACE", "SERVICE_ACCOUNT", "KUBECONFIG", "PLATFORM"})
"""Variables of istiod that say where it runs, and not how it is set."""
_LONGEST = 300
"""Characters of one value."""


def recorded(survey: Survey) -> dict[str, str]:
    """Name → value of what this identity may read; what it may not read is left out.

    Names are `proxy image`, `CNI`, `Gateway API`, `MeshConfig defaultConfig.holdApplicationUntilProxyStarts`,
    `istiod PILOT_…`.
    """
    found = {"proxy image": _image(survey), "CNI": _plugin(survey), "Gateway API": _gateway_api(survey)}
    for part in survey.configurations:
        found |= {f"MeshConfig {name}": value for name, value in flattened(redact_settings(part))}
    for istiod in survey.istiods:
        found |= {f"istiod {name}": value for name, value in variables(istiod).items()}
    return {name: value[:_LONGEST] for name, value in found.items() if value}


def flattened(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf of nested mappings and lists, as (`a.b[0].c`, text)."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flattened(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from flattened(item, f"{path}[{_name_of(item) or place}]")
    elif value is not None:
        yield path, str(value).lower() if isinstance(value, bool) else str(value)


def variables(istiod: Mapping[str, Any]) -> dict[str, str]:
    """The variables of a Deployment of istiod: values as they are set, and from where those come that are not."""
    found: dict[str, str] = {}
    for container in istiod["spec"]["template"]["spec"]["containers"]:
        for one in container.get("env") or ():
            name = str(one.get("name") or "")
            if name and name not in _OF_THE_POD:
                found[name] = _value(name, one)
    return found


def _value(name: str, variable: Mapping[str, Any]) -> str:
    if source := variable.get("valueFrom"):
        return f"from {', '.join(source)}"
    value = str(variable.get("value") or "")
    hidden = is_secret(name) or any(word in name.upper() for word in _SECRET_NAMES)
    return REDACTED if value and hidden else redact_value(value)


def _image(survey: Survey) -> str:
    """Of the proxies that are injected; a pod is looked at only where no istiod is seen."""
    stated = proxy_image(survey.config_maps, survey.revision.name)
    return stated or (survey.proxy.image if not survey.istiods and survey.proxy else "")


def _gateway_api(survey: Survey) -> str:
    """Release and channel of its definitions; asked for as a list of one, since the shipped roles may list them."""
    if not survey.gateway_class:
        return ""
    with suppress(MeshproofError):
        for one in survey.cluster.objects(
            "apiextensions.k8s.io/v1", "CustomResourceDefinition", fields=f"metadata.name={_GATEWAYS}"
        ):
            stated = annotations_of(one)
            return " ".join(filter(None, (stated.get(_RELEASE, ""), stated.get(_CHANNEL, ""))))
    return ""


def _name_of(item: Any) -> str:
    return str(item.get("name") or "") if isinstance(item, Mapping) else ""


def _plugin(survey: Survey) -> str:
    agents = survey.system_agents or frozenset()
    found = [name for agent, name in _PLUGINS.items() if agent in agents]
    if "calico" not in found and survey.cluster.has_kind(*_CALICO):
        found.insert(0, "calico")
    return ", ".join(found)
