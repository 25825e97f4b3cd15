"""A real server of S3's interface, on a folder, with signatures that it checks."""

from __future__ import annotations

import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class S3Server:
    """One that runs.

    Attributes:
        folder: its buckets, each a folder.
    """

    url: str
    folder: Path
    key: str
    secret: str

    def environment(self) -> dict[str, str]:
        """As a run finds it."""
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
        }


def words(key: str, secret: str, port: str, folder: str | Path) -> list[str]:
    """The program's arguments: attributes of objects are files of their own, as not every file system has them."""
    attributes, buckets = f"{folder}/attributes", f"{folder}/buckets"
    return ["--access", key, "--secret", secret, "--port", port, "posix", "--sidecar", attributes, buckets]


@contextmanager
def serving(program: Path, scratch: Path) -> Iterator[S3Server]:
    """On loopback."""
    for name in ("buckets", "attributes"):
        (scratch / name).mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    key, secret = f"key{secrets.token_hex(8)}", secrets.token_hex(20)
    with (scratch / "server.log").open("w") as log:
        process = subprocess.Popen(
            [program, *words(key, secret, f"127.0.0.1:{port}", scratch)], stdout=log, stderr=log, cwd=scratch
        )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, (scratch / "server.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield S3Server(f"http://127.0.0.1:{port}", scratch / "buckets", key, secret)
    finally:
        process.terminate()
        process.wait(30)
