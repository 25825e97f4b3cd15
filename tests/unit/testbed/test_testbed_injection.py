"""The injection template of the testbed: Istio's own as the CNI plug-in needs it, next to all others as they were."""

from __future__ import annotations

import json

import pytest
import yaml

from testbed import configuration, injection
from testbed.build.command import BuildError
from testbed.versions import HERE

pytestmark = pytest.mark.unit

SIDECAR = """\
metadata:
  labels: {}
spec:
  initContainers:
  {{ if .Values.pilot.cni.enabled -}}
  - name: istio-validation
  {{ else -}}
  - name: istio-init
  {{ end -}}
"""
CONFIG = "defaultTemplates: [sidecar]\ntemplates:\n  sidecar: |\n" + "".join(
    f"    {line}\n" for line in SIDECAR.splitlines()
)


def manifests(config: str = CONFIG) -> str:
    meta = "metadata:\n  name: istio-sidecar-injector\n  namespace: istio-system\n"
    body = {"data": {"config": config, "values": "{}"}}
    other = "apiVersion: v1\nkind: Service\nmetadata:\n  name: istiod\n"
    return f"{other}---\napiVersion: v1\nkind: ConfigMap\n{meta}{yaml.safe_dump(body)}---\n{other}"


def test_one_template_more_and_the_others_as_they_were() -> None:
    service, injector, last = yaml.safe_load_all(injection.with_cni_template(manifests()))
    assert service == last == {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "istiod"}}
    assert injector["data"]["values"] == "{}"
    config = yaml.safe_load(injector["data"]["config"])
    assert config["defaultTemplates"] == ["sidecar"]
    assert config["templates"].keys() == {"cni", "sidecar"}
    assert config["templates"]["sidecar"] == SIDECAR
    own = config["templates"]["cni"]
    assert "{{ if true -}}" in own
    assert f"spec:\n  runtimeClassName: {injection.RUNTIME_CLASS}\n" in own


@pytest.mark.parametrize(
    "text",
    ["kind: Service\n", manifests(CONFIG.replace(".Values.pilot.cni.enabled", ".Values.other")), manifests() * 2],
)
def test_another_form_of_the_installation_is_told(text: str) -> None:
    with pytest.raises(BuildError):
        injection.with_cni_template(text)


def test_names_agree_between_template_class_and_runtime() -> None:
    name = injection.RUNTIME_CLASS
    first = next(yaml.safe_load_all((HERE / "install" / "istio-cni.yaml").read_text()))
    assert (first["kind"], first["metadata"]["name"], first["handler"]) == ("RuntimeClass", name, name)
    assert f"containerd.runtimes.{name}]" in (HERE / "node" / "containerd.toml").read_text()


def test_the_plug_in_comes_last_in_its_own_chain_only(tmp_path) -> None:
    plain = {"cniVersion": "0.3.1", "name": "meshproof", "plugins": [{"type": "calico"}, {"type": "portmap"}]}
    (tmp_path / "10-calico.conflist").write_text(json.dumps(plain))
    configuration.chain_istio(tmp_path)
    chained = json.loads((tmp_path / "10-istio.conflist").read_text())
    assert [plugin["type"] for plugin in chained["plugins"]] == ["calico", "portmap", "istio-cni"]
    assert chained["name"] == plain["name"]
    assert json.loads((tmp_path / "10-calico.conflist").read_text()) == plain
