"""Which cluster, by which identity: a kubeconfig and one of its contexts, or the service account of this pod."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config

from clients.kube.api import one_line
from clients.model.errors import ClusterError

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
"""Of a pod's service account (Kubernetes, Accessing the API from a Pod)."""


ATTEMPTS = 5
"""Each fails only if another variable goes in the microseconds that a copy of the environment takes."""


class KubeconfigConfiguration(client.Configuration):
    """The library's, which several threads may use while others change the environment.

    With a token, the library reads all variables before every request (for proxies), and fails with KeyError when one
    is removed meanwhile. pytest removes its own after every test.
    """

    def get_api_key_with_prefix(self, identifier: str, alias: str | None = None) -> Any:
        """As the library has it, again where the environment was changed meanwhile."""
        for _ in range(ATTEMPTS - 1):
            with suppress(KeyError):
                return super().get_api_key_with_prefix(identifier, alias)
        return super().get_api_key_with_prefix(identifier, alias)


def configuration(kubeconfig: Path | None, context: str | None) -> Any:
    """The client's configuration by a kubeconfig file (default: as kubectl finds it) and a context of it.

    In a pod without a kubeconfig, the pod's own service account is the identity.

    Raises:
        ClusterError: the file or the context cannot be used.
    """
    made: Any = KubeconfigConfiguration()
    file = str(kubeconfig) if kubeconfig else None
    load: Any = config.load_kube_config
    load_own: Any = config.load_incluster_config
    try:
        if in_pod() and not (file or context):
            load_own(client_configuration=made)
        else:
            load(file, context, client_configuration=made, persist_config=False)
    except (config.ConfigException, OSError, ValueError, TypeError) as error:
        hint = "name a file by --kubeconfig and a context by --context"
        raise ClusterError(f"{file or 'the kubeconfig'} cannot be used: {one_line(error)}", hint) from None
    made.retries = urllib3.Retry(total=1, backoff_factor=0.2)
    return made


def in_pod() -> bool:
    """Whether this process runs in a pod with a service account and has no kubeconfig (as kubectl decides it)."""
    given = os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser() if "HOME" in os.environ else "")
    if any(Path(path).is_file() for path in given.split(os.pathsep) if path):
        return False
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and Path(TOKEN).is_file()
