"""Capabilities that the machine, the settings and the kind of target decide, and the table of all of them.

Those that the cluster decides are in `clients.mesh.capabilities.capabilities`. `python -m runner.target.capabilities`
prints docs/capabilities.md, which is generated from the table.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clients.mesh.capabilities.capabilities import OF_MESH, Capability, CapabilityName
from clients.mesh.discovery import MeshInfo
from clients.model.entrance import Way
from runner.config.ingress_settings import BALANCED
from runner.config.settings import Settings
from runner.target import identity
from runner.target.access import Access
from runner.target.browsers import HINT as BROWSER_HINT
from runner.target.browsers import Found
from runner.target.fitting import mirrored
from runner.target.live import PUBLIC_IMAGES
from runner.target.target import Target


@dataclass(frozen=True)
class Surroundings:
    """What the detectors here look at: all that is not in the cluster."""

    target: Target
    access: Access
    browser: Found

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return self.target.settings


@dataclass(frozen=True)
class Capabilities:
    """What a target has and lacks.

    Attributes:
        names: the capabilities that the target has, sorted.
        lacks: name of every other capability → the reason.
    """

    names: tuple[str, ...]
    lacks: dict[str, str]


def found(mesh: MeshInfo, seen: Surroundings) -> Capabilities:
    """The capabilities of the mesh, of its surroundings, and of every target of the kind."""
    here = {one.name.value: one.why_not(seen) for one in OF_SURROUNDINGS}
    here[N.ANALYZE.value] = here[N.ANALYZE.value] or mesh.not_analyzed
    lacks = {**mesh.lacks, **{name: why for name, why in here.items() if why}}
    lacks = {name: why for name, why in lacks.items() if name not in seen.target.gives}
    has = mesh.capabilities | seen.target.gives | {name for name, why in here.items() if not why}
    if unused := sorted(BALANCED & seen.settings.ingress.service_types().keys()):
        lacks[N.LOAD_BALANCER.value] = f"ingress.way uses none for {', '.join(unused)}"
        has -= {N.LOAD_BALANCER.value}
    return Capabilities(tuple(sorted(str(name) for name in has)), lacks)


def document() -> str:
    """The text of docs/capabilities.md."""
    return "\n".join([*_HEAD, *(_entry(TABLE[name]) for name in sorted(TABLE)), ""])


_HEAD = (
    "# Capabilities",
    "",
    "What a target can do and a control may need. A control whose needs the target lacks is skipped with the reason;",
    "with `--enforce` it fails. `./meshproof doctor` shows which of them a cluster has, and why it lacks the others.",
    "",
    "The list is generated from the table in `clients/mesh/capabilities/capabilities.py` and",
    "`runner/target/capabilities.py`, by `python -m runner.target.capabilities > docs/capabilities.md`.",
    "",
)


def _entry(capability: Capability[Any]) -> str:
    """An item of the list."""
    hint = f" How to get it: {capability.hint}." if capability.hint else ""
    text = f"**`{capability.name}`** {capability.description}.{hint}"
    return textwrap.fill(text, 120, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)


def _given(name: CapabilityName, why: str) -> Callable[[Surroundings], str]:
    """A detector of a capability that only some kinds of target have."""
    return lambda seen: "" if name in seen.target.gives else why


def _external_block(seen: Surroundings) -> str:
    blocked = seen.access.outside.blocked or seen.settings.egress.blocked
    return "" if blocked else "the settings do not set egress.blocked"


def _external_open(seen: Surroundings) -> str:
    """Without a firewall only the mesh and its policies can refuse; the testbed's hosts also have open addresses."""
    if any(name.startswith("open.") for name in seen.access.outside.hosts):
        return ""
    if seen.settings.egress.blocked:
        return "the settings set egress.blocked"
    return "" if seen.access.outside.hosts else "there are no external hosts"


def _client_address(seen: Surroundings) -> str:
    """Whether no way in is known to hide it."""
    forwarded = seen.settings.ingress.way is Way.PORT_FORWARD
    return "the API server forwards the ports of gateways, which see a client at 127.0.0.1" if forwarded else ""


def _stand_ins(seen: Surroundings) -> str:
    """Named by their addresses, with a log: on the internet Google answers otherwise."""
    outside = seen.access.outside
    named = all(outside.hosts.get(host) for host in _GOOGLES)
    return "" if named and outside.log else "no hosts of one's own are named in their place"


def _load_count(seen: Surroundings) -> str:
    public = mirrored(PUBLIC_IMAGES["loadgenerator"], seen.settings.image_prefix)
    other = seen.access.images.get("loadgenerator") != public
    return "" if other else "the shop's public load generator reports no counts"


def _own_key(profile: str) -> Callable[[Surroundings], str]:
    """A detector of the private key of an issuer of tokens."""

    def why_not(seen: Surroundings) -> str:
        real = identity.real_issuers(seen.settings).get(profile)
        return f"the issuer is {real.issuer}" if real else ""

    return why_not


_GOOGLES = ("metadata.google.internal", "storage.googleapis.com")
N = CapabilityName
_GCP = "controls of Google Cloud itself are proven by substitutes so far"
OF_SURROUNDINGS: tuple[Capability[Surroundings], ...] = (
    Capability(
        N.EXTERNAL_HOSTS,
        lambda seen: "" if seen.access.outside.hosts else "the run has no external hosts",
        "needs example.com / httpbin.org / googleapis stand-ins outside the mesh, known to cluster DNS",
        "--hosts internet, or name hosts of your own in [external]",
    ),
    Capability(
        N.EXTERNAL_LOG,
        lambda seen: "" if seen.access.outside.log else "the log of external hosts cannot be read",
        "needs external hosts whose own log can be read",
        "use the embedded target, or name hosts of your own in [external]",
    ),
    Capability(
        N.EXTERNAL_BLOCK,
        _external_block,
        "needs a network that lets only the egress gateway reach external hosts",
        "block them in the network, and set egress.blocked",
    ),
    Capability(
        N.EXTERNAL_OPEN,
        _external_open,
        "needs external hosts that the network lets every pod reach, so that only the mesh can refuse",
    ),
    Capability(
        N.EXTERNAL_PORTS,
        lambda seen: "" if seen.access.outside.ports else "the external hosts are not known to answer at other ports",
        "needs external hosts that also answer by HTTP at ports 8080, 53, 988 and 15012, and by UDP at 443 and 53",
        "set external.ports where yours do",
    ),
    Capability(
        N.ANALYZE,
        lambda seen: "" if seen.access.istioctl else "there is no istioctl on the PATH",
        "needs istioctl analyze",
        "install istioctl, or name it by --istioctl, and let the identity list what it reads",
    ),
    Capability(
        N.CHROMIUM,
        lambda seen: "" if seen.browser.program else seen.browser.why_not or "none was found",
        "needs headless Chromium, from the PATH or built for the testbed",
        BROWSER_HINT,
    ),
    Capability(
        N.CLIENT_ADDRESS,
        _client_address,
        "needs a way in by which gateways see the address of a client outside the cluster",
        "reach gateways by an address that keeps it: a load balancer or node ports with externalTrafficPolicy: Local",
    ),
    Capability(
        N.FRONT_KEY,
        _own_key("front"),
        "needs the private key of the front door's issuer, which a run has only if the issuer is its own",
    ),
    Capability(
        N.IAP_KEY,
        _own_key("iap"),
        "needs the private key of the issuer of IAP's tokens, which a run has only if the issuer is its own",
    ),
    Capability(
        N.IAP,
        _own_key("iap"),
        "needs Identity-Aware Proxy or the stand-in proxy",
        "leave [iap] out of the settings: the stand-in signs by the run's own key",
    ),
    Capability(
        N.STAND_INS,
        _stand_ins,
        "needs stand-ins for Google's metadata server and APIs, which answer as the testbed's do",
        "use the embedded target, or name hosts of your own in [external]",
    ),
    Capability(
        N.ISTIOD_RESTART,
        _given(N.ISTIOD_RESTART, "others use this mesh as well"),
        "needs a mesh whose istiod may be restarted, as only the embedded target's may",
        "use the embedded target",
    ),
    Capability(
        N.LOAD_COUNT,
        _load_count,
        "needs a load generator of the shop that reports its counts over HTTP, as the testbed's does",
        "set images.loadgenerator",
    ),
    Capability(N.GKE_ONLY, lambda _: _GCP, "described on Google Cloud"),
    Capability(N.WORKLOAD_IDENTITY, lambda _: _GCP, "needs Workload Identity and IAM"),
)
_ALL: tuple[Capability[Any], ...] = (*OF_MESH, *OF_SURROUNDINGS)
TABLE: Mapping[str, Capability[Any]] = {one.name.value: one for one in _ALL}
"""All of them, by name."""

if __name__ == "__main__":
    print(document(), end="")
