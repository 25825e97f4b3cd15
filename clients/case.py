"""What a suite states: which workload sends which request, and what must come of it. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clients.expect import Expectation


@dataclass(frozen=True)
class Workload:
    """A workload by the names of the document; the run's prefix is added when it is looked up.

    Attributes:
        namespace: as the document names it (`mtls-client`).
        app: value of the `app` label.
        container: the container that runs the command.
    """

    namespace: str
    app: str
    container: str

    def get(self, url: str, *, token: str = "", headers: tuple[tuple[str, str], ...] = ()) -> Probe:
        """A GET request from this workload."""
        return Probe(self, url, token=token, headers=headers)

    def post(self, url: str, *, token: str = "", headers: tuple[tuple[str, str], ...] = ()) -> Probe:
        """A POST request with an empty body from this workload."""
        return Probe(self, url, method="POST", token=token, headers=headers)


@dataclass(frozen=True)
class Probe:
    """One request. `url` uses the document's host names (`http://httpbin.mtls-service:8000/ip`).

    Attributes:
        token: kind of bearer token to send (`valid`, `expired`, … see `clients.tokens`); empty for none.
    """

    source: Workload
    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    token: str = ""

    @property
    def destination(self) -> str:
        """Host part without the port, for the truth table: `httpbin.mtls-service`."""
        return self.url.split("://", 1)[-1].split("/", 1)[0].split(":", 1)[0]


class Proxy(StrEnum):
    """Whose sidecar a log expectation is about."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True)
class Logged:
    """What a sidecar must have logged about a refused request, whose entry is found by its request id.

    Attributes:
        flags: Envoy's response flags, one of which must be there; empty for any.
        details: text that the response code details contain; empty for any.
    """

    proxy: Proxy
    flags: frozenset[str] = frozenset()
    details: str = ""


@dataclass(frozen=True)
class Case:
    """One parametrised execution of a control.

    Attributes:
        control: id from the catalogue (`LAB-MTLS-03`); title, polarity and twin come from there.
        probe: the request.
        expect: the pinned outcome in the stage's state.
        before: the outcome before the stage's change; None where the stage changes nothing for this request.
        twin: the probe of the opposite polarity, run in the same state through the same path; every denial has one.
        twin_expect: its outcome.
        logged: what a sidecar must have logged beside; None for nothing in particular.
        variant: tells several cases of one control apart (`expired`); empty where there is one.
    """

    control: str
    probe: Probe
    expect: Expectation
    before: Expectation | None = None
    twin: Probe | None = None
    twin_expect: Expectation | None = None
    logged: Logged | None = None
    variant: str = ""

    @property
    def id(self) -> str:
        """`LAB-JWT-04[expired]`: unique in a run."""
        return f"{self.control}[{self.variant}]" if self.variant else self.control
