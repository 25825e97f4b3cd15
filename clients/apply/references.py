"""Where an object refers to a namespace: its fields, and the texts that hold hosts and identities."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from clients.apply.yaml_text import load

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
NAMESPACE_KEYS = frozenset({"namespace", "namespaces", "notNamespaces", "exportTo", NAMESPACE_NAME_LABEL})
"""Fields whose strings are namespaces: subjects, authorization sources, exportTo, selectors by name."""
QUALIFIED_KEYS = frozenset({"hosts", "gateways", "serviceAccounts", "notServiceAccounts"})
"""Fields whose strings may be `namespace/name`: Sidecar and Gateway hosts, VirtualService gateways, accounts."""
CONDITION_KEYS = frozenset({"source.namespace", NAMESPACE_NAME_LABEL})
"""`key` of an AuthorizationPolicy condition or of a label expression whose `values` are namespaces."""
VALUES_KEYS = frozenset({"values", "notValues"})


def namespaces_in(manifests: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Names of the Namespace objects in (source, text) pairs, for `Overlay.namespaces`. Templates are not rendered.

    Raises:
        ManifestError: a text is not a valid manifest.
    """
    objects = (obj for source, text in manifests for obj, _ in load(text, source))
    return frozenset(str(obj["metadata"]["name"]) for obj in objects if obj["kind"] == "Namespace")


@lru_cache(maxsize=8)
def references(namespaces: frozenset[str]) -> re.Pattern[str]:
    """Matches the text before a known namespace where a string refers to one.

    Hosts: `name.NS`, and `any.thing.NS.svc[.cluster.local]`, also with `*`. Identities: `ns/NS/sa/…`, with or
    without trust domain and `spiffe://` (Istio, AuthorizationPolicy principals).
    """
    names = "|".join(map(re.escape, sorted(namespaces)))
    label = r"(?:\*|[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)"
    end = r"(?![\w-]|\.[\w-])"  # no further label; a full stop may follow
    return re.compile(
        rf"(?<![\w.*-])(?:(?:{label}\.)+({names})(?=\.svc(?:\.cluster\.local)?{end})"
        rf"|{label}\.({names}){end}|(?<![^\s/\"'])ns/({names})(?=/|$))"
    )
