"""Manifests as text: read as strictly as the API server would (template values known, keys unique, every object named).

Written so that kubectl takes them back as they were.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined, TemplateError, UndefinedError

from clients.model.errors import ManifestError

try:  # libyaml: a tenth of the processor time, above all at the start of each test process
    from yaml import CSafeDumper as _FastDumper
    from yaml import CSafeLoader as _FastLoader
except ImportError:  # PyYAML was built without it
    from yaml import SafeDumper as _FastDumper  # type: ignore[assignment]
    from yaml import SafeLoader as _FastLoader  # type: ignore[assignment]

Located = tuple[dict[str, Any], int]
"""An object and the line, from 1, where its document starts."""

# Only `{{ name }}` is a template: Jinja2's other delimiters also occur in manifests, for instance `{%REQ(:PATH)%}`
# in a log format.
_TEMPLATES = Environment(
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701 - YAML, not HTML
    keep_trailing_newline=True,
    block_start_string="<%meshproof",
    block_end_string="%>",
    comment_start_string="<#meshproof",
    comment_end_string="#>",
)


def render(text: str, source: str, values: Mapping[str, Any]) -> str:
    """`text` with each `{{ name }}` replaced; line numbers stay the same where values have one line.

    Raises:
        ManifestError: a value is unknown, or a template is not closed.
    """
    try:
        return _TEMPLATES.from_string(text).render(values)
    except UndefinedError as error:
        name = re.search(r"'(\w+)' is undefined", str(error))
        line = _line_of(text, name.group(1)) if name else 1
        raise ManifestError(f"{source}:{line}: template value: {error.message}", _known(values)) from None
    except TemplateError as error:
        raise ManifestError(f"{source}:{getattr(error, 'lineno', 1)}: template: {error.message}") from None


def load(text: str, source: str) -> Iterator[Located]:
    """The objects of a multi-document YAML text, in order; members of a `List` one by one. Empty documents are skipped.

    Raises:
        ManifestError: not YAML, a key twice, or an object without apiVersion, kind or name; with `source` and line.
    """
    try:
        for document, line in _documents(text):
            for obj in _members(document):
                _check(obj, source, line)
                yield obj, line
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ManifestError(f"{source}:{mark.line + 1 if mark else 1}: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ManifestError(f"{source}:{line}: {error.reason}") from None


def dump(objects: Iterable[Any], *, explicit_start: bool = False) -> str:
    """The objects as a multi-document YAML text that PyYAML and kubectl read alike."""
    return yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, explicit_start=explicit_start)


def _documents(text: str) -> Iterator[tuple[Any, int]]:
    loader = _Loader(text)
    while loader.check_node():
        node = loader.get_node()
        assert node is not None  # as `check_node` has checked
        yield loader.construct_document(node), node.start_mark.line + 1


class _Loader(_FastLoader):
    """Safe loader that refuses duplicate keys and reads no dates: Kubernetes has neither."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way
        first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in _FastLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(_FastDumper):
    """Safe dumper that quotes a text of the one letter y or n, which kubectl would take for a boolean (YAML 1.1)."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))


def _members(document: Any) -> list[Any]:
    if document is None:
        return []
    if isinstance(document, dict) and document.get("kind") == "List" and isinstance(document.get("items"), list):
        return list(document["items"])
    return [document]


def _check(obj: Any, source: str, line: int) -> None:
    if not isinstance(obj, dict):
        raise ManifestError(f"{source}:{line}: not a Kubernetes object: {str(obj)[:60]!r}")
    metadata = obj.get("metadata")
    found = {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "metadata.name": metadata.get("name") if isinstance(metadata, dict) else None,
    }
    for field, value in found.items():
        if not isinstance(value, str) or not value:
            raise ManifestError(f"{source}:{line}: object without {field}")


def _line_of(text: str, name: str) -> int:
    lines = text.splitlines()
    return next((n for n, line in enumerate(lines, 1) if re.search(rf"{{{{.*\b{name}\b", line)), 1)


def _known(values: Mapping[str, Any]) -> str:
    return f"known values: {', '.join(sorted(values)) or 'none'}"
