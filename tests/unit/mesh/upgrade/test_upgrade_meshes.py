"""How two revisions differ in their meshes, and patches for proxies of some versions only."""

from __future__ import annotations

from typing import Any

import pytest
from upgrade_samples import body, view

from clients.mesh.upgrade import filters, meshes
from clients.mesh.upgrade.change import ChangeLevel
from clients.mesh.upgrade.meshes import RevisionMesh
from clients.mesh.upgrade.view import Json

pytestmark = pytest.mark.unit


def of_versions(pattern: str, name: str = "one") -> Json:
    match = {"context": "SIDECAR_INBOUND", "proxy": {"proxyVersion": pattern}}
    return body("EnvoyFilter", {"configPatches": [{"applyTo": "HTTP_FILTER", "match": match}]}, name)


@pytest.mark.parametrize(
    ("patterns", "texts"),
    [
        ([r"^1\.29.*"], ["its patches are not for proxies of 1.31.1: what they do ends with the move"]),
        ([r"^1\.31.*"], ["its patches are for proxies of 1.31.1, and not for those of 1.29: they begin with the move"]),
        ([r"^1\.29.*", r"^1\.31.*"], []),
        ([r"^1\.(29|31).*"], []),
        ([""], []),
        (["("], []),
    ],
)
def test_patches_for_proxies_of_some_versions(patterns: list[str], texts: list[str]) -> None:
    made = [of_versions(pattern, f"f{number}") for number, pattern in enumerate(patterns)]
    found = list(filters.checks(view(*made), "1.29", "1.31.1"))
    assert [one.text for one in found] == texts
    assert all((one.code, one.objects) == ("FILTER-VERSION", ("EnvoyFilter shop/f0",)) for one in found)


def mesh(revision: str, variables: dict[str, str] | None = None, **config: Any) -> RevisionMesh:
    return RevisionMesh(revision, config, variables or {})


REFUSES, LETS_THROUGH = {"mode": "REGISTRY_ONLY"}, {"mode": "ALLOW_ANY"}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (mesh("a"), mesh("b", trustDomain="bank.test"), "MESH-TRUST-DOMAIN"),
        (mesh("a", trustDomainAliases=["old.test"]), mesh("b"), "MESH-TRUST-ALIAS"),
        (mesh("a"), mesh("b", rootNamespace="mesh-root"), "MESH-ROOT"),
        (mesh("a", outboundTrafficPolicy=REFUSES), mesh("b"), "MESH-OUTBOUND"),
        (mesh("a"), mesh("b", outboundTrafficPolicy=REFUSES), "MESH-OUTBOUND"),
        (mesh("a", enableAutoMtls=True), mesh("b", enableAutoMtls=False), "MESH-AUTO-MTLS"),
        (mesh("a", extensionProviders=[{"name": "door"}]), mesh("b"), "MESH-PROVIDERS"),
    ],
)
def test_what_policies_rest_on_is_an_error_where_the_new_revision_has_it_otherwise(
    old: RevisionMesh, new: RevisionMesh, code: str
) -> None:
    errors = [one.code for one in meshes.checks(old, new) if one.level is ChangeLevel.ERROR]
    assert errors == [code]


def test_an_old_trust_domain_that_is_an_alias_of_the_new_one_is_a_warning() -> None:
    found = list(meshes.checks(mesh("a"), mesh("b", trustDomain="bank.test", trustDomainAliases=["cluster.local"])))
    assert [(one.code, one.level) for one in found] == [("MESH-TRUST-DOMAIN", ChangeLevel.WARNING)]


def test_all_other_settings_are_one_warning_and_what_names_the_revision_is_alike() -> None:
    old = mesh("1-29", {"A": "istiod-1-29.test", "B": "1"}, accessLogFile="", outboundTrafficPolicy=LETS_THROUGH)
    new = mesh("1-31", {"A": "istiod-1-31.test", "B": "2"}, accessLogFile="/dev/stdout")
    (found,) = meshes.checks(old, new)
    assert (found.code, found.level) == ("MESH-SETTINGS", ChangeLevel.WARNING)
    assert found.objects == ("MeshConfig accessLogFile:  → /dev/stdout", "istiod B: 1 → 2")
