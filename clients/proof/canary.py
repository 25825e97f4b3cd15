"""What a cluster does, found out by trying it, in a namespace of its own: one line each, with what to do.

A client and a server with sidecars and a pair without, a network policy that denies one of them, and a Service that
asks for a load balancer. It takes some seconds; where addresses or images are slow, up to its time limits.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from clients.apply.applier import Applier
from clients.apply.item import Item
from clients.kube.cluster import Cluster
from clients.kube.exec import exec_once
from clients.kube.pods import SIDECAR, Pod
from clients.mesh import sidecar
from clients.model.errors import ClusterError, InfrastructureError, MeshproofError
from clients.probe import outside
from clients.probe.request import Request
from clients.probe.way_in import WaysIn, addresses, node_addresses

HOME = "canary"
PAIRS, DENY, IMAGES = "canary/1-pairs.yaml", "canary/deny/plain.yaml", "canary/images/all.yaml"
START_S, ADDRESS_S, ENFORCED_S, IMAGES_S, LOG_S = 60.0, 45.0, 10.0, 60.0, 3.0
"""Limits for pods to start, a load balancer's address, a network policy, the pull of all images, a line of a log."""
SILENT = 2
"""Requests in a row without an answer that show a denial."""
SKEW_S = 5.0
"""Clocks that differ by more confuse times in tokens and in logs."""
_POLL_S = 0.5


@dataclass(frozen=True)
class Tried:
    """One thing that was tried.

    Attributes:
        needed: a run is of little use without it.
    """

    name: str
    ok: bool
    detail: str
    hint: str = ""
    needed: bool = False


@dataclass(frozen=True)
class Shown:
    """What all of it has shown; None and empty where it was not found out.

    Attributes:
        outside_address: this machine's, as a pod behind a gateway's Service sees it.
    """

    lines: tuple[Tried, ...] = ()
    network_policy: bool | None = None
    load_balancer: bool | None = None
    client_address: bool | None = None
    outside_address: str = ""


@dataclass
class Canary:
    """Deploys it, looks, and removes it. Never raises for what the cluster does.

    Args:
        applier: with an overlay that has images, labels and the revision of the run, and with `START_S` as its limit.
        namespace: real name of `HOME`.
    """

    cluster: Cluster
    applier: Applier
    namespace: str
    ways_in: WaysIn
    _shown: Shown = field(default_factory=Shown)
    _items: list[Item] = field(default_factory=list)
    _admitted_at: float = 0.0
    _gone: Callable[[], None] | None = None

    def look(self, *, images: bool = False) -> Shown:
        """Deploy it and try everything, then ask for its removal; `images` pulls all of them."""
        try:
            for line in self._steps(images=images):
                self._shown = replace(self._shown, lines=(*self._shown.lines, line))
        finally:
            if self._items:
                self._gone = self.applier.ask_to_delete(self._items)
        return self._shown

    def wait_gone(self) -> None:
        """Wait until it is removed.

        Raises:
            ClusterError: it could not be removed.
        """
        gone, self._gone = self._gone, None
        if gone:
            gone()

    def _steps(self, *, images: bool) -> Iterator[Tried]:
        yield self._clock()
        yield self._nodes()
        admitted = self._admit()
        yield admitted
        if not admitted.ok:
            return
        pods: dict[str, Pod] = {}
        yield self._start(pods)
        if images:
            yield self._pulls()
        if "client" not in pods or "server" not in pods:
            return
        yield self._injected(pods)
        yield self._exec(pods)
        if SIDECAR in pods["client"].containers:
            yield self._in_mesh(pods)
        if "outsider" in pods and "plain" in pods:
            yield self._balanced()
            yield self._way_in()
            yield self._network_policy(pods)  # the last, as it shuts the way in

    def _clock(self) -> Tried:
        before = time.time()
        try:
            skew = self.cluster.api.time() - (before + time.time()) / 2
        except MeshproofError as error:
            return Tried("clock", False, error.message)
        hint = "set the clocks by NTP: tokens and certificates have times"
        return Tried("clock", abs(skew) <= SKEW_S, f"the API server's differs by {abs(skew):.0f} s", hint)

    def _nodes(self) -> Tried:
        try:
            nodes = self.cluster.objects("v1", "Node")
        except ClusterError as error:
            return Tried("nodes", False, f"not known: {error.message}", "let the identity list nodes")
        found = sorted({node.get("status", {}).get("nodeInfo", {}).get("architecture", "?") for node in nodes})
        hint = "choose nodes of one by pods.node_selector: images may not exist for all"
        return Tried("nodes", len(found) == 1, f"{len(nodes)}, of {' and '.join(found)}", hint)

    def _admit(self) -> Tried:
        try:
            items = self.applier.load([PAIRS])
            self.applier.check(items)
            self._items = items
            self.applier.apply(items)
            self._admitted_at = time.monotonic()
        except MeshproofError as error:
            return Tried("admission", False, error.message, error.hint or ADMISSION_HINT, needed=True)
        return Tried("admission", True, "a namespace with workloads is accepted")

    def _start(self, pods: dict[str, Pod]) -> Tried:
        """Fills `pods` with what is ready, by app."""
        began, why = time.monotonic(), ""
        try:
            self.applier.wait_ready([item for item in self._items if item.kind == "Deployment"])
        except MeshproofError as error:
            why = error.message
        try:
            pods |= {pod.labels.get("app", ""): pod for pod in self.cluster.pods(self.namespace) if pod.ready}
        except ClusterError as error:
            why = why or error.message
        took = f"all ready after {time.monotonic() - began:.0f} s"
        return Tried("workloads", not why, why or took, "see the events of its pods; ready_s is a setting", needed=True)

    def _pulls(self) -> Tried:
        hint = "image_prefix names a mirror, pods.pull_secret a Secret for it, images.<name> another image"
        try:
            items = self.applier.load([IMAGES])
            self._items += items
            self.applier.apply(items)
            deadline = time.monotonic() + IMAGES_S
            while waiting := self._not_pulled(items[0].name):
                if time.monotonic() >= deadline or any(reason for reason in waiting.values()):
                    break
                time.sleep(_POLL_S)
        except MeshproofError as error:
            return Tried("images", False, error.message, hint)
        if not waiting:
            return Tried("images", True, "all of them can be pulled")
        listed = "; ".join(f"{name}: {reason or 'not yet pulled'}" for name, reason in sorted(waiting.items()))
        return Tried("images", False, listed[:600], hint)

    def _not_pulled(self, name: str) -> dict[str, str]:
        """Container → why its image could not be pulled, empty where that is still to come; of those that lack it."""
        pod = self.cluster.get("v1", "Pod", name, self.namespace) or {}
        containers = {one["name"] for one in pod.get("spec", {}).get("containers", ())}
        pulled, failed = set(), {}
        for one in pod.get("status", {}).get("containerStatuses") or ():
            waiting = one.get("state", {}).get("waiting") or {}
            reason = waiting.get("reason", "")
            if reason.startswith(("ErrImage", "ImagePull", "InvalidImage", "ErrPull")):
                failed[one["name"]] = f"{reason} {waiting.get('message', '')}".strip()[:160]
            elif one.get("imageID") or one.get("state", {}).get("terminated") or reason.endswith("Error"):
                pulled.add(one["name"])
        return {name: failed.get(name, "") for name in containers - pulled}

    def _injected(self, pods: dict[str, Pod]) -> Tried:
        lacking = [name for name in ("client", "server") if not pods[name].injected]
        if not lacking:
            return Tried("injection", True, "pods get a sidecar")
        hint = "see the labels of the namespace that the injection webhook selects; --revision names one"
        return Tried("injection", False, f"{' and '.join(lacking)} got no sidecar", hint, needed=True)

    def _exec(self, pods: dict[str, Pod]) -> Tried:
        try:
            done = exec_once(self.cluster, pods["client"], "client", ["curl", "--version"], timeout_s=10.0)
        except InfrastructureError as error:
            return Tried("exec", False, error.message, "allow pods/exec, and websockets on the way", needed=True)
        return Tried("exec", done.exit_code == 0, " ".join(done.stdout.split()[:2]) or done.stderr[:200], needed=True)

    def _in_mesh(self, pods: dict[str, Pod]) -> Tried:
        """A request from sidecar to sidecar, and what writes a line about it."""
        marker = f"mp-canary-{secrets.token_hex(6)}"
        url = f"http://server.{self.namespace}/status/200"
        seen = ""
        deadline = time.monotonic() + ENFORCED_S
        while seen != "200" and time.monotonic() < deadline:
            seen = self._curl(pods["client"], "client", url, f"x-request-id: {marker}", "--user-agent", marker)
        if seen != "200":
            hint = "see which policies of the root namespace apply to all namespaces: doctor --policies"
            return Tried("request in the mesh", False, f"from client to server: expected 200, saw {seen}", hint)
        places = [(pods["client"], SIDECAR), (pods["server"], SIDECAR), (pods["server"], "server")]
        deadline = time.monotonic() + LOG_S
        while True:
            logged = [
                f"{pod.labels['app']}/{container}" for pod, container in places if self._logs(pod, container, marker)
            ]
            if len(logged) == len(places) or time.monotonic() >= deadline:
                break
            time.sleep(_POLL_S)
        detail = f"200; logged by {', '.join(logged) or 'none'}"
        hint = (
            "turn on access logs (meshConfig.accessLogFile, or a Telemetry): without them proofs are of reduced grade"
        )
        return Tried("request in the mesh", any(SIDECAR in one for one in logged), detail, hint)

    def _logs(self, pod: Pod, container: str, marker: str) -> bool:
        try:
            return any(marker in line for line in sidecar.log_lines(self.cluster, pod, container, since_s=60))
        except InfrastructureError:
            return False

    def _balanced(self) -> Tried:
        """Whether a Service gets an address, and whether that answers."""
        deadline = self._admitted_at + ADDRESS_S
        given: list[str] = []
        hint = "gateways are reached by node ports or forwarded ports instead; [ingress] has addresses and annotations"
        while not given and time.monotonic() < deadline:
            try:
                given = addresses(self.cluster.get("v1", "Service", "door", self.namespace) or {})
            except ClusterError as error:
                return Tried("load balancer", False, error.message, hint)
            time.sleep(0.0 if given else _POLL_S)
        self._shown = replace(self._shown, load_balancer=bool(given))
        if not given:
            return Tried("load balancer", False, f"no address within {ADDRESS_S:g} s", hint)
        while not (answered := any(self.ways_in.answers(host, 80) for host in given)) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        detail = f"{given[0]} {'answers' if answered else 'does not answer'}"
        return Tried("load balancer", answered, detail, hint)

    def _way_in(self) -> Tried:
        """What a server sees as the address of a client outside, several times."""
        hint = "set [ingress.<gateway>] address, or allow the identity to list nodes and to forward ports"
        request = Request("GET", "http://door.canary/ip", (), "mp-canary", "meshproof/canary")
        try:
            to = self.ways_in.find("door", self.namespace, 80)
        except InfrastructureError as error:
            return Tried("way in", False, error.message, hint)
        outcomes = outside.send([request] * 4, to)
        if wrong := [one.summary for one in outcomes if one.status != 200]:
            return Tried("way in", False, f"expected 200 at {to[0]}:{to[1]}, saw {wrong[0]}", hint)
        seen = {origin(one.body) for one in outcomes}
        own = {one.local_address.rpartition(":")[0].strip("[]") for one in outcomes}
        hidden = seen & self._inside() - own
        fine = len(seen) == 1 and not hidden and "127.0.0.1" not in seen and "" not in seen
        self._shown = replace(self._shown, client_address=fine, outside_address=min(seen) if fine else "")
        detail = f"{to[0]}:{to[1]}, where this machine is seen as {', '.join(sorted(seen))}"
        return Tried("way in", fine, detail, "the path hides the client's address; controls that need it are skipped")

    def _inside(self) -> set[str]:
        """Addresses of nodes: one of them in place of the client's means that it was translated."""
        try:
            return set(node_addresses(self.cluster.objects("v1", "Node"), set(), only=False))
        except ClusterError:
            return set()

    def _network_policy(self, pods: dict[str, Pod]) -> Tried:
        url = f"http://{pods['plain'].ip}:8080/status/200"
        before = self._curl(pods["outsider"], "outsider", url)
        if before != "200":
            hint = "let namespaces with the label meshproof.dev/run talk among themselves, or choose namespaces.labels"
            return Tried("network policies", False, f"without any of ours: expected 200, saw {before}", hint)
        items = self.applier.load([DENY])
        try:
            self._items += items
            self.applier.apply(items)
        except MeshproofError as error:
            return Tried("network policies", False, error.message)
        found, seen = enforced(lambda: self._curl(pods["outsider"], "outsider", url))
        self._shown = replace(self._shown, network_policy=found)
        if found is None:
            return Tried("network policies", False, f"a denied request: expected 000 or 200, saw {seen}")
        hint = "controls of network policies are skipped; Calico, Cilium and others enforce them"
        detail = "a denied request got no answer" if found else f"a denied request got {seen}"
        return Tried("network policies", found, detail, hint)

    def _curl(self, pod: Pod, container: str, url: str, header: str = "", *more: str) -> str:
        """The status, `000` without an answer; or why curl did not run."""
        words = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--connect-timeout", "1", "-m", "3"]
        words += ["-H", header] if header else []
        try:
            return exec_once(self.cluster, pod, container, [*words, *more, url], timeout_s=10.0).stdout.strip()
        except InfrastructureError as error:
            return error.message


ADMISSION_HINT = "see what admission policies demand; [namespaces] and [pods] set labels, resources and more"


def enforced(ask: Callable[[], str]) -> tuple[bool | None, str]:
    """Whether a denied request stays without an answer, and what was seen last; None where the probe did not run.

    Args:
        ask: sends it; `000` is no answer, as curl prints it.
    """
    deadline, seen, row = time.monotonic() + ENFORCED_S, "", 0
    while row < SILENT and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        seen = ask()
        row = row + 1 if seen == "000" else 0
    return {"000": row == SILENT or None, "200": False}.get(seen), seen


def origin(body: str) -> str:
    """The address in the answer of httpbin's `/ip`, without a port; empty where there is none."""
    try:
        stated = str(json.loads(body)["origin"])
    except (ValueError, KeyError, TypeError):
        return ""
    host, _, port = stated.rpartition(":")
    return host if port.isdigit() and "." in host else stated
