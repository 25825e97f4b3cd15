"""How the meshes of two revisions differ: what of its settings the new control plane has otherwise, or not at all.

Sources: Istio's reference of MeshConfig, for the defaults and for what each setting does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from clients.mesh.survey.elsewhere import has_own_configuration, may_read_configuration, runs_elsewhere
from clients.mesh.survey.recorded import flattened, variables
from clients.mesh.survey.survey import ROOT_NAMESPACE, Survey
from clients.mesh.upgrade.change import ChangeLevel, Touched
from clients.mesh.upgrade.unchecked import Unchecked, UncheckedReason, out_of_sight
from clients.mesh.upgrade.view import VARIABLES
from clients.model.redact_settings import redact_settings

CHECK = "meshes"
TRUST_DOMAIN = "cluster.local"
_OWN = ("defaultConfig.discoveryAddress",)
"""Settings that say where a control plane is."""
_GRAVE = frozenset(
    f"MeshConfig {name}"
    for name in ("trustDomain", "trustDomainAliases", "rootNamespace", "outboundTrafficPolicy.mode", "enableAutoMtls")
)
"""Settings with a check of their own."""


@dataclass(frozen=True)
class RevisionMesh:
    """How the mesh of one revision is set: MeshConfig, and the variables of its istiod.

    Attributes:
        unread: what of it could not be read.
    """

    revision: str
    config: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[Unchecked, ...] = ()

    @classmethod
    def of(cls, survey: Survey) -> RevisionMesh:
        """That of a survey's revision; what may not be read is empty."""
        config: dict[str, Any] = {}
        own = not runs_elsewhere(survey) or has_own_configuration(survey)
        for part in survey.configurations if own else ():  # not that of another revision, which is alike of course
            config |= part
        found: dict[str, str] = {}
        for istiod in survey.istiods:
            found |= variables(istiod)
        return cls(survey.revision.name, config, found, tuple(_unread(survey, config, found)))

    def of_mode(self, name: str, key: str, default: str) -> str:
        """A value of a nested setting: `outboundTrafficPolicy.mode`."""
        return str((self.config.get(name) or {}).get(key) or default)

    @property
    def trust_domain(self) -> str:
        """Of the identities that its certificates name."""
        return str(self.config.get("trustDomain") or TRUST_DOMAIN)

    @property
    def aliases(self) -> frozenset[str]:
        """Trust domains that count as its own."""
        return frozenset(str(one) for one in self.config.get("trustDomainAliases") or ())

    @property
    def providers(self) -> frozenset[str]:
        """Names of the extension providers."""
        return frozenset(str(one.get("name")) for one in self.config.get("extensionProviders") or ())


def _unread(survey: Survey, config: Mapping[str, Any], found: Mapping[str, str]) -> Iterator[Unchecked]:
    """What is missing of a mesh; of one whose control plane runs elsewhere, what no rights would show."""
    elsewhere = runs_elsewhere(survey)
    parts = (("MeshConfig", config, elsewhere and may_read_configuration(survey)), (VARIABLES, found, elsewhere))
    for what, there, hidden in parts:
        if not there and hidden:
            yield out_of_sight(what, survey.revision.name)
        elif not there:
            yield Unchecked(f"{what} of the revision {survey.revision.name}: it cannot be read")


def of_both(old: RevisionMesh, new: RevisionMesh) -> tuple[RevisionMesh, RevisionMesh] | None:
    """Both, without the variables where those of one are out of sight; None where they cannot be compared at all."""
    if not (old.config and new.config):
        return None
    missing = [one for mesh in (old, new) for one in mesh.unread]
    if any(one.why is not UncheckedReason.OUT_OF_SIGHT for one in missing):
        return None
    return (replace(old, variables={}), replace(new, variables={})) if missing else (old, new)


def checks(old: RevisionMesh, new: RevisionMesh) -> Iterator[Touched]:
    """What differs: errors for what identities, policies and ways out rest on, a warning for all else."""
    for check in (_trust, _root, _outbound, _auto_mtls, _providers):
        yield from check(old, new)
    was, now = (_settings(one) for one in (old, new))
    names = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    rest = [name for name in names if name.partition("[")[0] not in _GRAVE]
    if rest:
        objects = tuple(f"{name}: {was.get(name, 'not set')} → {now.get(name, 'not set')}" for name in rest)
        text = f"the mesh of {new.revision} is set otherwise than that of {old.revision}"
        yield Touched("MESH-SETTINGS", ChangeLevel.WARNING, CHECK, text, objects, "set both alike, or mean it")


def _trust(old: RevisionMesh, new: RevisionMesh) -> Iterator[Touched]:
    if new.trust_domain != old.trust_domain:
        aliased = old.trust_domain in new.aliases
        text = f"identities are of {new.trust_domain} in place of {old.trust_domain}: policies that name these"
        text += " hold by an alias" if aliased else " do not match any more"
        level = ChangeLevel.WARNING if aliased else ChangeLevel.ERROR
        yield Touched("MESH-TRUST-DOMAIN", level, CHECK, text, (), "keep the trust domain, or add the old one as alias")
    if lost := sorted(old.aliases - new.aliases - {new.trust_domain}):
        text = f"the revision {new.revision} does not know these trust domains: policies do not match their identities"
        yield Touched("MESH-TRUST-ALIAS", ChangeLevel.ERROR, CHECK, text, tuple(lost), "add them to trustDomainAliases")


def _root(old: RevisionMesh, new: RevisionMesh) -> Iterator[Touched]:
    was, now = (str(one.config.get("rootNamespace") or ROOT_NAMESPACE) for one in (old, new))
    if was != now:
        text = f"the root namespace is {now} in place of {was}: the policies there hold in no other namespace any more"
        yield Touched("MESH-ROOT", ChangeLevel.ERROR, CHECK, text, (f"Namespace {was}",), "keep rootNamespace")


def _outbound(old: RevisionMesh, new: RevisionMesh) -> Iterator[Touched]:
    was, now = (one.of_mode("outboundTrafficPolicy", "mode", "ALLOW_ANY") for one in (old, new))
    if was != now:
        opens = now == "ALLOW_ANY"
        text = f"outboundTrafficPolicy is {now} in place of {was}: hosts that no object names are "
        text += "let through, and were refused" if opens else "refused, and were let through"
        yield Touched("MESH-OUTBOUND", ChangeLevel.ERROR, CHECK, text, (), "keep outboundTrafficPolicy")


def _auto_mtls(old: RevisionMesh, new: RevisionMesh) -> Iterator[Touched]:
    was, now = (str(one.config.get("enableAutoMtls", True)).lower() for one in (old, new))
    if was != now:
        text = f"enableAutoMtls is {now} in place of {was}: sidecars begin mutual TLS for other hosts than before"
        yield Touched("MESH-AUTO-MTLS", ChangeLevel.ERROR, CHECK, text, (), "keep enableAutoMtls")


def _providers(old: RevisionMesh, new: RevisionMesh) -> Iterator[Touched]:
    if lost := sorted(old.providers - new.providers):
        text = f"the revision {new.revision} does not have these providers: what names them is not done as it says"
        yield Touched("MESH-PROVIDERS", ChangeLevel.ERROR, CHECK, text, tuple(lost), "add them to extensionProviders")


def _settings(one: RevisionMesh) -> dict[str, str]:
    """Every setting, but for what only names the revision itself."""
    found = {f"MeshConfig {name}": value for name, value in flattened(redact_settings(one.config)) if name not in _OWN}
    found |= {f"istiod {name}": value for name, value in one.variables.items()}
    return {name: value.replace(one.revision or "default", "(revision)") for name, value in found.items()}
