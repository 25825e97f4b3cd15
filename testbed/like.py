"""A cluster that the embedded one is to resemble: the file that `meshproof like` wrote, and what of it is carried over.

What is not carried over is named, with the reason: the embedded cluster has one revision, its own names and addresses,
and proxies without Istio's own filters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from clients.model.errors import SettingsError
from testbed.like_form import misfit

SCHEMA = "meshproof/like/v1"
ROOT_NAMESPACE = "istio-system"
REVISION = "default"
"""Of the embedded cluster's only control plane; other names lead to it as tags."""
OWN_PROVIDER = "meshproof-ext-authz"
_KEPT_MESH: Mapping[str, str] = {
    "trustDomain": "certificates here are of cluster.local",
    "trustDomainAliases": "certificates here are of cluster.local",
    "rootNamespace": f"the root namespace here is {ROOT_NAMESPACE}, and has the policies",
    "discoverySelectors": "namespaces here have other labels",
    "caCertificates": "istiod here signs by itself",
    "certificates": "istiod here signs by itself",
    "ca": "istiod here signs by itself",
    "configSources": "the only source here is the API server",
    "proxyListenPort": "ports of proxies here are Istio's own",
    "proxyInboundListenPort": "ports of proxies here are Istio's own",
}
_KEPT_DEFAULTS: Mapping[str, str] = {
    "discoveryAddress": "the control plane here has another address",
    "image": "the proxies here are built on this machine",
    "fileFlushInterval": "access logs are a part of the proof, and written at once",
    "privateKeyProvider": "it depends on the processor",
    "caCertificatesPem": "istiod here signs by itself",
    "binaryPath": "the proxies here are built on this machine",
    "configPath": "the proxies here are built on this machine",
}
_ALIKE: Mapping[str, Any] = {
    "trustDomain": "cluster.local",
    "rootNamespace": ROOT_NAMESPACE,
    "defaultConfig.fileFlushInterval": "0.1s",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_JWT_PUB_KEY_REFRESH_INTERVAL": "1s",
    "PILOT_CERT_PROVIDER": "istiod",
    "CA_TRUSTED_NODE_ACCOUNTS": "istio-system/ztunnel",
    "CLUSTER_ID": "Kubernetes",
}
"""Values that the embedded cluster has itself, as most clusters have some of them."""
_OWN_VARIABLES: Mapping[str, str] = {
    "PILOT_ENABLE_ALPN_FILTER": "proxies here have no filters of Istio's own",
    "PILOT_ENABLE_METADATA_EXCHANGE": "proxies here have no filters of Istio's own",
    "PILOT_JWT_PUB_KEY_REFRESH_INTERVAL": "keys are fetched every second here, so that a rotation can be waited for",
}
_OF_THE_INSTALLATION = ("CLUSTER_ID", "PILOT_CERT_PROVIDER", "ISTIOD_CUSTOM_HOST", "INJECTION_WEBHOOK_CONFIG_NAME",
                        "VALIDATION_WEBHOOK_CONFIG_NAME", "EXTERNAL_ISTIOD", "K8S_SIGNER", "CERT_SIGNER_DOMAIN",
                        "CA_TRUSTED_NODE_ACCOUNTS", "TRUST_DOMAIN", "ROOT_CA_DIR", "SHARED_MESH_CONFIG",
                        "MESH_CONFIG_FILE", "GOMEMLIMIT", "GOMAXPROCS", "GOGC", "JWT_POLICY")  # fmt: skip
"""Variables that say where and how istiod is installed. Those that begin with `CITADEL_` and `GCP_` do too."""
_INSTALLATION = "it is of the installation, which is another one here"


@dataclass(frozen=True)
class Carried:
    """What the embedded cluster starts with, and what it does not.

    Attributes:
        identity: of the file's content.
        mesh: to be merged into its MeshConfig.
        variables: to be added to those of its istiod.
        tags: names that lead to its control plane.
        policies: objects for its root namespace.
        left: what is not carried over, each with the reason.
    """

    identity: str = ""
    mesh: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    policies: tuple[Mapping[str, Any], ...] = ()
    left: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """`14 settings of MeshConfig, 2 variables of istiod, 1 tag, 3 policies`."""
        counts = ((len(self.mesh), "setting of MeshConfig", "settings of MeshConfig"),
                  (len(self.variables), "variable of istiod", "variables of istiod"),
                  (len(self.tags), "tag", "tags"), (len(self.policies), "policy", "policies"))  # fmt: skip
        return ", ".join(f"{number} {one if number == 1 else several}" for number, one, several in counts)


def load(file: Path) -> Carried:
    """What of a file is carried over.

    Raises:
        SettingsError: it cannot be read, or is not what `meshproof like` writes.
    """
    hint = "write it by `meshproof like --context NAME --output FILE`"
    try:
        content = file.read_bytes()
        data = yaml.safe_load(content)
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}", hint) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise SettingsError(f"{file} is not YAML", hint) from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise SettingsError(f"{file} has not the schema {SCHEMA}", hint)
    if wrong := misfit(data):
        raise SettingsError(f"{file}: {wrong} is not of the expected form", hint)
    return carried(data, hashlib.sha256(content).hexdigest()[:16])


def carried(data: Mapping[str, Any], identity: str = "") -> Carried:
    """The same of the file's values."""
    left = [str(one) for one in data.get("notRead") or ()]
    mesh = _mesh(data.get("meshConfig") or {}, left)
    variables = _variables(data.get("istiod") or {}, left)
    revision = data.get("revision") or {}
    tags = dict.fromkeys([str(revision.get("name") or ""), *map(str, revision.get("tags") or ())])
    left += [f"revision {name}: there is one control plane here" for name in revision.get("others") or ()]
    policies = tuple(_policies(data.get("policies") or (), left))
    names = tuple(tag for tag in tags if tag not in ("", REVISION))
    return Carried(identity, mesh, variables, names, policies, tuple(left))


def merged(own: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """A MeshConfig with the settings of another: mappings are merged, providers by name, all else is replaced."""
    made = dict(own)
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(own.get(key), Mapping):
            made[key] = merged(own[key], value)
        elif key == "extensionProviders":
            names = {one.get("name") for one in value}
            made[key] = [*(one for one in own.get(key) or () if one.get("name") not in names), *value]
        else:
            made[key] = value
    return made


def _mesh(stated: Mapping[str, Any], left: list[str]) -> dict[str, Any]:
    mesh: dict[str, Any] = {}
    for key, value in stated.items():
        if value is None:  # as if it were not there
            continue
        if key in _KEPT_MESH:
            if value != _ALIKE.get(key):
                left.append(f"MeshConfig {key}: {_KEPT_MESH[key]}")
        elif key == "defaultConfig" and isinstance(value, Mapping):
            defaults = {name: one for name, one in value.items() if name not in _KEPT_DEFAULTS}
            left += [f"MeshConfig defaultConfig.{name}: {_KEPT_DEFAULTS[name]}" for name in value
                     if name in _KEPT_DEFAULTS and name != "discoveryAddress"
                     and value[name] != _ALIKE.get(f"defaultConfig.{name}")]  # fmt: skip
            mesh |= {key: defaults} if defaults else {}
        else:
            mesh[key] = value
    providers = [one for one in mesh.get("extensionProviders") or () if one.get("name") != OWN_PROVIDER]
    left += [f"MeshConfig extensionProviders[{one.get('name')}]: set, but its server is not here" for one in providers]
    return mesh


def _variables(stated: Mapping[str, Any], left: list[str]) -> dict[str, str]:
    found = {}
    for name, value in stated.items():
        if name in _ALIKE and str(value) == _ALIKE[name]:
            continue
        if name in _OWN_VARIABLES:
            left.append(f"istiod {name}: {_OWN_VARIABLES[name]}")
        elif name in _OF_THE_INSTALLATION or name.startswith(("CITADEL_", "GCP_")):
            left.append(f"istiod {name}: {_INSTALLATION}")
        else:
            found[str(name)] = str(value)
    return found


def _policies(stated: Any, left: list[str]) -> Iterator[Mapping[str, Any]]:
    for body in stated:
        name = f"{body['kind']} {body['metadata']['name']}"
        if body["kind"] == "EnvoyFilter":
            left.append(f"{name}: proxies here have no filters of Istio's own, and might reject it")
            continue
        if body["kind"] == "RequestAuthentication" and not (body.get("spec") or {}).get("selector"):
            left.append(f"{name}: its issuer is not here, and it would refuse the tokens of the suites' own issuers")
            continue
        yield {**body, "metadata": {**body["metadata"], "namespace": ROOT_NAMESPACE}}
