"""The profile `managed`: others run istiod, outside the cluster."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from testbed import internet, mesh, pki
from testbed.addresses import EXTERNAL
from testbed.amendment import Amended, Amendment
from testbed.configuration import API_PORT, Configuration
from testbed.form import Form
from testbed.parts import Parts
from testbed.profiles.embedded import EmbeddedProfile
from testbed.store import Part

_FILES = Path(__file__).parent / "managed_cluster"
REVISION, TAG = "asm-managed", "prod"
ADDRESS = str(EXTERNAL[240])
"""Of istiod: an external address that every pod reaches."""
HOST = "istiod.managed.test"
_INJECTOR = f"istio-sidecar-injector-{REVISION}"
_KEPT = (("MutatingWebhookConfiguration", ""), ("ConfigMap", f"istio-{REVISION}"))
"""What of the mesh is in the cluster: kind and name; an empty name for all of the kind."""
_ZONE = f"""\
{HOST}:53 {{
    errors
    hosts {{
        {ADDRESS} {HOST}
        ttl 5
        reload 0
        no_reverse
    }}
}}
"""


class Managing(Amendment):
    """See `Amendment`."""

    injected = {"sidecar.istio.io/inject": "true", "istio.io/rev": REVISION}  # noqa: RUF012 - never changed
    services = ("authorizer", "istiod")

    def core(self, parts: Parts) -> tuple[tuple[str, str], ...]:
        """No istiod: that injection works shows that it is there."""
        del parts
        return (("kube-system", "coredns"),)

    def parts(self, parts: Parts) -> list[Part]:
        """The authorizer and the mesh's manifests."""
        return [parts.program("authorizer"), _mesh(parts)]

    def configure(self, folder: Path, parts: Parts, configuration: Configuration) -> None:
        """Istiod's own files and kubeconfig, and who authorizes requests to the provider's namespace."""
        for name in ("authorization.yaml", "authorizer.kubeconfig"):
            shutil.copy(_FILES / name, folder)
        shutil.copy(parts.get(parts.program("authorizer")) / "authorizer", folder)
        shutil.copytree(_FILES / "sv", folder / "sv", dirs_exist_ok=True)
        own = folder / "istiod"
        own.mkdir()
        objects = mesh.objects(parts.get(_mesh(parts)))
        [injector] = [one for one in objects if _is(one, "ConfigMap", _INJECTOR)]
        for name in ("config", "values"):
            (own / name).write_text(injector["data"][name])
        (own / "env").write_text(f"ISTIOD_ADDRESS={ADDRESS}\nISTIOD_HOST={HOST}\n")
        pair = configuration.authority.issue("managed:istiod", "system:masters")
        server, root = f"https://{internet.NODE_END}:{API_PORT}", configuration.authority.pair.certificate
        pki.write_secret(folder / "istiod.kubeconfig", pki.kubeconfig(server, root, pair, name="istiod").encode())

    def apply(self, cluster: Amended) -> None:
        """No istiod in the cluster; the webhooks lead out of it."""
        cluster.note("the managed mesh")
        mesh.remove_default(cluster)
        objects = mesh.objects(cluster.parts.get(_mesh(cluster.parts)))
        kept = [one for one in objects if any(_is(one, *which) for which in _KEPT)]
        cluster.api.apply(yaml.safe_dump_all(kept))
        cluster.api.apply((_FILES / "revision.yaml").read_text())
        cluster.api.apply(_with_zone((cluster.installed / "manifests" / "coredns.yaml").read_text()))

    def finish(self, cluster: Amended) -> None:
        """The provider's own object, whose kind has been defined meanwhile."""
        cluster.api.apply((_FILES / "control-plane.yaml").read_text())


def _is(body: dict[str, object], kind: str, name: str) -> bool:
    meta = body["metadata"]
    assert isinstance(meta, dict)
    return body["kind"] == kind and (not name or meta["name"] == name)


def _with_zone(manifests: str) -> str:
    """CoreDNS's configuration, which knows istiod's name."""
    [body] = [one for one in yaml.safe_load_all(manifests) if one and one["kind"] == "ConfigMap"]
    body["data"]["Corefile"] += _ZONE
    return yaml.safe_dump(body)


def _mesh(parts: Parts) -> Part:
    return mesh.manifests(parts, "mesh-managed", _FILES / "istio.yaml")


class Managed(EmbeddedProfile):
    """See `Profile`."""

    name = "managed"
    summary = "istiod is outside the cluster, and run by others"
    stands_for = "managed Cloud Service Mesh, and external control planes"
    traits = (
        "no Deployment in `istio-system`; istiod is a program outside the cluster, and the injection webhooks lead to "
        "its URL",
        f"the mesh's configuration is in the ConfigMap `istio-{REVISION}`; the revision is `{REVISION}`, with the "
        f"tag `{TAG}` and a ControlPlaneRevision",
        "the account of a run sees of `istio-system` only ConfigMaps and the mesh-wide policies of `security.istio.io`",
    )
    form = Form(
        name,
        api_server=("--authorization-config=/etc/meshproof/authorization.yaml",),
        amendment=Managing(),
    )
