"""Which cluster, by which identity: a kubeconfig and one of its contexts, or the service account of this pod."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.config import kube_config

from clients.kube import login
from clients.kube.merged import merged
from clients.kube.no_answer import one_line
from clients.kube.renewal import Renewal, put
from clients.model.errors import ClusterError
from clients.model.redact import redact

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
"""Of a pod's service account (Kubernetes, Accessing the API from a Pod)."""


class KubeconfigConfiguration(client.Configuration):
    """The library's, which several threads may use, with what renews its credentials.

    Attributes:
        renewal: of the credentials of a kubeconfig; None for those of a pod, which the library reads again.
    """

    renewal: Renewal | None = None


def configuration(kubeconfig: Path | None, context: str | None) -> Any:
    """The client's configuration by a kubeconfig file (default: as kubectl finds it) and a context of it.

    In a pod without a kubeconfig, the pod's own service account is the identity.

    Raises:
        ClusterError: the file or the context cannot be used.
    """
    made: Any = KubeconfigConfiguration()
    if in_pod() and not (kubeconfig or context):
        _load_own(made)
    else:
        _load(made, str(kubeconfig) if kubeconfig else None, context)
    made.retries = urllib3.Retry(total=1, backoff_factor=0.2)
    return made


def check_context(kubeconfig: Path | None, context: str) -> None:
    """Check that a kubeconfig has the context, without logging in.

    Raises:
        ClusterError: it has not, or cannot be used.
    """
    file = str(kubeconfig) if kubeconfig else None
    try:
        login.User.of(file, context)
    except Exception as error:
        raise _unusable(error, file or "the kubeconfig", file, context) from None


def _load_own(made: KubeconfigConfiguration) -> None:
    load: Any = config.load_incluster_config
    try:
        load(client_configuration=made)
    except Exception as error:
        hint = "give the pod a service account whose token is mounted, or name a kubeconfig by --kubeconfig"
        raise ClusterError(f"the pod's service account cannot be used: {one_line(error)}", hint) from None


def _load(made: Any, file: str | None, context: str | None) -> None:
    """Load a kubeconfig. The library lets through what a parser, an issuer or a plug-in raises."""
    make: Any = kube_config.KubeConfigLoader
    where = file or "the kubeconfig"
    try:
        loader = make(merged(file), active_context=context, config_base_path=None)
        with login.failures() as failures:
            loader.load_and_set(made)
        user = login.User.of(file, context)
        put(loader, made)
    except Exception as error:
        raise _unusable(error, where, file, context) from None
    if made.api_key or made.cert_file:
        made.renewal = Renewal(loader, user)
        made.refresh_api_key_hook = None  # the library's; `LoggedInClient` looks after them before each request
        return
    if failed := user.failed(where, failures[-1] if failures else ""):
        raise failed


def _unusable(error: Exception, where: str, file: str | None, context: str | None) -> ClusterError:
    cause = one_line(redact(_words(error, file)) or type(error).__name__)
    with suppress(Exception):  # its user cannot be read either
        user = login.User.of(file, context)
        if user.provider and (failed := user.failed(where, cause)):
            return failed
    if isinstance(error, AttributeError | TypeError | LookupError):
        cause = f"it has not the form of a kubeconfig ({cause})"
    return ClusterError(f"{where} cannot be used: {cause}", "name a file by --kubeconfig and a context by --context")


def _words(error: Exception, file: str | None) -> str:
    """What an error says, without the number that Python puts before it; another file than the kubeconfig is named."""
    if not (isinstance(error, OSError) and error.strerror):
        return str(error)
    return error.strerror if error.filename in (None, file) else f"{error.filename}: {error.strerror}"


def in_pod() -> bool:
    """Whether this process runs in a pod with a service account and has no kubeconfig (as kubectl decides it)."""
    given = os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser() if "HOME" in os.environ else "")
    if any(Path(path).is_file() for path in given.split(os.pathsep) if path):
        return False
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and Path(TOKEN).is_file()
