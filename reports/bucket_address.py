"""Whether a bucket and its service can be as they are named, and by whose authorities the service is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import certifi
from minio.helpers import check_bucket_name

from clients.model.errors import SettingsError

KEY = re.compile(r"[!-~]*")
"""What keys and addresses consist of."""


def is_bucket(name: str) -> bool:
    """Whether a bucket may have this name: no address, and no dot next to another or to a hyphen."""
    try:
        check_bucket_name(name, strict=True)
    except ValueError:
        return False
    return True


def is_service(endpoint: str) -> bool:
    """Whether it is `https://HOST:PORT`, and nothing more."""
    if not KEY.fullmatch(endpoint):
        return False
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    more = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    return parts.scheme in {"http", "https"} and bool(host) and not more


def roots(environment: Mapping[str, str]) -> str:
    """PEM file of the authorities. SettingsError where it is not there: the service would seem out of reach."""
    for variable in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        if file := environment.get(variable):
            if not Path(file).is_file():
                raise SettingsError(f"{variable} names {file}, which is no file", "name a file in PEM")
            return file
    return certifi.where()
