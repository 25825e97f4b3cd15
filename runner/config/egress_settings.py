"""The egress gateway, and the hosts outside the cluster that requests go to."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, model_validator

from runner.config.paths import AnyPath


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

    namespace: str = Field(default="", pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")
    service: str = "istio-egressgateway"
    label: str = Field(default="istio=egressgateway", pattern=r"^[^=]+=[^=]+$")
    http_port: int = Field(default=8080, ge=1, le=65535)
    tls_port: int = Field(default=8443, ge=1, le=65535)
    blocked: bool = False


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

    hosts: dict[str, str] = {}
    more: dict[str, list[str]] = {}
    roots: AnyPath | None = None
    log: AnyPath | None = None
    google_apis: str = ""
    metadata_server: str = ""
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
        x509.load_pem_x509_certificates(path.read_text(encoding="utf-8").encode())
    except OSError as error:
        raise ValueError(f"roots names {path}, which cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"roots names {path}, which holds no certificates in PEM") from None
