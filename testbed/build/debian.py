"""Debian root file systems from the machine's own apt sources, without installing anything on the machine.

apt resolves the packages against an empty package list in a private state folder, so that the whole closure is
downloaded; dpkg-deb unpacks it. No maintainer script runs: what is needed of them is done in `_finish`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from testbed.build.command import BuildError, run

NODE_PACKAGES = (
    *("coreutils", "dash", "bash", "findutils", "grep", "sed", "util-linux", "mount", "procps", "kmod"),
    *("containerd", "crun", "containernetworking-plugins", "iptables", "nftables", "ipset", "conntrack", "iproute2"),
    *("runit", "ca-certificates"),
)
"""The node: container runtime, packet filters, a service supervisor."""

IMAGE_PACKAGES = (
    "coreutils",
    "dash",
    "bash",
    "grep",
    "sed",
    "curl",
    "iptables",
    "iproute2",
    "ca-certificates",
    "libc-bin",
)
"""The base layer of every image: a shell, curl, and what Istio's init container needs."""

_OPTIONS = """\
Dir::State "{work}";
Dir::State::lists "{work}/lists";
Dir::State::status "{work}/status";
Dir::Cache "{work}";
Dir::Cache::archives "{work}/archives";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Get::AllowUnauthenticated "false";
Acquire::Languages "none";
Acquire::Retries "3";
"""

_DROP = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/bash-completion",
)


def root_file_system(target: Path, packages: Sequence[str], work: Path, note: Callable[[str], None]) -> str:
    """Unpacks `packages` and all they depend on into `target`; returns `name version` lines of what it holds.

    Args:
        work: private folder for apt's state, removed afterwards.

    Raises:
        BuildError: apt or dpkg-deb failed.
    """
    for folder in ("lists/partial", "archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    config = work / "apt.conf"
    config.write_text(_OPTIONS.format(work=work))
    env = {"APT_CONFIG": str(config), "DEBIAN_FRONTEND": "noninteractive"}
    note("package lists")
    run(["apt-get", "update", "-q"], what="reading the Debian package lists", log=work / "update.log", env=env)
    note("downloading packages")
    download = ["apt-get", "install", "-y", "-q", "--download-only", *packages]
    run(download, what="downloading Debian packages", log=work / "download.log", env=env, on_line=note)
    _lay_out(target)
    archives = sorted((work / "archives").glob("*.deb"))
    if not archives:
        raise BuildError("apt downloaded no package", f"see {work / 'download.log'}")
    for number, archive in enumerate(archives, 1):
        note(f"unpacking {number} of {len(archives)}: {archive.name.split('_')[0]}")
        _unpack(archive, target)
    _finish(target)
    shutil.rmtree(work)
    return "\n".join(sorted(" ".join(a.stem.split("_")[:2]).replace("%3a", ":") for a in archives))


def _lay_out(target: Path) -> None:
    """Merged /usr, as Debian 12 has it: the links must be there before the packages are."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (target / "usr" / name).mkdir(parents=True)
        (target / name).symlink_to(f"usr/{name}")
    for name in ("proc", "sys", "dev", "run", "tmp", "etc", "var/lib", "var/log", "root", "opt"):
        (target / name).mkdir(parents=True, exist_ok=True)
    (target / "tmp").chmod(0o1777)


def _unpack(archive: Path, target: Path) -> None:
    # --keep-directory-symlink: a package that ships /lib/… must follow our link into /usr/lib
    extract = ["tar", "-x", "-C", str(target), "--keep-directory-symlink"]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as reader:
        writer = subprocess.Popen(extract, stdin=reader.stdout, stderr=subprocess.PIPE, text=True)
        if reader.stdout:
            reader.stdout.close()  # else dpkg-deb would wait for ever where tar has ended, as on a full disk
        _, errors = writer.communicate()
    if reader.returncode or writer.returncode:
        raise BuildError(f"unpacking {archive.name} failed: {errors.strip()[-300:]}")


def _finish(target: Path) -> None:
    for name in _DROP:
        shutil.rmtree(target / name, ignore_errors=True)
    certificates = sorted((target / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = target / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_bytes(b"".join(certificate.read_bytes() for certificate in certificates))
    (target / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
    )
    (target / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (target / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    # update-alternatives runs in a maintainer script: Debian's iptables is the nft one
    for name in ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"):
        link = target / "usr/sbin" / name
        if not link.exists() and not link.is_symlink():
            link.symlink_to("xtables-nft-multi")
