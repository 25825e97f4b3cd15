"""What `istioctl analyze` finds in what the suites applied."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from clients.model.errors import InfrastructureError


@dataclass(frozen=True)
class Message:
    """One finding, by its code (istio.io, "Configuration Analysis Messages").

    Attributes:
        code: `IST0101`.
        level: `Error`, `Warning` or `Info`.
        origin: the object it is about.
    """

    code: str
    level: str
    text: str
    origin: str

    def __str__(self) -> str:
        return f"{self.level} [{self.code}] ({self.origin}) {self.text}"


@dataclass(frozen=True)
class Analyzer:
    """istioctl, and the cluster it looks at.

    Attributes:
        kubeconfig: file; None for the usual search.
        context: of the kubeconfig; empty for the current one.
        revision: of the control plane; empty for the default one.
    """

    istioctl: Path
    kubeconfig: Path | None = None
    context: str = ""
    revision: str = ""

    def run(self, namespace: str, timeout_s: float = 60.0) -> list[Message]:
        """Findings of a namespace, in istioctl's order.

        Raises:
            InfrastructureError: istioctl could not be run, or its output is not the expected JSON.
        """
        options = ["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []
        options += ["--context", self.context] if self.context else []
        options += ["--revision", self.revision] if self.revision else []
        command = [str(self.istioctl), "analyze", "-n", namespace, "-o", "json", *options]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
        except OSError as error:
            raise InfrastructureError(f"{self.istioctl} cannot be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise InfrastructureError(f"istioctl analyze took longer than {timeout_s:g} s") from None
        return messages(result.stdout, result.stderr)


def messages(output: str, errors: str = "") -> list[Message]:
    """The findings in istioctl's JSON.

    Raises:
        InfrastructureError: the output is not such JSON; istioctl prints plain text when it fails.
    """
    start = output.find("[")
    try:
        found = json.loads(output[start:]) if start >= 0 else None
        if not isinstance(found, list):
            raise ValueError
        return [
            Message(str(one["code"]), str(one["level"]), str(one.get("message", "")), str(one.get("origin", "")))
            for one in found
        ]
    except (ValueError, KeyError, TypeError):
        printed = (errors or output).strip().splitlines()
        raise InfrastructureError(f"istioctl analyze failed: {printed[-1] if printed else 'no output'}") from None
