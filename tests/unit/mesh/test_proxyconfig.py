"""Names out of a sidecar's configuration, and findings out of istioctl's JSON."""

from __future__ import annotations

import pytest

from clients.mesh import istioctl, proxyconfig
from clients.model.errors import InfrastructureError

pytestmark = pytest.mark.unit

TLS = {
    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
    "sni": "outbound_.80_.mTLS_.gateway.svc",
    "common_tls_context": {"combined_validation_context": {"validation_context_sds_secret_config": {"name": "ROOTCA"}}},
}
JWT = {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
    "providers": {
        "origins-0": {"issuer": "us", "local_jwks": {"inline_string": '{"keys": [{"kty": "RSA", "d": "private"}]}'}},
        "origins-1": {"issuer": "them", "local_jwks": {"inline_string": "not yet"}},
        "origins-2": {"issuer": "nobody"},
    },
}
DUMP = {
    "configs": [
        {
            "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
            "static_clusters": [{"cluster": {"name": "prometheus_stats"}}],
            "dynamic_active_clusters": [
                {"cluster": {"name": "outbound|80||example.com"}},
                {"cluster": {"name": "outbound|80|mTLS|gateway.svc", "transport_socket": {"typed_config": TLS}}},
            ],
        },
        {
            "@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump",
            "dynamic_route_configs": [
                {
                    "route_config": {
                        "virtual_hosts": [
                            {
                                "domains": ["example.com", "example.com:80"],
                                "routes": [{"route": {"cluster": "outbound|80|mTLS|gateway.svc"}}],
                            },
                            {
                                "domains": ["httpbin.org"],
                                "routes": [{"route": {"weighted_clusters": {"clusters": [{"name": "a"}]}}}],
                            },
                            {
                                "domains": ["copied.org"],
                                "routes": [
                                    {"route": {"cluster": "a", "request_mirror_policies": [{"cluster": "copies"}]}}
                                ],
                            },
                            {"domains": ["*"], "routes": [{"direct_response": {"status": 502}}]},
                        ]
                    }
                }
            ],
        },
    ]
}


def test_clusters_hosts_and_routes_by_name() -> None:
    assert proxyconfig.outbound(DUMP) == {"outbound|80||example.com", "outbound|80|mTLS|gateway.svc"}
    assert proxyconfig.hosts(DUMP) == {"example.com", "gateway.svc"}
    found = proxyconfig.clusters(DUMP)
    assert not found["outbound|80||example.com"].tls
    hop = found["outbound|80|mTLS|gateway.svc"]
    assert (hop.tls, hop.sni, hop.roots) == (True, "outbound_.80_.mTLS_.gateway.svc", "ROOTCA")
    assert proxyconfig.routes(DUMP) == {
        "example.com": {"outbound|80|mTLS|gateway.svc"},
        "example.com:80": {"outbound|80|mTLS|gateway.svc"},
        "httpbin.org": {"a"},
        "copied.org": {"a", "copies"},
        "*": set(),
    }


def test_findings_of_an_analysis() -> None:
    finding = '{"code": "IST0101", "level": "Error", "message": "no such subset", "origin": "VirtualService a/b"}'
    text = f"[{finding}]"
    (found,) = istioctl.messages(text)
    assert str(found) == "Error [IST0101] (VirtualService a/b) no such subset"
    assert istioctl.messages("[]\n") == []


@pytest.mark.parametrize("output", ["", "Error: no such namespace", '[{"code": 1}]', "[1]"])
def test_an_analysis_that_failed_is_no_clean_one(output: str) -> None:
    with pytest.raises(InfrastructureError, match="istioctl analyze failed"):
        istioctl.messages(output)


def test_the_keys_by_which_tokens_are_checked() -> None:
    filters = [{"name": "jwt", "typed_config": JWT}]
    listener = {"active_state": {"listener": {"filter_chains": [{"filters": [{"typed_config": {"http": filters}}]}]}}}
    dump = {"configs": [{"@type": "x.ListenersConfigDump", "dynamic_listeners": [listener]}]}
    assert proxyconfig.token_keys(dump) == {"us": [{"kty": "RSA", "d": "private"}], "them": [], "nobody": []}
    assert proxyconfig.token_keys(DUMP) == {}
