"""The egress gateway, and the hosts outside the cluster that requests go to."""

from __future__ import annotations

import ssl
from enum import StrEnum
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from runner.config.numbers import Whole
from runner.config.paths import AnyPath
from runner.config.texts import NAME, OF_NAME, formed


class Hosts(StrEnum):
    """Which external hosts requests go to."""

    HERMETIC = "hermetic"
    INTERNET = "internet"


class Egress(BaseModel):
    """The egress gateway under test; without a namespace the suites deploy their own.

    Attributes:
        namespace: where the user's gateway runs; policies and routes for it are created there, and removed.
        service: name of its Service.
        label: `key=value` by which Gateway objects select its pods.
        http_port: its pods' port behind the Service's port 80.
        tls_port: its pods' port behind 443.
        blocked: the network lets only the gateway reach external hosts (firewall rules).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    namespace: Annotated[str, formed(NAME, OF_NAME)] = ""
    service: str = "istio-egressgateway"
    label: Annotated[str, formed("[^=]+=[^=]+", "key=value")] = "istio=egressgateway"
    http_port: Whole = Field(default=8080, ge=1, le=65535)
    tls_port: Whole = Field(default=8443, ge=1, le=65535)
    blocked: bool = False


def _address(text: str) -> str:
    """The text, if it is an IP address. Raises ValueError otherwise."""
    try:
        return str(ip_address(text)) and text
    except ValueError:
        raise ValueError("it is no IP address; write for instance 10.0.0.1") from None


def _range(text: str) -> str:
    """The text, if it is empty or a range of addresses. Raises ValueError otherwise."""
    try:
        return (str(ip_network(text)) and text) if text else text
    except ValueError:
        raise ValueError("it is no range of addresses; write for instance 10.0.0.0/28") from None


Host = Annotated[
    str,
    formed(
        r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", "the name of a host, in small letters"
    ),
]
Address = Annotated[str, AfterValidator(_address)]
Range = Annotated[str, AfterValidator(_range)]


class External(BaseModel):
    """External hosts of the user's own, for a cluster that does not reach the internet; none without `hosts`.

    Attributes:
        hosts: name → address of each host that the suites send to, as the cluster's DNS has it; `open.NAME` is another
            address of NAME, which the network lets every pod reach.
        more: name → its further addresses.
        roots: PEM file of the authorities that signed the hosts' certificates.
        log: file with the hosts' own log, as the testbed's hosts write it; None where it cannot be read.
        google_apis: CIDR in place of Google's private.googleapis.com.
        metadata_server: CIDR in place of Google's metadata server.
        ports: the hosts also answer by HTTP at 8080, 53, 988 and 15012, and by UDP (reads of TFTP, RFC 1350) at 443
            and 53.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hosts: dict[Host, Address] = {}
    more: dict[Host, list[Address]] = {}
    roots: AnyPath | None = None
    log: AnyPath | None = None
    google_apis: Range = ""
    metadata_server: Range = ""
    ports: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        alone = [name for name in type(self).model_fields if name != "hosts" and getattr(self, name)]
        if alone and not self.hosts:
            raise ValueError(f"{alone[0]} is of external hosts, so it needs their names and addresses (hosts)")
        if unknown := sorted(self.more.keys() - self.hosts.keys()):
            raise ValueError(f"more names {unknown[0]}, which hosts does not")
        if self.roots and not self.roots.is_file():
            raise ValueError(f"roots names {self.roots}, which is no file")
        if self.roots:
            _check_roots(self.roots)
        return self


def _check_roots(path: Path) -> None:
    """Refuse what is no text with certificates, which would fail only when it is applied."""
    try:
        path.read_text(encoding="utf-8")  # it becomes part of an object
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except (ssl.SSLError, UnicodeDecodeError):
        raise ValueError(f"roots names {path}, which holds no certificates in PEM") from None
    except OSError as error:
        raise ValueError(f"roots names {path}, which cannot be read: {error.strerror}") from None
