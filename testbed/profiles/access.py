"""How a run reaches a profile: a kubeconfig of the account with the shipped roles, and a file of settings."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from clients.model.errors import ClusterError
from testbed.profiles.profile import ProfileHosts, StartedCluster
from testbed.versions import HERE

ROLES = HERE.parent / "deploy" / "rbac" / "mesh-wide.yaml"
"""What a user applies; the roles confine a run without `--allow-mesh-wide` as the other file's do."""
KNOWN_FAILURES = HERE.parent / "suites" / "known-embedded.toml"
ACCOUNT = "meshproof"
"""Name of the account in that file, and of its namespace."""
TOKEN_LIFETIME = "240h"
KUBECONFIG, SETTINGS = "kubeconfig", "meshproof.toml"
FILES = (KUBECONFIG, SETTINGS)
WORK = "work"
PATIENCE_S = 30.0


def write(folder: Path, name: str, started: StartedCluster) -> tuple[Path, Path]:
    """Make the account, and write its kubeconfig and the settings; returns both files.

    Raises:
        ClusterError: the API server refused the roles or the token.
    """
    (folder / WORK).mkdir(parents=True, exist_ok=True)
    _kubectl(folder, started, "apply", "--server-side", "--force-conflicts", "--filename", str(ROLES))
    arguments = ("create", "token", ACCOUNT, "--namespace", ACCOUNT, "--duration", TOKEN_LIFETIME)
    token = _kubectl(folder, started, *arguments).strip()
    kubeconfig, settings = folder / KUBECONFIG, folder / SETTINGS
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(as_account(started.kubeconfig.read_text(), started.context or name, token))
    settings.write_text(settings_of(name, started))
    return kubeconfig, settings


def as_account(administrator: str, context: str, token: str) -> str:
    """The administrator's kubeconfig with this token in place of its user."""
    cluster = yaml.safe_load(administrator)["clusters"][0]["cluster"]
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": context, "user": {"token": token}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
    }
    return yaml.safe_dump(document, sort_keys=False)


def settings_of(name: str, started: StartedCluster) -> str:
    """The settings of a run, as TOML."""
    flat: dict[str, Any] = {}
    if started.istioctl:
        flat["istioctl"] = str(started.istioctl)
    flat |= {f"images.{logical}": image for logical, image in started.images.items()}
    flat |= _external(started.external) if started.external else {}
    flat |= started.settings
    lines = [f"# Settings of a run against the profile {name}: MESHPROOF_CONFIG names this file."]
    lines += [f"{key} = {json.dumps(value)}" for key, value in flat.items()]
    return "\n".join([*lines, "", *_KNOWN, *_known_failures()])


_KNOWN = (
    "# What the profile's mesh, which is built as the embedded one is, is known not to enforce: a run would else end",
    "# with exit code 1 (docs/known-failures.md). Each entry names what was seen, so that it excuses nothing else.",
)


def _known_failures() -> list[str]:
    """The embedded mesh's, without that list's comments, which are about the embedded target."""
    return [line for line in KNOWN_FAILURES.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def _external(external: ProfileHosts) -> Mapping[str, Any]:
    return {
        "external.roots": str(external.roots),
        "external.log": str(external.log),
        "external.google_apis": external.google_apis,
        "external.metadata_server": external.metadata_server,
        "external.ports": True,
        **{f'external.hosts."{name}"': address for name, address in external.hosts.items()},
        **{f'external.more."{name}"': list(addresses) for name, addresses in external.more.items()},
    }


def _kubectl(folder: Path, started: StartedCluster, *arguments: str) -> str:
    """Run kubectl as administrator, again while objects of a new cluster do not exist yet."""
    command = [str(started.kubectl), "--kubeconfig", str(started.kubeconfig)]
    command += ["--cache-dir", str(folder / WORK / "cache"), *arguments]
    deadline = time.monotonic() + PATIENCE_S
    while True:
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if not result.returncode:
            return result.stdout
        if time.monotonic() > deadline:
            words = " ".join(arguments[:2])
            raise ClusterError(f"kubectl {words} failed: {result.stderr.strip()[-300:]}", "see './meshproof logs'")
        time.sleep(0.5)
