"""The objects of the roles, as YAML with the reason of each rule: for `deploy/rbac/`, and for the chart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clients.kube.labels import MANAGED_BY_LABEL, MANAGER
from runner.config.right import Condition, Right
from runner.config.rights import LEASE_NAMESPACE, RBAC, ROOT_NAMESPACE

WRITABLE = "meshproof.dev/writable"
"""Label of a user's namespace in which a run may create policies: that of the egress gateway under test."""

_ROLE = """\
---
apiVersion: {group}/v1
kind: {kind}
metadata:
  name: {name}
{namespace}rules:
"""

_BINDING = """\
---
apiVersion: {group}/v1
kind: {kind}Binding
metadata:
  name: {name}
{namespace}roleRef:
  apiGroup: {group}
  kind: {kind}
  name: {name}
subjects:
  - kind: ServiceAccount
    name: {account}
    namespace: {home}
"""

_CONFINED = """\
---
# Keeps what this account writes in its own namespaces, whatever the roles above would let it.
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {name}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: ["*"]
        apiVersions: ["*"]
        operations: [CREATE, UPDATE, DELETE]
        resources: ["*"]
  matchConditions:
    - name: this-account
      expression: request.userInfo.username == "system:serviceaccount:{home}:{account}"
  variables:
    - name: before
      expression: "request.operation == 'CREATE' ? object : oldObject"
    - name: labels
      expression: >-
        request.resource.resource == 'namespaces'
        ? (has(variables.before.metadata.labels) ? variables.before.metadata.labels : {{}})
        : (namespaceObject != null && has(namespaceObject.metadata.labels) ? namespaceObject.metadata.labels : {{}})
    - name: resource
      expression: request.resource.group + '/' + request.resource.resource
  validations:
    - message: {manager} writes in namespaces of its own runs only
      expression: >-
        ('{managed}' in variables.labels
            && variables.labels['{managed}'] == '{manager}')
        || (request.resource.resource != 'namespaces'
            && '{writable}' in variables.labels && variables.labels['{writable}'] == 'true')
        || (request.namespace == '{lease}' && variables.resource == 'coordination.k8s.io/leases'
            && variables.before.metadata.name == '{manager}')
        || (request.dryRun && (request.namespace == '{lease}' || variables.resource == '/pods'))
        || request.resource.group == 'authorization.k8s.io'{more}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {name}
spec:
  policyName: {name}
  validationActions: [Deny]
"""

_ROOT = """
        || (request.namespace == '{root}' && variables.resource == 'security.istio.io/peerauthentications')"""


@dataclass(frozen=True)
class Names:
    """Names in the objects; the chart has expressions of its templates here.

    Attributes:
        name: of the roles and their bindings, of the admission policy and its binding.
        account, home: the service account, and its namespace.
        wide: lines around what only a run with `--allow-mesh-wide` may do: a condition of a template, or nothing.
    """

    name: str
    account: str
    home: str
    wide: tuple[str, str] = ("", "")


def roles(rights: Iterable[Right], names: Names) -> str:
    """The roles that grant these rights, and their bindings."""
    listed = list(rights)
    return "".join(
        part
        for namespace in dict.fromkeys(right.namespace for right in listed)
        for part in _role(namespace, [right for right in listed if right.namespace == namespace], names)
    )


def confinement(names: Names, *, mesh_wide: bool) -> str:
    """The admission policy that keeps the account in its own namespaces, and its binding."""
    begin, end = names.wide
    more = begin + _ROOT.format(root=ROOT_NAMESPACE) + end if mesh_wide else ""
    return _CONFINED.format(more=more, managed=MANAGED_BY_LABEL, lease=LEASE_NAMESPACE, **_words(names))


def _words(names: Names) -> dict[str, str]:
    fixed = {"writable": WRITABLE, "manager": MANAGER}
    return {"name": names.name, "account": names.account, "home": names.home, **fixed}


def _role(namespace: str, rights: list[Right], names: Names) -> Iterator[str]:
    words = {
        "group": RBAC,
        "kind": "Role" if namespace else "ClusterRole",
        "namespace": f"  namespace: {namespace}\n" if namespace else "",
        **_words(names),
    }
    begin, end = names.wide if all(right.condition is Condition.MESH_WIDE for right in rights) else ("", "")
    yield f"{begin.lstrip()}\n" if begin else ""
    yield _ROLE.format(**words)
    yield from map(_rule, rights)
    yield _BINDING.format(**words)
    yield f"{end.lstrip()}\n" if end else ""


def _rule(right: Right) -> str:
    without = f" Without it, {right.without}." if right.without else ""
    comment = "".join(f"  # {line}\n" for line in _lines(f"{right.why[0].upper()}{right.why[1:]}.{without}", 114))
    groups, resources, verbs = (json.dumps(list(each)) for each in ([right.group], right.resources, right.verbs))
    wrapped = "\n      ".join(_lines(f"resources: {resources}", 114))
    named = f"    resourceNames: {json.dumps(list(right.names))}\n" if right.names else ""
    return f"{comment}  - apiGroups: {groups}\n    {wrapped}\n{named}    verbs: {verbs}\n"


def _lines(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{word}"
    return lines
