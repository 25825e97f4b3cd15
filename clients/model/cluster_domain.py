"""DNS domain of a cluster: the end of its Services' full names (`httpbin.shop.svc.cluster.local`).

Manifests and suites write names in the domain that nearly every cluster has; what is sent to the cluster has its own
(Kubernetes, "DNS for Services and Pods"; kubelet's `--cluster-domain`). The trust domain, which many a cluster calls
the same (`cluster.local/ns/shop/sa/web`), is another thing, and stays.
"""

from __future__ import annotations

import re
from functools import lru_cache

DEFAULT = "cluster.local"
"""The domain that manifests and suites write."""
_SERVICES = ".svc."


def in_domain(text: str, domain: str) -> str:
    """Any text with the full names of Services as the cluster has them."""
    return text if domain == DEFAULT else _ends(DEFAULT).sub(lambda _: f"svc.{domain}", text)


def as_written(text: str, domain: str) -> str:
    """The reverse of `in_domain`, for any text from the cluster."""
    return text if domain == DEFAULT else _ends(domain).sub(lambda _: f"svc.{DEFAULT}", text)


def service_of(host: str) -> str:
    """`name.namespace` of a Service's full name, in whatever domain; empty for any other host."""
    name, services, _ = host.partition(_SERVICES)
    return name if services and name.count(".") == 1 else ""


def domain_of(host: str) -> str:
    """The domain of a full name: what follows `.svc.`; empty where nothing does."""
    return host.partition(_SERVICES)[2].strip(".")


@lru_cache(maxsize=8)
def _ends(domain: str) -> re.Pattern[str]:
    """Matches the end of full names in a domain; a full stop may follow, but no further label."""
    return re.compile(rf"(?<![\w-])svc\.{re.escape(domain)}(?![\w-]|\.[\w-])")
