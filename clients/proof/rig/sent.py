"""A request in words, for reports."""

from __future__ import annotations

from clients.model.probe import Probe
from clients.model.redact import redact
from clients.probe.outside import OutsideClient


def sent(probe: Probe) -> str:
    """A request in words: `GET http://shop.example/ from outside/client by istio-ingressgateway, x-route: external`."""
    words = f"{probe.words} from {probe.source.namespace}/{probe.source.app}"
    if isinstance(probe.source, OutsideClient):
        words += f" by {probe.source.service or probe.source.gateway.app}"
    more = [f"{name}: {value}" for name, value in probe.headers]
    more += [f"token {probe.token_words}"] if probe.token_words else []
    return redact(", ".join([words, *more]))
