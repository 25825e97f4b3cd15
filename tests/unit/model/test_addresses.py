"""Addresses and ports: one way to split, join and compare them."""

from __future__ import annotations

import pytest

from clients.model import addresses

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("10.0.0.7:8080", "10.0.0.7", "8080"),
        ("10.0.0.7", "10.0.0.7", ""),
        ("[fd00::7]:8080", "fd00::7", "8080"),
        ("[fd00:0:0::7]:0", "fd00::7", "0"),
        ("[fd00::7]", "fd00::7", ""),
        ("fd00:0:0:0::7", "fd00::7", ""),
        ("FD00::7", "fd00::7", ""),
        ("::ffff:10.0.0.7", "10.0.0.7", ""),
        ("[::ffff:10.0.0.7]:80", "10.0.0.7", "80"),
        ("httpbin.mtls-service:8000", "httpbin.mtls-service", "8000"),
        ("<gateway>:443", "<gateway>", "443"),
        ("a:b:c", "a:b:c", ""),
        ("envoy://connect_originate/10.0.0.7:8080", "10.0.0.7", "8080"),
        ("envoy://connect_originate/[fd00::7]:8080", "fd00::7", "8080"),
        ("envoy://internal_client_address/", "", ""),
        ("", "", ""),
    ],
)
def test_an_address_is_split_into_its_canonical_host_and_its_port(text: str, host: str, port: str) -> None:
    assert addresses.split(text) == (host, port)
    assert addresses.host_of(text) == host


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [
        ("10.0.0.7", 8080, "10.0.0.7:8080"),
        ("fd00::7", "8080", "[fd00::7]:8080"),
        ("[fd00::7]", 8080, "[fd00::7]:8080"),
        ("httpbin.mtls-service", 80, "httpbin.mtls-service:80"),
        ("", 80, ""),
    ],
)
def test_a_port_follows_an_address_of_ipv6_in_brackets(host: str, port: object, text: str) -> None:
    assert addresses.joined(host, port) == text
    assert addresses.split(text)[1] == (str(port) if host else "")


def test_a_pods_own_addresses_are_known_in_both_families() -> None:
    assert [addresses.is_loopback(one) for one in ("127.0.0.6", "::1", "10.0.0.7", "fd00::1")] == [
        True,
        True,
        False,
        False,
    ]


def test_a_range_of_one_address_is_as_long_as_its_family_has_it() -> None:
    assert [addresses.as_range(one) for one in ("10.0.0.7", "fd00::7", "")] == ["10.0.0.7/32", "fd00::7/128", ""]


@pytest.mark.parametrize(
    ("url", "host", "expected"),
    [
        ("http://web.shop:8080/a:b?c", "10.0.0.7", "http://10.0.0.7:8080/a:b?c"),
        ("http://web.shop", "fd00::7", "http://[fd00::7]"),
        ("http://[fd00::7]:8080/a", "fd00::8", "http://[fd00::8]:8080/a"),
        ("https://[fd00::7]/a", "10.0.0.7", "https://10.0.0.7/a"),
        ("tcp://web.shop:9000", "fd00::7", "tcp://[fd00::7]:9000"),
    ],
)
def test_a_url_gets_another_host(url: str, host: str, expected: str) -> None:
    """The brackets of an address were cut at its first colon."""
    assert addresses.with_host(url, host) == expected
