"""The filter in place of `istio.alpn`: where it is, and that its expression survives the folding of YAML."""

from __future__ import annotations

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from testbed.versions import HERE

pytestmark = pytest.mark.unit


def patches() -> list[dict]:
    templates = Environment(loader=FileSystemLoader(HERE / "install"), undefined=StrictUndefined)
    [body] = yaml.safe_load_all(templates.get_template("istio-alpn.yaml").render())
    assert (body["kind"], body["metadata"]["namespace"]) == ("EnvoyFilter", "istio-system")
    return body["spec"]["configPatches"]


def test_it_acts_on_what_leaves_sidecars_and_gateways_and_on_nothing_that_arrives() -> None:
    assert [patch["match"]["context"] for patch in patches()] == ["SIDECAR_OUTBOUND", "GATEWAY"]


@pytest.mark.parametrize("patch", patches(), ids=lambda patch: patch["match"]["context"])
def test_the_expression_is_one_command_of_one_line(patch) -> None:
    [state] = patch["patch"]["value"]["typed_config"]["on_request_headers"]
    text = state["format_string"]["text_format_source"]["inline_string"]
    assert text.startswith("%CEL(")
    assert text.endswith(")%")
    assert "\n" not in text
    assert text.count("%") == 2


@pytest.mark.parametrize("patch", patches(), ids=lambda patch: patch["match"]["context"])
def test_no_list_is_sent_where_the_cluster_s_tls_is_not_the_mesh_s(patch) -> None:
    [state] = patch["patch"]["value"]["typed_config"]["on_request_headers"]
    assert state["object_key"] == "envoy.network.application_protocols"
    assert state["skip_if_empty"]
    assert state["format_string"]["omit_empty_values"]
    assert '"alpn_override"' in state["format_string"]["text_format_source"]["inline_string"]
