"""The profile `hardened`: a mesh and a cluster whose owners allow nothing that is not asked for."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml
from jinja2 import Template

from testbed import mesh, pki
from testbed.amendment import Amended, Amendment
from testbed.configuration import API_PORT, Configuration
from testbed.form import Form
from testbed.lifecycle import RunningTestbed
from testbed.parts import REGISTRY, Parts
from testbed.preflight import Needs
from testbed.profiles.embedded import EmbeddedProfile
from testbed.store import Part

_FILES = Path(__file__).parent / "hardened_cluster"
BANK = "registry.bank.test"
"""The only registry that tenants' images may come from; it asks for a password."""
PULL_SECRET = "bank/registry"
_USER = "tenant"


class Hardening(Amendment):
    """See `Amendment`."""

    services = ("registry", "new-namespaces")

    def parts(self, parts: Parts) -> list[Part]:
        """The registry, its images, and the mesh's manifests."""
        return [parts.program("registry"), parts.images(), _mesh(parts)]

    def configure(self, folder: Path, parts: Parts, configuration: Configuration) -> None:
        """The registry and its password, Istio's CNI plug-in for every pod, Pod Security, the tenants' controller."""
        own = folder / "registry"
        own.mkdir()
        shutil.copy(parts.get(parts.program("registry")) / "registry", own / "registry")
        os.link(parts.get(parts.images()) / "images.tar", own / "images.tar")
        pki.write_secret(own / "auth", f"{_USER}:{secrets.token_urlsafe(24)}".encode())
        names = folder / "registries" / BANK
        names.mkdir(parents=True)
        shutil.copy(_FILES / "hosts.toml", names)
        shutil.copy(folder / "10-istio.conflist", folder / "10-calico.conflist")
        for name in ("pod-security.yaml", "tenant.yaml"):
            shutil.copy(_FILES / name, folder)
        shutil.copytree(_FILES / "sv", folder / "sv", dirs_exist_ok=True)
        pair = configuration.authority.issue("bank:new-namespaces", "system:masters")
        root = configuration.authority.pair.certificate
        content = pki.kubeconfig(f"https://127.0.0.1:{API_PORT}", root, pair, name="new-namespaces")
        pki.write_secret(folder / "new-namespaces.kubeconfig", content.encode())

    def apply(self, cluster: Amended) -> None:
        """Another istiod, and what is in force."""
        cluster.note("the hardened mesh")
        mesh.remove_default(cluster)
        objects = mesh.objects(cluster.parts.get(_mesh(cluster.parts)))
        cluster.api.apply(yaml.safe_dump_all(map(_by_cni, objects)))
        auth = (cluster.node.folder("etc") / "registry" / "auth").read_text()
        policies = Template((_FILES / "policies.yaml").read_text()).render(password=auth.partition(":")[2])
        cluster.api.apply(policies)
        cluster.api.apply((_FILES / "admission.yaml").read_text())


def _by_cni(body: dict[str, Any]) -> dict[str, Any]:
    """The injector's values as `istioctl install` leaves them with its own plug-in; here the node has it."""
    if body["metadata"]["name"] == "istio-sidecar-injector" and body["kind"] == "ConfigMap":
        values = json.loads(body["data"]["values"])
        values["pilot"]["cni"]["enabled"] = True
        body["data"]["values"] = json.dumps(values, indent=2)
    return body


def _mesh(parts: Parts) -> Part:
    return mesh.manifests(parts, "mesh-hardened", _FILES / "istio.yaml")


class Hardened(EmbeddedProfile):
    """See `Profile`."""

    name = "hardened"
    summary = "a mesh that denies by default, in a cluster that does too"
    stands_for = "a bank's cluster"
    traits = (
        "mutual TLS is STRICT for the whole mesh, an AuthorizationPolicy of the root namespace allows nothing, and "
        "sidecars reach only what the mesh knows (`REGISTRY_ONLY`)",
        "Istio's CNI plug-in serves every pod, and Pod Security is `restricted` in every namespace of a tenant",
        "every new namespace gets a NetworkPolicy that denies all but names and the control plane, and a quota",
        f"pods must have limits, and images of the registry `{BANK}`, whose password is the Secret `{PULL_SECRET}`",
        "istiod fetches no keys from addresses inside the cluster (`BLOCKED_CIDRS_IN_JWKS_URIS`)",
        "a Telemetry turns the access log on, in a form of its own",
    )
    needs = Needs(memory_gib=4, inotify_instances=96)
    form = Form(
        name,
        api_server=("--admission-control-config-file=/etc/meshproof/pod-security.yaml",),
        amendment=Hardening(),
    )
    settings: ClassVar[Mapping[str, str | int | bool]] = {"pods.pull_secret": PULL_SECRET}

    def _images(self, running: RunningTestbed) -> dict[str, str]:
        """At the bank's registry."""
        return {name: image.replace(REGISTRY, BANK) for name, image in super()._images(running).items()}
