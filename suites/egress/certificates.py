"""The certificates that a client in a pod is shown."""

from __future__ import annotations

import hashlib
import re
import ssl

from clients.case import Workload
from clients.errors import InfrastructureError
from clients.exec import exec_once
from clients.world import World

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def chain(world: World, source: Workload, url: str) -> tuple[str, ...]:
    """SHA-256 fingerprints of the chain, the server's own first. The client verifies it by its own roots.

    Raises:
        InfrastructureError: curl did not run, or was shown none.
    """
    # `%{certs}` came with curl 7.88
    command = ["curl", "--disable", "--silent", "--max-time", "5", "--output", "/dev/null", "--write-out", "%{certs}"]
    result = exec_once(world.cluster, world.pods(source)[0], source.container, [*command, url])
    found = tuple(hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() for pem in _PEM.findall(result.stdout))
    if result.exit_code or not found:
        said = f"curl ended with {result.exit_code}: {result.stderr.strip()[:200]}"
        raise InfrastructureError(f"{source.namespace}/{source.app} was shown no certificate by {url}; {said}")
    return found
