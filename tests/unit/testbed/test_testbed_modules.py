"""The Go modules of the testbed agree on the libraries that they share: else a cold build compiles them twice."""

from __future__ import annotations

import re

import pytest

from testbed.versions import DEFAULT_ISTIO, MODULES, istio_release

pytestmark = pytest.mark.unit

LIBRARIES = (
    "github.com/davecgh/go-spew",
    "golang.org/x/net",
    "golang.org/x/sys",
    "golang.org/x/text",
    "google.golang.org/protobuf",
    "k8s.io/api",
    "k8s.io/apimachinery",
    "k8s.io/client-go",
    "k8s.io/klog/v2",
    "k8s.io/kube-openapi",
    "k8s.io/utils",
)
"""What `k8s.io/client-go` rests on: one of them apart, and none of it is shared."""
ISTIO = istio_release(DEFAULT_ISTIO).module


def versions(module: str) -> dict[str, str]:
    """Every library with the version that is built: a replacement counts before a requirement."""
    text = (MODULES / module / "go.mod").read_text(encoding="utf-8")
    required = dict(re.findall(r"^\s*(?:require )?(\S+) (v\S+)(?: // indirect)?$", text, re.MULTILINE))
    replaced = re.findall(r"^\s*(?:replace )?(\S+) => (\S+) (v\S+)$", text, re.MULTILINE)
    return required | {name: version for name, to, version in replaced if to == name}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("module", "beside"), [("calico", "kubernetes"), ("coredns", ISTIO)])
def test_shared_libraries_are_of_one_version(module: str, beside: str, library: str):
    assert versions(module)[library] == versions(beside)[library]
