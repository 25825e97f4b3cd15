"""Files generated from the table of rights: `python -m runner.config.rbac` writes `deploy/rbac/` and README's list."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator

from runner.config.right import Condition, Right
from runner.config.rights import LEASE_NAMESPACE, RBAC, RIGHTS, ROOT_NAMESPACE, wanted
from runner.config.settings import ROOT

NAME = "meshproof"
"""Name of the account, of its namespace, of its roles and of their bindings."""
FOLDER = "deploy/rbac"
NAMESPACED, MESH_WIDE = f"{FOLDER}/namespaced.yaml", f"{FOLDER}/mesh-wide.yaml"
WRITABLE = "meshproof.dev/writable"
"""Label of a user's namespace in which a run may create policies: that of the egress gateway under test."""
README = "README.md"
BEGIN, END = "<!-- rights: begin (python -m runner.config.rbac) -->", "<!-- rights: end -->"
_MANAGED = "app.kubernetes.io/managed-by"

_HEAD = """\
# Rights of a meshproof run{what}.
# Written by `python -m runner.config.rbac`, from the one table in runner/config/rights.py.
#
#   kubectl apply -f {file}
#   kubectl create token {name} --namespace {name} --duration 4h     # for a kubeconfig
#
# To use an identity of your own, name it in every `subjects` and in the expression `this-account`.
#
# The roles hold in all namespaces: the names of a run's own are not known before, and RBAC knows no patterns.
# The admission policy at the end confines what is written to
#   - namespaces with the label `{managed}={name}`, which are a run's own,
#   - the Lease `{name}` in `{lease}`,{more}
#   - namespaces that you label `{writable}=true`: that of `[egress] namespace`, where you set it.
# Kubernetes has such policies since 1.30; on an older one leave the last two objects out.
apiVersion: v1
kind: Namespace
metadata:
  name: {name}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {name}
  namespace: {name}
"""

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
    name: {name}
    namespace: {name}
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
      expression: request.userInfo.username == "system:serviceaccount:{name}:{name}"
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
    - message: {name} writes in namespaces of its own runs only
      expression: >-
        ('{managed}' in variables.labels
            && variables.labels['{managed}'] == '{name}')
        || (request.resource.resource != 'namespaces'
            && '{writable}' in variables.labels && variables.labels['{writable}'] == 'true')
        || (request.namespace == '{lease}' && variables.resource == 'coordination.k8s.io/leases'
            && variables.before.metadata.name == '{name}')
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


def file_for(*, mesh_wide: bool) -> str:
    """The file that grants what a run needs, by its path in the checkout."""
    return MESH_WIDE if mesh_wide else NAMESPACED


def manifest(*, mesh_wide: bool) -> str:
    """The text of that file."""
    lease = {"name": NAME, "writable": WRITABLE, "lease": LEASE_NAMESPACE, "managed": _MANAGED}
    more = f"\n#   - PeerAuthentications in `{ROOT_NAMESPACE}`," if mesh_wide else ""
    what = " that may change the whole mesh" if mesh_wide else ""
    parts = [_HEAD.format(what=what, file=file_for(mesh_wide=mesh_wide), more=more, **lease)]
    rights = wanted(mesh_wide=mesh_wide)
    for namespace in dict.fromkeys(right.namespace for right in rights):
        parts.extend(_role(namespace, [right for right in rights if right.namespace == namespace]))
    parts.append(_CONFINED.format(more=_ROOT.format(root=ROOT_NAMESPACE) if mesh_wide else "", **lease))
    return "".join(parts)


def _role(namespace: str, rights: Iterable[Right]) -> Iterator[str]:
    names = {
        "group": RBAC,
        "kind": "Role" if namespace else "ClusterRole",
        "name": NAME,
        "namespace": f"  namespace: {namespace}\n" if namespace else "",
    }
    yield _ROLE.format(**names)
    yield from map(_rule, rights)
    yield _BINDING.format(**names)


def _rule(right: Right) -> str:
    without = f" Without it, {right.without}." if right.without else ""
    comment = "".join(f"  # {line}\n" for line in _lines(f"{right.why[0].upper()}{right.why[1:]}.{without}", 114))
    groups, resources, verbs = (json.dumps(list(each)) for each in ([right.group], right.resources, right.verbs))
    wrapped = "\n      ".join(_lines(f"resources: {resources}", 114))
    return f"{comment}  - apiGroups: {groups}\n    {wrapped}\n    verbs: {verbs}\n"


def _lines(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{word}"
    return lines


def readme_list() -> str:
    """README's list of rights, between its two markers."""
    lines = [BEGIN]
    for condition in Condition:
        lines += ["", f"{condition.value.replace('--allow-mesh-wide', '`--allow-mesh-wide`').capitalize()}:", ""]
        lines += [_item(why, what) for why, what in _objects(condition).items()]
    return "\n".join([*lines, "", END])


def _objects(condition: Condition) -> dict[str, list[str]]:
    """By the reason, the objects with their verbs."""
    found: dict[str, list[str]] = {}
    for right in RIGHTS:
        if right.condition is condition:
            why = right.why + (f"; without it, {right.without}" if right.without else "")
            what = ", ".join(f"`{name}`" for name in right.resources) + (f" ({right.group})" if right.group else "")
            where = f" in `{right.namespace}`" if right.namespace else ""
            found.setdefault(why, []).append(f"{what}{where} ({', '.join(right.verbs)})")
    return found


def _item(why: str, what: Iterable[str]) -> str:
    text = f"- {why}: {'; '.join(what)}"
    return textwrap.fill(text, 118, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def in_readme(text: str) -> str:
    """README's text with the current list; nothing outside the two markers changes.

    Raises:
        ValueError: the markers are not there once each, in this order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{README} must have {BEGIN!r} and {END!r} once each; one of them was not found once")
    start = text.index(BEGIN)
    end = text.index(END, start) + len(END)
    return text[:start] + readme_list() + text[end:]


def main() -> None:
    """Write everything that is generated from the table."""
    (ROOT / FOLDER).mkdir(parents=True, exist_ok=True)
    for mesh_wide in (False, True):
        (ROOT / file_for(mesh_wide=mesh_wide)).write_text(manifest(mesh_wide=mesh_wide), encoding="utf-8")
    readme = ROOT / README
    readme.write_text(in_readme(readme.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
