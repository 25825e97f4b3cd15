"""Kind's node image, made of Debian's packages, the files of kind's own base image, and every image of a cluster."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.build import command
from testbed.profiles.kindcluster.versions import NODE_IMAGE
from testbed.versions import KUBERNETES

FILES = Path(__file__).parent / "files" / "node"
_BASE_FILES = "images/base/files"
_ENTRYPOINT = (
    "/usr/local/bin/meshproof-entrypoint",
    "/sbin/init",
    # cgroup v1: podman makes no group of the unified hierarchy for a container, and without this argument the systemds
    # of all nodes share one, in which only the first node's kubelet starts
    "systemd.legacy_systemd_cgroup_controller=1",
)


@dataclass(frozen=True)
class Ingredients:
    """What the image is made of; all are folders.

    Attributes:
        node, machine: root file systems. The machine's has podman, which makes the image.
        source: kind's own source.
        kubernetes, kubeadm, calico: of programs.
    """

    node: Path
    machine: Path
    source: Path
    kubernetes: Path
    kubeadm: Path
    calico: Path


def tag() -> str:
    """Reference of the image."""
    return f"{NODE_IMAGE}:v{KUBERNETES}"


def make(target: Path, wanted: Ingredients, archives: Sequence[Path], log: Path, note: Callable[[str], None]) -> None:
    """Make the image in the podman store `target/store`.

    Args:
        archives: OCI archives whose images every node has from its start.
        log: takes the output of all commands.

    Raises:
        BuildError: a command failed.
    """
    root = target / ".node"
    note("copying the root file system")
    command.run(["cp", "--archive", wanted.node, root], what="copying the node's root", log=log)
    base_files(wanted.source / _BASE_FILES, root)
    _programs(wanted, root)
    (target / "store").mkdir()
    # a namespace of mounts of its own: whatever ends this build, nothing stays mounted
    private = ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child", "--propagation", "private"]
    changes = [f"ENTRYPOINT {_as_json(_ENTRYPOINT)}", "STOPSIGNAL SIGRTMIN+3", "ENV container=docker"]
    words: list[str | Path] = ["sh", FILES / "assemble.sh", target, wanted.machine, tag(), *changes, *archives]
    command.run([*private, *words], what="making kind's node image", log=log, on_line=note)
    for name in (".node", ".machine", ".upper", ".work"):
        shutil.rmtree(target / name, ignore_errors=True)


def _as_json(words: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


def base_files(source: Path, root: Path) -> None:
    """The files of kind's base image: programs may be executed, all else is only read."""
    for path in sorted(path for path in source.rglob("*") if path.is_file() and "LICENSES" not in path.parts):
        inside = path.relative_to(source)
        place = root / inside
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_bytes(path.read_bytes())
        place.chmod(0o755 if inside.parts[:2] in (("kind", "bin"), ("usr", "local")) else 0o644)
    settings = root / "etc/containerd/config.toml"
    # as on rootless hosts: a process in a container may not always lower its score
    changed = settings.read_text().replace("restrict_oom_score_adj = false", "restrict_oom_score_adj = true")
    settings.write_text(changed)


def _programs(wanted: Ingredients, root: Path) -> None:
    """Kubernetes' programs, the network plug-ins, and our own files."""
    places = {wanted.kubernetes / name: f"usr/bin/{name}" for name in ("kubelet", "kubectl")}
    places[wanted.kubeadm / "kubeadm"] = "usr/bin/kubeadm"
    places[wanted.calico / "calico"] = "opt/meshproof/calico"
    places[wanted.calico / "calico-felix"] = "opt/meshproof/calico-felix"
    for name in ("network.sh", "calico.sh"):
        places[FILES / name] = f"kind/bin/{name}"
    places[FILES / "entrypoint.sh"] = "usr/local/bin/meshproof-entrypoint"
    places[FILES / "finish.sh"] = "kind/bin/finish.sh"
    for source, inside in places.items():
        place = root / inside
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
        place.chmod(0o755)
    manifests = root / "kind/manifests"
    manifests.mkdir(parents=True)
    for name in ("default-cni.yaml", "default-storage.yaml"):
        (manifests / name).write_text((FILES / name).read_text().replace("{{ version }}", f"v{KUBERNETES}"))
    (root / "kind/version").write_text(f"v{KUBERNETES}\n")
