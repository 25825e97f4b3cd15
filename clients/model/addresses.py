"""Addresses and ports as text: the one way to split, join and compare them, for IPv4 and IPv6.

The Kubernetes API writes an address bare (`fd00::7`), and so does curl. Where a port follows, URLs, Envoy's logs and
those of servers put IPv6 into brackets (`[fd00::7]:8080`; RFC 3986, section 3.2.2). One address of IPv6 may have many
texts, so what is compared is `canonical` on both sides.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address

_OF_LISTENER = "envoy://"
_HOST_OF_URL = re.compile(r"\[[^\]/?#]*\]|[^:/?#]*")
_HOST_AND_PORT = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::([^:]*))?")

DEFAULT_PORTS = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443, "ws": 80, "wss": 443}
"""Of the schemes of requests' URLs."""


def canonical(address: str) -> str:
    """An address in the one text that all its texts have (RFC 5952), without brackets; names stay as they are.

    An address of IPv4 that a socket of IPv6 shows (`::ffff:10.0.0.7`) is that of IPv4.
    """
    if ":" not in address:
        return address
    try:
        found = IPv6Address(address.strip("[]"))
    except ValueError:
        return address
    return str(found.ipv4_mapped or found)


def split(address: str) -> tuple[str, str]:
    """Host and port of `ip:port`, `[ip]:port` or `name:port`, the host canonical; an empty port where none is written.

    More than one colon without brackets is an address of IPv6 alone. Of Envoy's `envoy://listener/ip:port`, by which a
    sidecar sends through a tunnel (HBONE), it is the address at its end.
    """
    if address.startswith(_OF_LISTENER):
        address = address.rpartition("/")[2]
    found = _HOST_AND_PORT.fullmatch(address)
    if found is None:
        return canonical(address), ""
    return canonical(found[1] or found[2] or ""), found[3] or ""


def host_of(address: str) -> str:
    """The host alone, canonical: `fd00::7` of `[fd00::7]:8080`."""
    return split(address)[0]


def in_url(host: str) -> str:
    """A host as URLs have it, and all texts where a port may follow: `[fd00::7]`."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def with_host(url: str, host: str) -> str:
    """The URL with another host; port, path and query stay as they are."""
    scheme, separator, rest = url.partition("://")
    written = _HOST_OF_URL.match(rest)
    return f"{scheme}{separator}{in_url(host)}{rest[written.end() if written else 0 :]}"


def joined(host: str, port: object) -> str:
    """`ip:port`, or `[ip]:port` for IPv6; empty without a host."""
    return f"{in_url(host)}:{port}" if host else ""


def is_loopback(host: str) -> bool:
    """Whether an address is the machine's, or the pod's, own."""
    return host.startswith("127.") or host == "::1"


def as_range(host: str) -> str:
    """The range that has this address alone (`10.0.0.7/32`, `fd00::7/128`); empty without one."""
    return f"{host}/{128 if ':' in host else 32}" if host else ""
