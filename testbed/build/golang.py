"""Go programs from pinned tool modules (`modules/*/go.mod`), built with the pinned toolchain."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from testbed.build.command import BuildError, run
from testbed.store import cache_root

FLAGS = ("-trimpath", "-gcflags=all=-dwarf=false", "-tags=disable_pgv")
"""Less to compile for the same programs: no debug tables, and no proto validators, which no program calls."""


def environment(toolchain: Path) -> dict[str, str]:
    """Go's environment: only our toolchain and caches, no cgo, and no changes of go.mod."""
    go = cache_root() / "go"
    return {
        "PATH": f"{toolchain / 'bin'}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        "GOROOT": str(toolchain),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",
        "GOMODCACHE": str(go / "mod"),
        "GOCACHE": str(go / "build"),
        "GOENV": "off",
        "GOWORK": "off",
        "GOBIN": "",
        "CGO_ENABLED": "0",
        "GOGC": "400",  # the compiler is short-lived: memory is cheaper than its garbage collector
    } | {key: os.environ[key] for key in ("GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE") if key in os.environ}


def build(module: Path, target: Path, *, toolchain: Path, linker: str, log: Path, note: Callable[[str], None]) -> None:
    """Build every tool of `module` into `target`.

    The module's folder is copied first, so that the checkout does not change.

    Raises:
        BuildError: a download or the compiler failed.
    """
    work = target / ".module"
    shutil.copytree(module, work)
    env = environment(toolchain)
    seen = 0

    def on_line(line: str) -> None:
        nonlocal seen
        seen += 1
        note(f"{seen} packages compiled, last {line.rsplit('/', 1)[-1][:40]}")

    note("downloading modules")
    # only what the programs import: `go mod download` would fetch every module of the graph
    command = ["go", "build", "-v", *FLAGS, "-o", f"{target}/", "-ldflags", linker, "tool"]
    run(command, what=f"building {module.name}", log=log, cwd=work, env=env, on_line=on_line)
    shutil.rmtree(work)
    if not any(target.iterdir()):
        raise BuildError(f"building {module.name} made no program", f"see {log}")


def source_of(module: Path, path: str, *, toolchain: Path, log: Path, work: Path) -> Path:
    """Folder of a Go module's source in the module cache; fetched if missing.

    Raises:
        BuildError: the module is not known to `module`, or cannot be fetched.
    """
    shutil.copytree(module, work / "module")
    command = ["go", "mod", "download", "-json", path]
    run(command, what=f"fetching the source of {path}", log=log, cwd=work / "module", env=environment(toolchain))
    shutil.rmtree(work / "module")
    output = log.read_text()
    return Path(json.loads(output[output.index("{") :])["Dir"])
