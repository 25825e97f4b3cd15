"""The request of a case as evidence keeps it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RequestRecord:
    """The request of a case, by the documents' names. Redacted.

    Attributes:
        method: its bytes as they are sent (`post` is not `POST`); empty for TCP and UDP.
        url: whole, as the suite states it; `path` is its path with the query.
        token: kind of the bearer token (`expired`), or each by issuer, claims and place; empty where none is sent.
        dial: whose address was dialled, or which one; empty for that of the URL's host.
        protocol: `HTTP/1.1`, `HTTP/2`, or `TCP` or `UDP` for what is no HTTP.
        headers: names and values, in addition to those that every probe has.
        body: of the request; the bytes themselves for raw TCP.
        impostor_of: namespace and name of the workload whose identity the client's foreign certificate claims, and
            ` in ` its trust domain where that is not the mesh's.
        tls_max: newest version of TLS that the client offers; empty for all that it knows.
    """

    method: str
    url: str
    path: str
    token: str = ""
    protocol: str = "HTTP/1.1"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    dial: str = ""
    impostor_of: str = ""
    tls_max: str = ""

    @property
    def line(self) -> str:
        """What distinguishes requests of one destination: `GET /ip`, `post /ip, HTTP/2, token: expired`."""
        what = f"{self.method} {self.path}" if self.method else "bytes"
        more = [f"at {self.dial}"] if self.dial else []
        more += [self.protocol] if self.protocol != "HTTP/1.1" else []
        more += [f"TLS {self.tls_max} at most"] if self.tls_max else []
        more += [f"as an impostor of {self.impostor_of}"] if self.impostor_of else []
        more += [f"body {self.body!r}"] if self.body else []
        more += [f"{name}: {value}" for name, value in self.headers]
        more += [f"token: {self.token}"] if self.token else []
        return ", ".join([what, *more])
