"""The target `live`: an existing cluster, reached by a context of a kubeconfig."""

from __future__ import annotations

import shutil

import certifi

from clients.kube.merged import merged
from clients.model.errors import SettingsError
from clients.model.images import SHOP
from runner.config.egress_settings import External, Hosts
from runner.config.settings import Settings
from runner.target.access import GOOGLE_APIS, METADATA_SERVER, Access, ExternalHostsRecord, Say
from runner.target.fitting import mirrored
from runner.target.target import Target

PUBLIC_IMAGES = {
    "sleep": "curlimages/curl:8.16.0",
    "httpbin": "mccutchen/go-httpbin:v2.15.0",
    "envoy": "envoyproxy/envoy:v1.37.0",
    "porter": "registry.k8s.io/e2e-test-images/agnhost:2.53",
    **{name: f"us-central1-docker.pkg.dev/google-samples/microservices-demo/{name}:v0.10.3" for name in SHOP},
}
"""Images for a cluster that is not the embedded one: of Istio's samples, Envoy, Kubernetes' tests, the shop."""

INTERNET_HOSTS = (
    "example.com",
    "httpbin.org",
    "storage.googleapis.com",
    "private.googleapis.com",
    "metadata.google.internal",
)
"""Hosts that the documents name; DNS gives their addresses."""


class Live(Target):
    """See `Target`. Its external hosts are those of the internet, where they are asked for."""

    kind = "live"
    summary = "any cluster that a kubeconfig reaches"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        if settings.istio:
            raise SettingsError(
                f"the setting istio ({settings.istio}) is of the embedded mesh, and the target is {self.kind}",
                "leave it out (--istio), or use --target embedded",
            )
        if settings.hosts is Hosts.HERMETIC:
            hint = "use --hosts internet, or name hosts of your own in [external]"
            raise SettingsError("only the embedded target has hosts of its own", hint)
        if settings.hosts is Hosts.INTERNET and settings.external.hosts:
            raise SettingsError(
                "the settings name external hosts of two kinds: hosts and external", "leave one of them out"
            )

    @classmethod
    def implied_by(cls, settings: Settings) -> bool:
        """Whether a cluster is named."""
        return bool(settings.context or settings.kubeconfig)

    def context(self) -> str:
        """The context that is used: the one named, else the current one of the kubeconfig; empty if it has none."""
        file = str(self.settings.kubeconfig) if self.settings.kubeconfig else None
        try:
            return self.settings.context or str(merged(file)["current-context"])
        except Exception:  # whatever its parser raises too
            return ""  # connecting reports what is wrong with it

    def access(self, say: Say) -> Access:  # noqa: ARG002 - there is no progress to report
        """Start nothing, and load no image."""
        settings = self.settings
        internet = ExternalHostsRecord(dict.fromkeys(INTERNET_HOSTS, ""), certifi.where())
        outside = internet if settings.hosts is Hosts.INTERNET else own_hosts(settings.external)
        istioctl = str(settings.istioctl or shutil.which("istioctl") or "")
        public = {name: mirrored(image, settings.image_prefix) for name, image in PUBLIC_IMAGES.items()}
        images = {**public, **settings.images.given}
        return Access(str(settings.kubeconfig or ""), self.context(), images, outside, istioctl)


def own_hosts(given: External) -> ExternalHostsRecord:
    """The hosts that the settings name."""
    return ExternalHostsRecord(
        hosts=given.hosts,
        roots=str(given.roots or certifi.where()) if given.hosts else "",
        log=str(given.log or ""),
        google_apis=given.google_apis or GOOGLE_APIS,
        metadata_server=given.metadata_server or METADATA_SERVER,
        more=given.more,
        ports=given.ports,
    )
