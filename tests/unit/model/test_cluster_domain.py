"""The domain of full names of Services: that of the cluster, where manifests write the usual one."""

from __future__ import annotations

import pytest

from clients.model import cluster_domain

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("httpbin.shop.svc.cluster.local", "httpbin.shop.svc.corp.internal"),
        ("http://httpbin.shop.svc.cluster.local:80/x", "http://httpbin.shop.svc.corp.internal:80/x"),
        ("outbound|80||gw.shop.svc.cluster.local", "outbound|80||gw.shop.svc.corp.internal"),
        ("*.shop.svc.cluster.local. *.svc.cluster.local", "*.shop.svc.corp.internal. *.svc.corp.internal"),
        ("svc.cluster.local", "svc.corp.internal"),
        ("httpbin.shop.svc httpbin.shop", "httpbin.shop.svc httpbin.shop"),
        ("spiffe://cluster.local/ns/shop/sa/web", "spiffe://cluster.local/ns/shop/sa/web"),
        ("a.svc.cluster.local.example a.svc.cluster.locals", "a.svc.cluster.local.example a.svc.cluster.locals"),
        ("my-svc.cluster.local", "my-svc.cluster.local"),
    ],
)
def test_full_names_get_the_clusters_domain_and_nothing_else_does(written: str, there: str) -> None:
    assert cluster_domain.in_domain(written, "corp.internal") == there
    assert cluster_domain.as_written(there, "corp.internal") == written
    assert cluster_domain.in_domain(written, "cluster.local") == cluster_domain.as_written(written, "cluster.local")
    assert cluster_domain.in_domain(written, "cluster.local") == written


def test_a_dot_of_the_domain_is_no_other_character() -> None:
    assert cluster_domain.as_written("a.b.svc.corp-internal", "corp.internal") == "a.b.svc.corp-internal"


@pytest.mark.parametrize(
    ("host", "service"),
    [
        ("httpbin.shop.svc.cluster.local", "httpbin.shop"),
        ("httpbin.shop.svc.corp.internal", "httpbin.shop"),
        ("pod-0.httpbin.shop.svc.cluster.local", ""),
        ("httpbin.shop.svc", ""),
        ("example.com", ""),
    ],
)
def test_a_full_name_is_of_one_service(host: str, service: str) -> None:
    assert cluster_domain.service_of(host) == service
