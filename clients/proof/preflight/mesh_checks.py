"""Checks of the mesh: sidecars are injected, commands can be run, and a request goes from sidecar to sidecar."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping

from clients.kube.cluster import Cluster
from clients.kube.exec import exec_once
from clients.kube.pods import SIDECAR, Pod
from clients.mesh import sidecar
from clients.model.errors import InfrastructureError
from clients.proof.preflight.shown import CheckName, Tried

SENT_S, LOG_S = 30.0, 3.0
"""Limits for a request to be let through, and for a line of a log."""
POLL_S = 0.5
EXECS = 3
"""Tries to run a command: a connection may be lost."""
_REFUSED_HINT = (
    "see which policies of the root namespace apply to all namespaces (doctor --policies), and exempt namespaces with "
    "the label meshproof.dev/run from what puts policies into new ones"
)
_IMAGE_HINT = "images.sleep must have curl"


def injected(pods: Mapping[str, Pod]) -> Tried:
    """Whether the client and the server have a sidecar."""
    lacking = [name for name in ("client", "server") if not pods[name].injected]
    if not lacking:
        return Tried(CheckName.INJECTION, True, "pods get a sidecar")
    hint = "see the labels of the namespace that the injection webhook selects; --revision names one"
    return Tried(CheckName.INJECTION, False, f"{' and '.join(lacking)} got no sidecar", hint, needed=True, blocks=True)


def runs_curl(cluster: Cluster, client: Pod) -> Tried:
    """Whether a command can be run in a pod."""
    why = ""
    for again in range(EXECS):
        try:
            done = exec_once(cluster, client, "client", ["curl", "--version"], timeout_s=10.0)
        except InfrastructureError as error:
            why = error.message
            time.sleep(POLL_S if again + 1 < EXECS else 0.0)
            continue
        detail = " ".join(done.stdout.split()[:2]) or done.stderr[:200]
        return Tried(CheckName.EXEC, done.exit_code == 0, detail, _IMAGE_HINT, needed=True, blocks=True)
    return Tried(CheckName.EXEC, False, why, "allow pods/exec, and websockets on the way", needed=True, blocks=True)


def request_in_mesh(cluster: Cluster, namespace: str, pods: Mapping[str, Pod]) -> Tried:
    """A request from sidecar to sidecar, and what writes a line about it.

    Where it is not let through, no case can begin from the state that it states.
    """
    marker = f"mp-canary-{secrets.token_hex(6)}"
    url = f"http://server.{namespace}/status/200"
    seen = ""
    deadline = time.monotonic() + SENT_S
    while seen != "200" and time.monotonic() < deadline:
        seen = curl(cluster, pods["client"], "client", url, f"x-request-id: {marker}", "--user-agent", marker)
    if seen != "200":
        detail = f"from client to server: expected 200, saw {seen}"
        return Tried(CheckName.REQUEST, False, detail, _REFUSED_HINT, needed=True, blocks=True)
    places = [(pods["client"], SIDECAR), (pods["server"], SIDECAR), (pods["server"], "server")]
    deadline = time.monotonic() + LOG_S
    while True:
        logged = [(pod, container) for pod, container in places if _logs(cluster, pod, container, marker)]
        if len(logged) == len(places) or time.monotonic() >= deadline:
            break
        time.sleep(POLL_S)
    where = ", ".join(f"{pod.labels['app']}/{container}" for pod, container in logged)
    detail = f"200; logged by {where or 'none'}"
    hint = "turn on access logs (meshConfig.accessLogFile, or a Telemetry): without them proofs are of reduced grade"
    return Tried(CheckName.REQUEST, any(container == SIDECAR for _, container in logged), detail, hint)


def _logs(cluster: Cluster, pod: Pod, container: str, marker: str) -> bool:
    try:
        return any(marker in line for line in sidecar.log_lines(cluster, pod, container, since_s=60))
    except InfrastructureError:
        return False


def curl(cluster: Cluster, pod: Pod, container: str, url: str, header: str = "", *more: str) -> str:
    """The status, `000` without an answer; or why curl did not run."""
    words = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--connect-timeout", "1", "-m", "3"]
    words += ["-H", header] if header else []
    try:
        return exec_once(cluster, pod, container, [*words, *more, url], timeout_s=10.0).stdout.strip()
    except InfrastructureError as error:
        return error.message
