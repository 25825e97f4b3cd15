"""The part of `meshproof doctor` about rights: which are missing, what each costs, and the file that grants it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from clients.kube.cluster import Cluster
from clients.model.errors import MeshproofError
from runner.commands.diagnosis import Diagnosis
from runner.config import rbac
from runner.config.right import Condition, Right
from runner.config.rights import ROOT_NAMESPACE, unknown, wanted
from runner.target.granted import Granted, granted


def diagnoses(
    found: Cluster, *, mesh_wide: bool, root: str = ROOT_NAMESPACE
) -> tuple[list[Diagnosis], tuple[Right, ...]]:
    """One for each right of the table, and the rights that the identity lacks, in whole or in part."""
    try:
        found_rights = granted(found, wanted(mesh_wide=mesh_wide, root=root))
    except MeshproofError as error:
        return [Diagnosis("rights", False, error.message, error.hint)], ()
    file = rbac.file_for(mesh_wide=mesh_wide)
    return [right(one, file) for one in found_rights], tuple(one.right for one in found_rights if not one.whole)


def right(one: Granted, file: str) -> Diagnosis:
    """Whether the identity has all of it; what is missing, what that costs, and the file that grants it."""
    where = f" in {one.right.namespace}" if one.right.namespace else ""
    name = f"right to {', '.join(one.right.verbs)} {one.right.kinds}{where}"
    if one.whole:
        return Diagnosis(name, True, "yes")
    detail = one.refusal or f"may not {', '.join(one.missing)}"
    optional = one.right.condition is Condition.OPTIONAL
    cost = f"without it, {one.right.without}" if optional else f"needed for: {one.right.why}"
    return Diagnosis(name, False, f"{detail} ({cost})", f"kubectl apply -f {file}", optional)


def not_known(capabilities: Collection[str], missing: Sequence[Right]) -> list[Diagnosis]:
    """Capabilities that the target may have, and that cannot be detected without a missing right."""
    names = {name for one in missing for name in one.reveals} - set(capabilities)
    return [
        Diagnosis(f"capability {name}", False, unknown(name, without=missing), optional=True) for name in sorted(names)
    ]
