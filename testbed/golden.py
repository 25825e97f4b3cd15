"""The installed state: a cluster with Calico, CoreDNS and Istio in it and every image unpacked, kept as a part.

It is made once by starting only the store, the API server, the controllers and the container runtime. Its pods are
bound to the node but have never run, so every start begins from the same clean state, and the kubelet has work at once.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import requests
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from clients.model.errors import ClusterError
from testbed import apiserver, configuration, injection, internet
from testbed.addresses import choose_link, routed
from testbed.apiserver import CORE, ApiServer
from testbed.build import golang
from testbed.build.command import BuildError
from testbed.node import Node, NodePrograms
from testbed.parts import REGISTRY, Parts
from testbed.progress import step
from testbed.store import Part, digest
from testbed.versions import CALICO, HERE, MODULES

_INSTALL = HERE / "install"
_SERVICES = ("etcd", "kube-apiserver", "containerd", "kube-controller-manager")
_OF_THIS_CLUSTER_ONLY = (
    ("istio-system", "kube-root-ca.crt"),
    ("kube-system", "kube-root-ca.crt"),
    ("kube-system", "extension-apiserver-authentication"),
)
"""ConfigMaps (namespace, name) that hold the authority of the cluster in which the state was made."""
_ADDRESSES_OF_THIS_SERVER = (
    "/registry/masterleases/",
    "/registry/services/endpoints/default/kubernetes",
    "/registry/endpointslices/default/kubernetes",
)
"""Keys of the store with the API server's address; the next server's would be listed next to it for 15 seconds."""
_CALICO_MODULE = "github.com/projectcalico/calico"
_GATEWAY_API_MODULE = "sigs.k8s.io/gateway-api"


def programs(parts: Parts) -> NodePrograms:
    """Folders of everything that the node runs from, built when missing."""
    return NodePrograms(
        root=parts.get(parts.node_root()) / "root",
        kubernetes=parts.get(parts.program("kubernetes")),
        calico=parts.get(parts.program("calico")),
        etcd=parts.get(parts.etcd()),
        external=parts.get(parts.program("external")),
        istio=parts.get(parts.program(parts.release.module)),
    )


def needed(parts: Parts) -> list[Part]:
    """What a start needs: the node's programs and the installed state. The latter contains everything else."""
    return [
        parts.node_root(),
        parts.program("kubernetes"),
        parts.program("calico"),
        parts.etcd(),
        parts.program("external"),
        part(parts),
        parts.program(parts.release.module),
    ]


def part(parts: Parts) -> Part:
    """The installed state of `parts.release`."""
    made_of = [parts.images(), parts.node_root(), parts.program("kubernetes"), parts.program("calico"), parts.etcd()]
    sources = sorted(_INSTALL.glob("*.yaml"))
    key = digest([*(p.key for p in made_of), HERE / "golden.py", HERE / "injection.py", *sources, *internet.records()])

    def make(target: Path) -> dict[str, str]:
        _make(parts, target)
        return {"istio": parts.release.version}

    return Part(f"installed-{parts.release.minor}", key, make)


def _make(parts: Parts, target: Path) -> None:
    running = programs(parts)
    images = parts.get(parts.images()) / "images.tar"
    (target / "manifests").mkdir()
    rendered = _manifests(parts, target)
    node = Node(target / "node")
    with step(parts.say, "installing into an empty cluster, unpacking images") as current:
        node.prepare()
        try:
            link = choose_link(routed())
            administrator = configuration.write(node.folder("etc"), link, parts.image_names(), _SERVICES)
            os.link(images, node.folder("kubelet") / "images.tar")
            node.start(running, link)
            kubeconfig = node.state / "kubeconfig"
            kubeconfig.write_text(administrator)
            api = ApiServer(kubeconfig, running.kubernetes / "kubectl", node.state / "work", node.gone)
            current.note("waiting for the API server")
            api.wait("the API server", apiserver.ready, 60)
            node.api_is_ready()
            for name, text in rendered.items():
                current.note(f"applying {name}")
                _apply_all(api, text)
            current.note("unpacking images")
            node.run(["ctr", "-n", "k8s.io", "images", "import", "/var/lib/kubelet/images.tar"], timeout_s=300)
            current.note("binding the first pods")
            api.wait("the first pods", _bind, 60)
            node.run(["sv", "force-stop", "/run/service/kube-controller-manager"])
            session, server = api.session()
            for namespace, name in _OF_THIS_CLUSTER_ONLY:
                session.delete(f"{server}/api/v1/namespaces/{namespace}/configmaps/{name}", timeout=10)
            node.run(["sv", "force-stop", "/run/service/kube-apiserver"])
            for prefix in _ADDRESSES_OF_THIS_SERVER:
                node.run(["/opt/etcd/etcdctl", "del", "--prefix", prefix])
        finally:
            node.stop()
    for name in ("etcd", "containerd"):
        node.folder(name).rename(target / name)
    shutil.rmtree(node.state)


def _bind(session: requests.Session, server: str) -> str | None:
    """Bind the pods of istiod and CoreDNS to the node, which does not exist yet."""
    for namespace, name in CORE:
        base = f"{server}/api/v1/namespaces/{namespace}/pods"
        pods = [pod for pod in session.get(base, timeout=5).json()["items"] if pod["metadata"]["name"].startswith(name)]
        if not pods:
            return f"no pod of {namespace}/{name} yet"
        for pod in pods:
            if not pod["spec"].get("nodeName"):
                target = {"apiVersion": "v1", "kind": "Node", "name": configuration.NODE_NAME}
                binding = {
                    "apiVersion": "v1",
                    "kind": "Binding",
                    "metadata": {"name": pod["metadata"]["name"]},
                    "target": target,
                }
                answer = session.post(f"{base}/{pod['metadata']['name']}/binding", json=binding, timeout=5)
                answer.raise_for_status()
    return None


def _apply_all(api: ApiServer, text: str) -> None:
    """Apply the definitions first, since the API server must serve a kind before its objects can be applied."""
    documents = [document for document in text.split("\n---") if document.strip()]
    definitions = [document for document in documents if "kind: CustomResourceDefinition" in document]
    others = [document for document in documents if document not in definitions]
    if definitions:
        api.apply("\n---".join(definitions))
    if others:
        api.wait("applying the mesh's objects", lambda _session, _server: _try(api, "\n---".join(others)), 60)


def _try(api: ApiServer, text: str) -> str | None:
    try:
        api.apply(text)
    except ClusterError as error:
        return error.message
    return None


def _manifests(parts: Parts, target: Path) -> dict[str, str]:
    """Name → YAML, in the order of installation; stored with the state for people to read."""
    names = parts.image_names()
    values = {
        "calico": CALICO,
        "dns": configuration.DNS,
        "coredns": names.of("coredns"),
        "external": internet.records(),
        "zones": internet.zones(),
        "hub": REGISTRY,
        "tag": names.tag,
    }
    templates = Environment(loader=FileSystemLoader(_INSTALL), undefined=StrictUndefined)  # noqa: S701 - YAML
    rendered = {
        "calico-definitions": _definitions(parts, target, "calico", _CALICO_MODULE, "libcalico-go/config/crd"),
        # of the version that the mesh was built with
        "gateway-api-definitions": _definitions(
            parts, target, parts.release.module, _GATEWAY_API_MODULE, "config/crd/standard"
        ),
        "calico": templates.get_template("calico.yaml").render(values),
        "coredns": templates.get_template("coredns.yaml").render(values),
        "istio": _istio(parts, templates.get_template("istio.yaml").render(values), target),
        "istio-cni": templates.get_template("istio-cni.yaml").render(values),
        "istio-alpn": templates.get_template("istio-alpn.yaml").render(values),
    }
    for name, text in rendered.items():
        (target / "manifests" / f"{name}.yaml").write_text(text)
    return rendered


def _definitions(parts: Parts, target: Path, component: str, module: str, folder: str) -> str:
    """Definitions of kinds in the source of a Go module, of the version that `modules/<component>` names."""
    toolchain = parts.get(parts.toolchain()) / "go"
    log = parts.logs / f"{module.rpartition('/')[2]}-source.log"
    source = golang.source_of(MODULES / component, module, toolchain=toolchain, log=log, work=target)
    texts = [path.read_text() for path in sorted((source / folder).glob("*.yaml"))]
    return "\n---\n".join(text for text in texts if "kind: CustomResourceDefinition" in text)


def _istio(parts: Parts, operator: str, target: Path) -> str:
    istioctl = parts.get(parts.program(parts.release.module)) / "istioctl"
    settings = target / "manifests" / "istio-operator.yaml"
    settings.write_text(operator)
    output = subprocess.run(
        [str(istioctl), "manifest", "generate", "-f", str(settings)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(target), "KUBECONFIG": "/nonexistent"},
        timeout=120,
    )
    if output.returncode:
        raise BuildError(f"istioctl manifest generate failed: {output.stderr.strip()[-300:]}", f"see {settings.name}")
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}}
    return json.dumps(namespace) + "\n---\n" + injection.with_cni_template(output.stdout)
