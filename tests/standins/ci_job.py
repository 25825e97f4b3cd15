"""What a CI job finds in the place of GitHub's actions, of node and of meshproof; each use is written down.

A job starts it as a program (`ci_runner.py` makes the files that do so), with nothing but Python's own library.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

STATE = "CI_JOB_STATE"
"""Variable with the folder of what outlives the job: `checkout`, `caches`, `uploads`, `codes.json`, `used.jsonl`."""
INPUTS = "CI_JOB_INPUTS"
"""Variable with an action's inputs, as JSON."""
WAITS = "waits"
"""File of that folder: a command goes on, and only an end of the job ends it."""
PATIENCE_S = 120.0
PATTERNS = "patterns"
"""Variable with the arguments of `hashFiles`, as act hands them to node."""
DIGEST = "22b4b9c6b13d"
RUN = "20261128-021700-3fa9"
_OF_THE_CHECKOUT = (".git", ".gitlab-ci-local")
SHOWN = ("KUBECONFIG", "XDG_CACHE_HOME", "MESHPROOF_CONTEXT")
"""Variables that are written down with each command."""


def main(words: list[str]) -> int:
    """Do what the first word names; return its exit code."""
    name, *arguments = words
    if name == "meshproof":
        return meshproof(arguments)
    if name == "node":
        print(node(arguments))
        return 0
    return action(name, json.loads(os.environ[INPUTS]))


def state() -> Path:
    return Path(os.environ[STATE])


def write_down(what: str, **details: Mapping[str, str]) -> None:
    with (state() / "used.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"what": what, **details}) + "\n")


# -- meshproof


def meshproof(words: list[str]) -> int:
    """Write what the recipes read, and end with the code that `codes.json` has for the command; null: never."""
    command = " ".join(words)
    environment = {name: os.environ[name] for name in SHOWN if name in os.environ}
    write_down(f"meshproof {command}", environment=environment, files=dict(_files(Path())))
    codes: dict[str, int | None] = json.loads((state() / "codes.json").read_text(encoding="utf-8"))
    code = next((code for start, code in codes.items() if command.startswith(start)), 0)
    if code is None:
        return _wait()
    if command == "testbed digest" and not code:
        print(DIGEST)
    elif command.startswith("testbed export "):
        Path(words[2]).write_text("parts")
    elif words[0] == "run" and code != 2:
        _reports(Path("reports/out"))
    return code


def _wait() -> int:
    """Go on until the shell that started this program has ended, as a job's is killed that is cancelled."""
    shell, end = os.getppid(), time.monotonic() + PATIENCE_S
    (state() / WAITS).touch()
    while os.getppid() == shell and time.monotonic() < end:
        time.sleep(0.05)
    return 1


def _files(folder: Path) -> Iterable[tuple[str, str]]:
    """Mode and text of each file of the job's folder, without those of git and of a runner; `rw-------` is `0600`."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.parts[0] in _OF_THE_CHECKOUT:
            continue
        yield str(path), f"{path.stat().st_mode & 0o777:04o} {path.read_text(encoding='utf-8')}"


def _reports(out: Path) -> None:
    (out / RUN).mkdir(parents=True)
    for name in ("conformance.json", "index.html", "summary.md"):
        (out / RUN / name).write_text(f"{name} of the run\n")
    (out / "latest").symlink_to(RUN)


# -- actions


def action(name: str, inputs: dict[str, str]) -> int:
    """Do what an action does, as far as the recipes need it."""
    given = {key: value for key, value in inputs.items() if value}
    write_down(name, given=given)
    match name:
        case "actions/checkout":
            shutil.copytree(state() / "checkout", Path(), dirs_exist_ok=True)
        case "actions/cache":
            _restore(state() / "caches" / given["key"], Path(given["path"]))
        case "actions/upload-artifact":
            return _upload(given, state() / "uploads")
    return 0


def _restore(kept: Path, path: Path) -> None:
    """Nothing is stored at the end: a test sees by the job's files what would be."""
    if not kept.exists():
        return
    shutil.copyfile(kept, path)
    with Path(os.environ["GITHUB_OUTPUT"]).open("a") as output:
        output.write("cache-hit=true\n")


def _upload(given: dict[str, str], uploads: Path) -> int:
    found = sorted(Path().glob(given["path"]))
    for path in found:
        shutil.copytree(path, uploads / given["name"] / path.name)
    return 1 if not found and given.get("if-no-files-found") == "error" else 0


# -- node


def node(arguments: list[str]) -> str:
    """Answer the two questions that act has for node: where it is, and the function `hashFiles`."""
    if "-e" in arguments:
        return str(state() / "bin/node")
    files = [path for pattern in os.environ[PATTERNS].splitlines() for path in sorted(Path().glob(pattern))]
    digests = b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)
    return f"__OUTPUT__{hashlib.sha256(digests).hexdigest() if files else ''}__OUTPUT__"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
