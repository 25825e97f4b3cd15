"""The files of KUBECONFIG as kubectl merges them: the client library differs in what it takes from which file.

Source: Kubernetes, "Organizing Cluster Access Using kubeconfig Files" (merging kubeconfig files, file references), and
client-go's loader.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from kubernetes import config
from kubernetes.config import kube_config

_PATHS = {"clusters": ("certificate-authority",), "users": ("client-certificate", "client-key", "tokenFile")}
"""Fields of entries that name a file, relative to the kubeconfig that has them."""
_ENTRY = {"clusters": "cluster", "users": "user", "contexts": "context"}


def merged(file: str | None) -> Any:
    """A kubeconfig, or the files of KUBECONFIG, as the client library's `ConfigNode`.

    The first file that states a current context decides, and of entries of one name the first. Files that are not there
    or empty are left out.

    Raises:
        ConfigException: there is none, or what the client library and the parser of YAML raise for a wrong one.
    """
    node: Any = kube_config.ConfigNode
    parts: dict[str, Any] = {name: [] for name in _ENTRY}
    stated = first = ""
    listed = _listed(file)
    files = [path for path in listed if path.exists()]
    for path in files:
        found = _read(path)
        if found is None:
            continue
        first = first or str(path)
        stated = stated or found.get("current-context") or ""
        for name, kind in _ENTRY.items():
            known = {one.value.get("name") for one in parts[name]}
            entries = [_with_paths(name, kind, one, path.parent) for one in found.get(name) or ()]
            parts[name] += [node(f"{path}/{name}", one, str(path)) for one in entries if one.get("name") not in known]
    if not first:
        raise config.ConfigException("it is empty" if files else _not_there(listed, named=bool(file)))
    return node(first, {**parts, **({"current-context": stated} if stated else {})}, first)


def _listed(file: str | None) -> list[Path]:
    listed = [file] if file else kube_config.KUBE_CONFIG_DEFAULT_LOCATION.split(os.pathsep)
    return [_in_home(Path(one)).absolute() for one in listed if one]


def _not_there(listed: list[Path], *, named: bool) -> str:
    """Which files were looked for, and who named them."""
    if named:
        return "there is no such file"
    names = " nor ".join(map(str, listed))
    return f"there is no file {names}" + (", which KUBECONFIG names" if os.environ.get("KUBECONFIG") else "")


def _in_home(path: Path) -> Path:
    """With the folder of the user for `~`; as it is where this user has none, as in a container."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _read(path: Path) -> dict[str, Any] | None:
    """The content of a file; None where it is empty."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    if found is None:
        return None
    if not isinstance(found, dict):
        raise TypeError(f"{path} holds no mapping")
    return found


def _with_paths(name: str, kind: str, entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The entry without fields that state nothing, with absolute paths, and with a token's file for the token.

    An empty proxy, for instance, would hide that of the environment; a token next to its file may be an older one.
    """
    if not isinstance(entry.get(kind), dict):
        return entry
    body = {field: value for field, value in entry[kind].items() if value != ""}
    for field in _PATHS.get(name, ()):
        if field in body:
            body[field] = str(folder / str(body[field]))
    if "tokenFile" in body:
        body.pop("token", None)
    return {**entry, kind: body}
