"""The image's bill of materials, as CycloneDX JSON: Debian's packages, Python's, and this project."""

from __future__ import annotations

import importlib.metadata
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

FILE = "sbom.cdx.json"


def write(target: Path, reference: str, version: str, debian: Iterable[str], packages: Path) -> None:
    """Write the bill of materials of an image.

    Args:
        reference: of the image, as a pod names it.
        version: the project's.
        debian: `name version` of each package of the root file system.
        packages: folder in which Python's packages are installed.
    """
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, reference))
    name, _, tag = reference.rpartition(":")
    bom.metadata.component = Component(name=name, version=tag, type=ComponentType.CONTAINER, bom_ref=reference)
    own = Component(name="meshproof", version=version, type=ComponentType.APPLICATION, bom_ref="meshproof")
    own.licenses.add(LicenseFactory().make_from_string("Apache-2.0"))
    for component in (own, *_of_debian(debian), *_of_python(packages)):
        bom.components.add(component)
    bom.register_dependency(bom.metadata.component, bom.components)
    target.write_text(JsonV1Dot6(bom).output_as_string(indent=1), encoding="utf-8")


def _of_debian(lines: Iterable[str]) -> Iterator[Component]:
    for line in lines:
        name, version = line.split()
        url = PackageURL("deb", "debian", name, version, {"distro": "debian-12"})
        yield Component(name=name, version=version, purl=url, bom_ref=str(url))


def _of_python(folder: Path) -> Iterator[Component]:
    for one in importlib.metadata.distributions(path=[str(folder)]):
        url = PackageURL("pypi", None, one.name.lower().replace("_", "-"), one.version)
        component = Component(name=one.name, version=one.version, purl=url, bom_ref=str(url))
        # only where the package states it in the form that can be read by programs (PEP 639)
        if "License-Expression" in one.metadata:
            component.licenses.add(LicenseFactory().make_from_string(one.metadata["License-Expression"]))
        yield component
