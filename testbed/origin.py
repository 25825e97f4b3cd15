"""What a cluster is started from: a running one is compared with what this checkout would start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from clients.model.errors import ConflictError
from testbed import configuration, golden, internet, pki
from testbed.form import Form
from testbed.parts import Parts
from testbed.store import digest
from testbed.versions import HERE

CONFIGURATION = "the nodes' configuration"
NOT_NOTED = "meshproof"
"""Stands for everything where an older version, which noted nothing, started the cluster."""
InUse = Callable[[Path], str]
"""Gives what uses the cluster of an administrator's kubeconfig, in words: a run or held traffic; empty for neither."""
_PROFILES = HERE / "profiles"


def made_of(parts: Parts, form: Form) -> dict[str, str]:
    """Name → digest of each part, and of the files of a start; builds nothing."""
    more = form.amendment.parts(parts) if form.amendment else ()
    found = {part.name: part.key for part in (*golden.needed(parts), *parts.in_images(), parts.images(), *more)}
    modules = (configuration, internet, pki)
    sources = [*(Path(str(module.__file__)) for module in modules), *_below(HERE / "node")]
    found[CONFIGURATION] = digest(sources)
    if form.name:
        own = [_PROFILES / f"{form.name}.py", *_below(_PROFILES / f"{form.name}_cluster")]
        found[f"profile {form.name}"] = digest(own)
    return found


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Names of what differs."""
    if not before:
        return (NOT_NOTED,)
    return tuple(sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)))


def in_words(changed: Iterable[str]) -> str:
    """The cause of a start again: `the cluster runs, but external, httpbin changed since it was started`."""
    return f"the cluster runs, but {', '.join(changed)} changed since it was started"


def require_unused(changed: Iterable[str], kubeconfig: Path, in_use: InUse) -> None:
    """Raise ConflictError where the cluster that would be started again is in use."""
    if user := in_use(kubeconfig):
        hint = "wait for its end, and run './meshproof up' again"
        raise ConflictError(f"{in_words(changed)}, and it is in use by {user}", hint)


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
