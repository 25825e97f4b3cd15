"""Up, down and status of profiles: the lock, the check of the machine, the state, and what a failed start left."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from clients.model.errors import ClusterError
from testbed import api, origin
from testbed.api import Status
from testbed.lock import held
from testbed.origin import InUse
from testbed.profiles import access, table
from testbed.profiles.profile import Profile
from testbed.progress import Say
from testbed.store import cache_root
from testbed.versions import IstioRelease, istio_release


@dataclass(frozen=True)
class ProfileUp:
    """A profile that is up; the content of its `state.json`.

    Attributes:
        context: of both kubeconfigs.
        kubeconfig: of the account with the shipped roles, as a run uses it.
        administrator: with an administrator's rights.
        settings: file of the settings of a run (`MESHPROOF_CONFIG`).
        took_s: seconds of its start.
    """

    name: str
    context: str
    kubeconfig: str
    administrator: str
    settings: str
    istio: str
    kubernetes: str
    took_s: float

    @property
    def command(self) -> str:
        """The command of a run against it."""
        return (
            f"MESHPROOF_CONFIG={self.settings} ./meshproof run --context {self.context} --kubeconfig {self.kubeconfig}"
        )


def folder_of(name: str) -> Path:
    """The profile's own folder."""
    return cache_root() / "testbed" / "profiles" / name


def up(name: str, istio: str | None, say: Say, in_use: InUse) -> ProfileUp:
    """Build what is missing and start the profile; does nothing if it is up with the parts of this checkout.

    Args:
        istio: as for the embedded target; None accepts any version that is up.
        in_use: asked before a profile that runs with other parts is started again.

    Raises:
        SettingsError: there is no such profile or version.
        ConflictError: it runs with other parts, and is in use.
        ClusterError: the machine cannot run it, another version is up, or a part did not start; nothing is left
            running then.
    """
    profile, release, folder = table.of(name), istio_release(istio), folder_of(name)
    with held(folder / "lock", f"up --profile {name}", say):
        if there := running(profile):
            _require_version(there, release, any_version=istio is None)
            if not (changed := profile.changed(folder)):
                return there
            origin.require_unused(changed, Path(there.administrator), in_use)
            say(f"{origin.in_words(changed)}: it is started again")
            release = istio_release(there.istio)
        _require(profile, release)
        profile.stop(folder)
        began = time.monotonic()
        try:
            profile.build(release, say)
            started = profile.start(folder, release, say)
            files = access.write(folder, name, started)
        except BaseException:
            _end(profile, folder)
            raise
        took_s = round(time.monotonic() - began, 1)
        administrator, (kubeconfig, settings) = str(started.kubeconfig), map(str, files)
        context = started.context or name
        made = ProfileUp(name, context, kubeconfig, administrator, settings, started.istio, started.kubernetes, took_s)
        _state(folder).write_text(json.dumps(asdict(made), indent=1))
        return made


def down(name: str, say: Say) -> bool:
    """Stop the profile and remove its state; True if there was something to stop.

    Raises:
        SettingsError: there is no such profile.
    """
    profile, folder = table.of(name), folder_of(name)
    if not folder.exists():
        return False
    with held(folder / "lock", f"down --profile {name}", say):
        there = bool(profile.processes(folder))
        _end(profile, folder)
        return there


def running(profile: Profile) -> ProfileUp | None:
    """The profile that is up; None if it is not, or if its start did not complete."""
    folder = folder_of(profile.name)
    if not _state(folder).exists() or not profile.processes(folder):
        return None
    return ProfileUp(**json.loads(_state(folder).read_text()))


def status(name: str) -> Status:
    """`up`, `down` or `broken`. Raises SettingsError where there is no such profile."""
    profile, folder = table.of(name), folder_of(name)
    there = running(profile)
    if there is not None:
        detail = {"istio": there.istio, "kubernetes": there.kubernetes, "context": there.context}
        detail |= {"kubeconfig": there.kubeconfig, "administrator's kubeconfig": there.administrator}
        return Status("up", {**detail, "logs": str(profile.logs(folder)), "run": there.command})
    if profile.processes(folder):
        hint = f"./meshproof down --profile {name}, then ./meshproof up --profile {name}"
        return Status("broken", {"hint": hint, "logs": str(profile.logs(folder))})
    return Status("down")


def states() -> dict[str, Status]:
    """Name → state of every profile that is not down."""
    found = {name: status(name) for name in table.PROFILES}
    return {name: one for name, one in found.items() if one.state != "down"}


def logs(name: str, component: str | None = None) -> Iterator[str]:
    """Lines of one log of a profile, or of all. Raises as `testbed.api.logs` does, and as `status`."""
    yield from api.logs_in(table.of(name).logs(folder_of(name)), component)


def _require(profile: Profile, release: IstioRelease) -> None:
    """Raise ClusterError for the first requirement that the machine does not meet."""
    for check in profile.requirements(release):
        if not check.ok:
            message = f"the profile {profile.name} cannot run here: {check.name}: {check.detail}"
            raise ClusterError(message, check.hint)


def _require_version(there: ProfileUp, release: IstioRelease, *, any_version: bool) -> None:
    if any_version or there.istio == release.version:
        return
    raise ClusterError(
        f"the profile {there.name} runs Istio {there.istio} already, not {release.version}",
        f"run './meshproof down --profile {there.name}' first",
    )


def _end(profile: Profile, folder: Path) -> None:
    """Stop it, and remove its files; only logs stay, for a diagnosis."""
    profile.stop(folder)
    _state(folder).unlink(missing_ok=True)
    for name in access.FILES:
        (folder / name).unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        shutil.rmtree(folder / access.WORK)


def _state(folder: Path) -> Path:
    return folder / "state.json"
