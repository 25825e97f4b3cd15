"""The files of a kind cluster's machine, written at every start, and the manifests that are applied to it."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from testbed import internet
from testbed.addresses import PODS, SERVICES, Link
from testbed.parts import REGISTRY, ImageNames
from testbed.versions import KUBERNETES

FILES = Path(__file__).parent / "files"
API_PORT = 6443
CLUSTER = "meshproof"
"""Kind's name of the cluster; its nodes are `meshproof-control-plane`, `meshproof-worker`, `meshproof-worker2`."""
NODES = 3
_MACHINE = ("env", "containers.conf", "storage.conf", "cluster.yaml", "policy.json")
_OPEN_FILES, _PROCESSES = 1 << 20, 1 << 17
"""What a node would get elsewhere, as far as this machine's hard limits allow it."""


def write_machine(folder: Path, link: Link, *, full: bool) -> None:
    """Fill the folder that becomes `/etc/meshproof` of the machine; external hosts are in the full form only."""
    values = {
        "name": CLUSTER,
        "machine_ip": link.node,
        "link_bits": link.network.prefixlen + 1,
        "nodes": link.balancers,
        "no_resolver": link.network[53],
        "external_addresses": " ".join(internet.addresses()) if full else "",
        "api_port": API_PORT,
        "pods": PODS,
        "services": SERVICES,
        "policies": full,
        "open_files": _limit(resource.RLIMIT_NOFILE, _OPEN_FILES),
        "processes": _limit(resource.RLIMIT_NPROC, _PROCESSES),
    }
    for name in _MACHINE:
        (folder / name).write_text(_render("machine", name, values))
    shutil.copy(FILES / "machine" / "init.sh", folder / "init.sh")
    if full:
        internet.write(folder / "external")


def _limit(kind: int, wanted: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)


def manifest(name: str, images: ImageNames, *, full: bool) -> str:
    """One manifest of `files/install`, for this form."""
    values = {
        "full": full,
        "hub": REGISTRY,
        "tag": images.tag,
        "zones": internet.zones(),
        "external": internet.records(),
        "version": f"v{KUBERNETES}",
    }
    return _render("install", name, values)


def _render(folder: str, name: str, values: dict[str, Any]) -> str:
    loader = FileSystemLoader(FILES / folder)
    templates = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701 - no markup
    return templates.get_template(name).render(values)
