"""Istio's manifests as a profile installs them, kept as a part, and the removal of those of the installed state."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from testbed.amendment import Amended
from testbed.build.command import BuildError
from testbed.parts import REGISTRY, Parts
from testbed.store import Part, digest

FILE = "istio.yaml"


def manifests(mesh: Parts, name: str, operator: Path, values: Mapping[str, str] | None = None) -> Part:
    """The part with the manifests, without definitions of kinds, which every installed state has.

    Args:
        mesh: the parts of the version that is installed.
        name: of the part.
        operator: template of an IstioOperator; it knows `hub` and `tag`.
        values: what else the template knows.
    """
    tag = mesh.image_names().tag
    template = Environment(undefined=StrictUndefined, autoescape=False).from_string(operator.read_text())  # noqa: S701 - YAML
    text = template.render(hub=REGISTRY, tag=tag, **(values or {}))
    program = mesh.program(mesh.release.module)

    def make(target: Path) -> None:
        (target / "operator.yaml").write_text(text)
        (target / FILE).write_text(_generated(mesh.get(program) / "istioctl", target / "operator.yaml"))

    return Part(f"{name}-{mesh.release.minor}", digest([program.key, text, Path(__file__)]), make)


def _generated(istioctl: Path, operator: Path) -> str:
    result = subprocess.run(
        [str(istioctl), "manifest", "generate", "-f", str(operator)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(operator.parent), "KUBECONFIG": "/nonexistent"},
        timeout=120,
    )
    if result.returncode:
        raise BuildError(f"istioctl manifest generate failed: {result.stderr.strip()[-300:]}", f"see {operator.name}")
    documents = [one for one in yaml.safe_load_all(result.stdout) if one]
    return yaml.safe_dump_all(one for one in documents if one["kind"] != "CustomResourceDefinition")


def objects(folder: Path) -> list[dict[str, Any]]:
    """The objects of a built part."""
    return list(yaml.safe_load_all((folder / FILE).read_text()))


def remove_default(cluster: Amended) -> None:
    """Remove the mesh of the installed state, while no controller runs: all but its namespace and its definitions.

    Raises:
        ClusterError: the API server refused.
    """
    installed = yaml.safe_load_all((cluster.installed / "manifests" / FILE).read_text())
    kept = ("CustomResourceDefinition", "Namespace")
    cluster.api.delete_objects(yaml.safe_dump_all(one for one in installed if one and one["kind"] not in kept))
    cluster.api.delete("replicasets,pods", "istio-system", "app=istiod")
