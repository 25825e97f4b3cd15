"""The request that carries a probe: the run's own names, tokens, an id of its own, and the user agent."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator

from clients.apply.overlay import Overlay
from clients.identity.tokens import TokenIssuer
from clients.kube.pods import Pod
from clients.mesh.external_hosts import ExternalHosts
from clients.model.addresses import joined, split, with_host
from clients.model.probe import REQUEST_ID, Dial, Probe
from clients.probe import ordinary, outside
from clients.probe.request import Request
from clients.proof.rig.impostors import Impostors
from clients.proof.rig.workloads import Workloads


class RequestMaker:
    """For several threads.

    Args:
        external: hosts outside the cluster; None where there are none.
        timeout_s: for the whole transfer, of probes that state none, in seconds.

    Attributes:
        made_at: id of every request so far → when it was made, in monotonic seconds.
    """

    def __init__(
        self,
        overlay: Overlay,
        tokens: TokenIssuer,
        workloads: Workloads,
        impostors: Impostors,
        external: ExternalHosts | None,
        timeout_s: float,
    ) -> None:
        self.made_at: dict[str, float] = {}
        self._overlay = overlay
        self._tokens = tokens
        self._workloads = workloads
        self._impostors = impostors
        self._external = external
        self._probe_timeout_s = timeout_s
        self._agents: dict[Probe, Iterator[str]] = {}
        self._lock = threading.Lock()  # of the user agents

    def request_for(self, probe: Probe, control: str, pod: Pod | None = None, *, like_a_users: bool = False) -> Request:
        """The request that carries the probe, with a fresh request id; to a pod, where the probe dials one.

        The id is not a 36-character UUID, one digit of which Envoy rewrites to keep its sampling decision, unless it
        has to be like a user's (see `clients.probe.ordinary`).

        Raises:
            InfrastructureError: its client should show a certificate, and whose is not known.
        """
        request_id = ordinary.new_id() if like_a_users else f"mp-{self._overlay.run}-{secrets.token_hex(6)}"
        self.made_at[request_id] = time.monotonic()
        headers, url = probe.headers, self._overlay.url(probe.url)
        connect_to = self._connect_to(self._workloads.named(probe.resolve))
        if pod and probe.dial is Dial.POD:
            url = with_host(url, pod.ip)
        elif pod:
            connect_to = joined(pod.ip, outside.port_of(url))
        for token in probe.all_tokens:
            sent = token.place.format(self._tokens.token(token))
            name, _, value = sent.partition(": ")
            if token.in_url:
                url += f"&{sent[1:]}" if "?" in url else sent
            else:
                headers = (*headers, (name, value))
        agent = self._users_agent(probe) if like_a_users else f"meshproof/{control} {request_id}"
        if like_a_users:
            headers = (*headers, *ordinary.headers(agent, {name.lower() for name, _ in headers}))
        return Request(
            method=probe.method,
            url=url,
            headers=headers,
            request_id=request_id,
            user_agent=agent,
            timeout_s=probe.timeout_s or self._probe_timeout_s,
            connect_timeout_s=probe.timeout_s or min(2.0, self._probe_timeout_s),
            connect_to=connect_to,
            insecure=probe.insecure,
            http2=probe.http2,
            body=probe.body.replace(REQUEST_ID, request_id),
            ordinary=like_a_users,
            tls_max=probe.tls_max,
            certificate=self._impostors.certificate(probe),
        )

    def _users_agent(self, probe: Probe) -> str:
        """The user agent of an ordinary probe, all in turn for each request; a browser makes no calls of gRPC."""
        with self._lock:
            return next(self._agents.setdefault(probe, ordinary.agents())) if probe.url.startswith("http") else ""

    def _connect_to(self, address: str) -> str:
        """`host:port` to dial: an external host by its address, without any name server; else by its name."""
        host, port = split(address)
        known = self._external.hosts.get(host, "") if self._external else ""
        return joined(known, port) if known else self._overlay.host(address.removeprefix("open."))
