"""A further template for Istio's injector: pods without NET_ADMIN, by Istio's CNI plug-in."""

from __future__ import annotations

import json
import textwrap

import yaml

from testbed.build.command import BuildError

TEMPLATE = "cni"
"""Name of the injection template; a pod requests it by the annotation `inject.istio.io/templates`."""
RUNTIME_CLASS = "istio-cni"
"""Pods of this class get their network by the chain that ends with Istio's plug-in (`node/containerd.toml`)."""

_INJECTOR = "istio-sidecar-injector"
_SWITCH = ".Values.pilot.cni.enabled"
_SPEC = "\nspec:\n"
_TEMPLATES = "\ntemplates:\n"


def with_cni_template(manifests: str) -> str:
    """Add the injection template to Istio's installation; all other pods are injected as before.

    It is the template `sidecar` of the same version as `pilot.cni.enabled`, which counts for the whole mesh, would have
    it: `istio-validation` in place of `istio-init`.

    Args:
        manifests: documents as `istioctl manifest generate` prints them.

    Raises:
        BuildError: Istio's own template does not have the expected form.
    """
    documents = manifests.split("\n---")
    places = [at for at, text in enumerate(documents) if f"name: {_INJECTOR}\n" in text and "kind: ConfigMap" in text]
    if len(places) != 1:
        raise BuildError(f"{len(places)} ConfigMaps {_INJECTOR} in Istio's manifests", "see testbed/injection.py")
    body = yaml.safe_load(documents[places[0]])
    body["data"]["config"] = _extended(body["data"]["config"])
    documents[places[0]] = "\n" + json.dumps(body) + "\n"
    return "\n---".join(documents)


def _extended(config: str) -> str:
    sidecar = yaml.safe_load(config)["templates"]["sidecar"]
    if _SWITCH not in sidecar or sidecar.count(_SPEC) != 1 or config.count(_TEMPLATES) != 1:
        raise BuildError("Istio's injection template is not of the expected form", "see testbed/injection.py")
    own = sidecar.replace(_SWITCH, "true").replace(_SPEC, f"{_SPEC}  runtimeClassName: {RUNTIME_CLASS}\n")
    return config.replace(_TEMPLATES, f"{_TEMPLATES}  {TEMPLATE}: |\n{textwrap.indent(own, '    ')}\n")
