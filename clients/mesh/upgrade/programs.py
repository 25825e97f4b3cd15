"""What istioctl says before an upgrade: `x precheck`, `analyze -A`, `proxy-status`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clients.mesh.istioctl import Analyzer, Message, messages
from clients.mesh.upgrade.change import ChangeLevel, Touched, minor_of
from clients.model.errors import InfrastructureError

_LEVELS = {"Error": ChangeLevel.ERROR, "Warning": ChangeLevel.WARNING, "Info": ChangeLevel.INFO}
_BAD = {"STALE": "has not confirmed its newest configuration", "ERROR": "rejects its configuration"}
"""Status of a proxy's configuration (Envoy's `ConfigStatus`) → in words."""


@dataclass(frozen=True)
class UpgradePrograms:
    """istioctl of the version that the mesh moves to, and the cluster that it looks at."""

    istioctl: Analyzer
    timeout_s: float = 120.0

    def precheck(self, start: str) -> list[Touched]:
        """`istioctl x precheck --from-version`. Raises InfrastructureError where it does not run."""
        output, errors, _ = self._run("x", "precheck", "--from-version", f"1.{minor_of(start)}", "-o", "json")
        if not output.strip() and "No issues found" in errors:
            return []
        return [_touched("precheck", one) for one in messages(output, errors)]

    def analyze(self) -> list[Touched]:
        """`istioctl analyze -A`, but for mere information. Raises as above."""
        output, errors, _ = self._run("analyze", "-A", "-o", "json")
        return [one for one in _grouped(messages(output, errors)) if one.level is not ChangeLevel.INFO]

    def proxy_status(self) -> list[Touched]:
        """Proxies that do not follow their control plane. Raises as above."""
        output, errors, code = self._run("proxy-status", "-o", "json")
        if code:
            raise InfrastructureError(f"istioctl proxy-status failed: {_last(errors or output)}")
        return list(behind(output))

    def _run(self, *words: str) -> tuple[str, str, int]:
        program = self.istioctl
        options = ["--kubeconfig", str(program.kubeconfig)] if program.kubeconfig else []
        options += ["--context", program.context] if program.context else []
        options += ["--revision", program.revision] if program.revision else []
        try:
            done = subprocess.run(
                [str(program.istioctl), *words, *options], capture_output=True, text=True, timeout=self.timeout_s
            )
        except OSError as error:
            raise InfrastructureError(f"{program.istioctl} cannot be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise InfrastructureError(f"istioctl {words[0]} took longer than {self.timeout_s:g} s") from None
        return done.stdout, done.stderr, done.returncode


def behind(output: str) -> Iterator[Touched]:
    """The proxies in the output of `proxy-status` whose configuration is not in sync: JSON, one document an istiod.

    Raises:
        InfrastructureError: it is no JSON: releases up to 1.29 print a table only.
    """
    for answer in _documents(output):
        for proxy in answer.get("resources") or ():
            name = str((proxy.get("node") or {}).get("id") or "")
            for state, text in _BAD.items():
                kinds = [_kind(one) for one in proxy.get("genericXdsConfigs") or () if one.get("configStatus") == state]
                if kinds:
                    level = ChangeLevel.ERROR if state == "ERROR" else ChangeLevel.WARNING
                    detail = f"{text} ({', '.join(kinds)})"
                    yield Touched(f"PROXY-{state}", level, "proxies", detail, (f"Proxy {name}",), "see its log")


def _documents(output: str) -> Iterator[dict[str, Any]]:
    rest, decoder = output.strip(), json.JSONDecoder()
    while rest:
        try:
            found, end = decoder.raw_decode(rest)
        except ValueError:
            raise InfrastructureError("this istioctl does not print the status of proxies as JSON") from None
        if isinstance(found, dict):
            yield found
        rest = rest[end:].lstrip()


def _kind(configuration: dict[str, Any]) -> str:
    return str(configuration.get("typeUrl") or "").rpartition(".")[2]


def _grouped(found: Sequence[Message]) -> list[Touched]:
    """One result for each code and text, with all of its objects."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for one in found:
        groups.setdefault((one.code, one.level, one.text), []).append(one.origin)
    return [
        Touched(code, _LEVELS.get(level, ChangeLevel.WARNING), "analyze", text, tuple(filter(None, origins)))
        for (code, level, text), origins in groups.items()
    ]


def _touched(check: str, one: Message) -> Touched:
    return Touched(
        one.code, _LEVELS.get(one.level, ChangeLevel.WARNING), check, one.text, (one.origin,) if one.origin else ()
    )


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no output"
