"""The hermetic internet: the external hosts, their addresses and certificates, and which pods may reach them.

It is in its own network namespace of the node. `modules/external` answers for every host; `node/init.sh`
makes the namespace, its link and the packet filter; CoreDNS knows the names.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

from testbed import pki
from testbed.addresses import EXTERNAL

INSIDE = "/etc/meshproof/external"
"""Path of `write`'s folder inside the node."""


@dataclass(frozen=True)
class Host:
    """One external host.

    Attributes:
        addresses: reachable from gateway pods only; what its name resolves to.
        open_addresses: reachable from every pod, without a name in DNS: addresses that an operator forgot to block.
        certificate: the name in its certificate; empty means the host's own name.
        trusted: the certificate is from the authority that clients trust.
        expired: the certificate has expired.
        any_name: at its addresses the server shows this certificate whatever name a client asks for.
    """

    name: str
    addresses: tuple[str, ...]
    open_addresses: tuple[str, ...] = ()
    certificate: str = ""
    trusted: bool = True
    expired: bool = False
    any_name: bool = False


def _at(*last: int) -> tuple[str, ...]:
    return tuple(str(EXTERNAL[number]) for number in last)


HOSTS = (
    Host("example.com", _at(10), _at(138)),
    Host("httpbin.org", _at(20), _at(148)),
    Host("untrusted.example.com", _at(11), trusted=False, any_name=True),
    Host("wrong-name.example.com", _at(12), certificate="another-name.example.com"),
    Host("expired.example.com", _at(13), expired=True, any_name=True),
    Host("storage.googleapis.com", _at(200, 201, 202, 203)),
    Host("private.googleapis.com", _at(200, 201, 202, 203)),
    Host("metadata.google.internal", _at(210)),
)
NODE_END = str(EXTERNAL[1])
BLOCKED = next(EXTERNAL.subnets(prefixlen_diff=1))
"""Half of the external addresses, which only gateway pods may reach; every pod may reach the other half."""
GOOGLE_APIS = ipaddress.ip_network(f"{EXTERNAL[200]}/30")
METADATA_SERVER = ipaddress.ip_network(f"{EXTERNAL[210]}/32")


def addresses() -> list[str]:
    """Every address that answers, in order and once."""
    found = {address for host in HOSTS for address in (*host.addresses, *host.open_addresses)}
    return sorted(found, key=ipaddress.ip_address)


def records() -> list[str]:
    """Lines for a hosts file: what the names resolve to."""
    return [f"{address} {host.name}" for host in HOSTS for address in host.addresses]


def zones() -> list[str]:
    """The domains that the hosts are in: `example.com`, `googleapis.com`."""
    return sorted({".".join(host.name.split(".")[-2:]) for host in HOSTS})


def write(folder: Path) -> None:
    """Write the certificates, `hosts.json` for the server, and `roots.pem` with the authority that clients may trust.

    Keys and authorities are new at every start; the authorities' private keys are not kept.
    """
    known, unknown = pki.Authority("meshproof external hosts"), pki.Authority("meshproof unknown authority")
    now = datetime.datetime.now(datetime.UTC)
    past = (now - datetime.timedelta(days=30), now - datetime.timedelta(days=1))
    folder.mkdir(parents=True, exist_ok=True)
    table = []
    for host in HOSTS:
        issuer, name = known if host.trusted else unknown, host.certificate or host.name
        pair = issuer.issue(name, names=[name], validity=past if host.expired else None)
        for suffix, content in (("crt", pair.certificate), ("key", pair.key)):
            pki.write_secret(folder / f"{host.name}.{suffix}", content)
        files = {"certificate": f"{INSIDE}/{host.name}.crt", "key": f"{INSIDE}/{host.name}.key"}
        addresses = [*host.addresses, *host.open_addresses]
        table.append({"name": host.name, "addresses": addresses, "any_name": host.any_name, **files})
    (folder / "hosts.json").write_text(json.dumps(table, indent=1))
    (folder / "roots.pem").write_bytes(known.pair.certificate)
