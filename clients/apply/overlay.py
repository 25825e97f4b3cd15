"""Adapts manifests to one run: prefixed namespaces, run labels, images, revision and template values.

Pure functions. A manifest uses the documents' names and is valid for kubectl without changes; only this module knows
which names they have on the cluster.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clients.apply.fitting import Fitting, known_as
from clients.apply.references import CONDITION_KEYS, NAMESPACE_KEYS, QUALIFIED_KEYS, VALUES_KEYS, references
from clients.apply.yaml_text import load, render
from clients.kube.labels import MANAGED_BY_LABEL, MANAGER, REVISION_LABEL, RUN_LABEL, WORKER_LABEL
from clients.model import cluster_domain
from clients.model.errors import ManifestError, SettingsError

MESH_NAMESPACE = "istio-system"
"""Root namespace of the mesh in the manifests; objects in it are mesh-wide."""

IMAGE_PREFIX = "meshproof/"
INJECTION_LABEL = "istio-injection"

_MAX_NAME = 63
"""Longest namespace name and label value (RFC 1123 label)."""

_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"([a-z0-9][a-z0-9-]*)?")


_WORKLOADS = frozenset({"v1", "apps/v1", "batch/v1"})
"""API groups of the objects that a workload consists of: Deployment, Job, Service, ServiceAccount, ConfigMap."""

_KEY_FIELDS = frozenset({"jwks", "jwksUri"})
"""Fields of a RequestAuthentication's rule that hold an issuer's keys, or their address."""


@dataclass(frozen=True)
class Overlay:
    """Translates names of the documents (`mtls-client`) into names of one worker of one run (`w0-mtls-client`).

    Attributes:
        prefix: put before the name of every known namespace, for instance `w0-`; may be empty.
        run: id of the run, a valid label value.
        worker: id of the worker, a valid label value.
        images: logical name (`sleep`) to image reference; manifests say `image: meshproof/sleep`.
        revision: mesh revision for `istio.io/rev`; empty keeps `istio-injection: enabled`.
        values: template values, for instance `jwks` for `{{ jwks }}`, or of a mapping `{{ jwks_of.people }}`.
        namespaces: the namespaces that the manifests define (see `namespaces_in`); only these are prefixed.
        root: the root namespace by its real name.
        given: a namespace of the manifests to the user's own namespace that replaces it: neither it nor its workloads
            are created, but configuration in it is.
        keys: a real issuer to the fields of a RequestAuthentication's rule for its keys (`jwksUri` or `jwks`; none: the
            mesh asks the issuer), which replace the run's own keys.
        fitting: what the cluster demands of every object.
        domain: of the cluster, in the full names of Services (`clients.model.cluster_domain`).

    Raises:
        SettingsError: the prefix, run, worker or revision cannot be part of a name or label.
    """

    prefix: str
    run: str
    worker: str
    images: Mapping[str, str]
    revision: str
    values: Mapping[str, str | Mapping[str, str]]
    namespaces: frozenset[str]
    root: str = MESH_NAMESPACE
    given: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    fitting: Fitting = field(default_factory=Fitting)
    domain: str = cluster_domain.DEFAULT

    def __post_init__(self) -> None:
        labels = {"run id": self.run, "worker id": self.worker}
        for name, value in (labels | {"revision": self.revision} if self.revision else labels).items():
            if not _LABEL_VALUE.fullmatch(value):
                raise SettingsError(f"{name} {value!r} is not a label value", "use letters, digits, '-', '_' and '.'")
        longest = max(map(len, self.namespaces), default=0)
        if not _PREFIX.fullmatch(self.prefix) or len(self.prefix) + longest > _MAX_NAME:
            limit = _MAX_NAME - longest
            raise SettingsError(
                f"prefix {self.prefix!r} cannot begin a namespace",
                f"use at most {limit} small letters, digits and '-', beginning with a letter or digit",
            )

    @property
    def labels(self) -> dict[str, str]:
        """Those of every object that this worker creates."""
        return {MANAGED_BY_LABEL: MANAGER, RUN_LABEL: self.run, WORKER_LABEL: self.worker}

    def namespace(self, name: str) -> str:
        """`mtls-client` to `<prefix>mtls-client`; a namespace that no manifest defines stays as it is."""
        if name in self.given:
            return self.given[name]
        return f"{self.prefix}{name}" if name in self.namespaces else name

    def host(self, host: str) -> str:
        """`httpbin.mtls-service[.svc[.cluster.local]][:port]` with the namespace prefixed, in the cluster's domain.

        Other hosts stay as they are.
        """
        return self._in_text(host)

    def url(self, url: str) -> str:
        """`url` (with a scheme) with its host translated by `host`; path and query stay."""
        # Not by `urlsplit`: it would normalise a path that a control sends unnormalised on purpose.
        scheme, separator, rest = url.partition("://")
        host = re.split(r"[/?#]", rest, maxsplit=1)[0]
        return f"{scheme}{separator}{self.host(host)}{rest[len(host) :]}"

    def plain(self, text: str) -> str:
        """The reverse of `host`, for any text from the mesh: the run's names become those of the documents."""
        for real, name in self._reals:
            if real in text:
                text = re.sub(rf"(?<![\w-]){re.escape(real)}(?![\w-])", name, text)
        return cluster_domain.as_written(text, self.domain)

    @property
    def _reals(self) -> list[tuple[str, str]]:
        named = ((self.namespace(name), name) for name in self.namespaces)
        return sorted(((real, name) for real, name in named if real != name), key=lambda pair: -len(pair[0]))

    def objects(self, text: str, source: str) -> list[dict[str, Any]]:
        """The objects of a multi-document YAML text, in its order, ready to apply.

        Args:
            text: the manifest.
            source: where the text is from, for errors (`lab/strict.yaml`).

        Raises:
            ManifestError: not YAML, a key twice, an unknown template value, image or namespace; with `source` and line.
        """
        rendered = render(text, source, self.values)
        made = []
        for obj, line in load(rendered, source):
            if self._is_given(obj):
                continue
            fitted = self.fitting.fit(self._object(obj, f"{source}:{line}"), known_as(obj))
            made += [*self.fitting.before(fitted, self.labels), fitted]
            if obj["kind"] == "Namespace":  # at once: no pod may be there before it
                made += self.fitting.of_namespace(made[-1]["metadata"]["name"], self.labels)
        return made

    def _is_given(self, obj: dict[str, Any]) -> bool:
        """Whether it is the user's own: a given namespace, or a workload in it."""
        meta = obj["metadata"]
        home = meta["name"] if obj["kind"] == "Namespace" else meta.get("namespace", "")
        return home in self.given and (obj["kind"] == "Namespace" or obj["apiVersion"] in _WORKLOADS)

    def _object(self, obj: dict[str, Any], place: str) -> dict[str, Any]:
        rest = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "metadata")}
        head = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": self._metadata(obj, place)}
        made = {**head, **{key: self._translate(value, key, place) for key, value in rest.items()}}
        if obj["kind"] == "RequestAuthentication" and self.keys:
            self._trust(obj["spec"].get("jwtRules", ()), made["spec"].get("jwtRules", ()))
        return made

    def _trust(self, stated: Iterable[dict[str, Any]], made: Iterable[dict[str, Any]]) -> None:
        """Give rules of a real issuer its own name, untranslated, and its own keys."""
        for rule, real in zip(stated, made, strict=True):
            if rule.get("issuer") in self.keys:
                for name in _KEY_FIELDS:
                    real.pop(name, None)
                real |= {"issuer": rule["issuer"], **self.keys[rule["issuer"]]}

    def _metadata(self, obj: dict[str, Any], place: str) -> dict[str, Any]:
        metadata: dict[str, Any] = dict(obj["metadata"])
        labels: dict[str, Any] = dict(metadata.get("labels") or {})
        if obj["kind"] == "Namespace":
            metadata["name"] = self.namespace(metadata["name"])
            if self.revision and labels.get(INJECTION_LABEL) == "enabled":
                del labels[INJECTION_LABEL]
                labels[REVISION_LABEL] = self.revision
        elif "namespace" in metadata:
            metadata["namespace"] = self._home(metadata["namespace"], obj, place)
        labels |= self.labels
        return {**metadata, "labels": labels}

    def _home(self, name: str, obj: dict[str, Any], place: str) -> str:
        if name == MESH_NAMESPACE:
            return self.root
        if name in self.namespaces:
            return self.namespace(name)
        close = difflib.get_close_matches(str(name), [*self.namespaces, MESH_NAMESPACE], 1)
        raise ManifestError(
            f"{place}: {obj['kind']} {obj['metadata']['name']} is in namespace {name!r}, which no manifest defines",
            f"did you mean {close[0]!r}?" if close else "add its Namespace to the environment",
        )

    def _translate(self, value: Any, key: str, place: str) -> Any:
        if isinstance(value, dict):
            condition = value.get("key") if isinstance(value.get("key"), str) else None
            by_condition = VALUES_KEYS if condition in CONDITION_KEYS else frozenset()
            return {
                name: self._translate(item, "namespaces" if name in by_condition else str(name), place)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self._translate(item, key, place) for item in value]
        return self._string(value, key, place) if isinstance(value, str) else value

    def _string(self, text: str, key: str, place: str) -> str:
        if key == "image" and text.startswith(IMAGE_PREFIX):
            return self._image(text.removeprefix(IMAGE_PREFIX), place)
        if key in NAMESPACE_KEYS:
            return self._pattern(text)
        head, slash, tail = text.partition("/")
        if key in QUALIFIED_KEYS and slash and head in self.namespaces:
            return f"{self.namespace(head)}/{self._in_text(tail)}"
        return self._in_text(text)

    def _pattern(self, text: str) -> str:
        """A namespace, or the beginning of one (`team-*`) when a known namespace begins so."""
        stem = text.removesuffix("*")
        known = text.endswith("*") and stem and any(name.startswith(stem) for name in self.namespaces)
        return f"{self.prefix}{text}" if known else self.namespace(text)

    def _in_text(self, text: str) -> str:
        """Prefixes the known namespaces in service hosts and workload identities anywhere in `text`."""
        named = references(self.namespaces).sub(self._renamed, text) if self.namespaces else text
        return cluster_domain.in_domain(named, self.domain)

    def _renamed(self, match: re.Match[str]) -> str:
        name = next(group for group in match.groups() if group)
        return match.group().removesuffix(name) + self.namespace(name)

    def _image(self, name: str, place: str) -> str:
        if name not in self.images:
            known = ", ".join(sorted(self.images)) or "none"
            raise ManifestError(f"{place}: no image for {IMAGE_PREFIX}{name}", f"known images: {known}")
        return self.images[name]
