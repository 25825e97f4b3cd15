"""Files generated from the table of rights: `deploy/rbac/`, the chart's roles, README's list.

`python -m runner.config.rbac` writes them.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

from clients.kube.labels import MANAGED_BY_LABEL
from runner.config.right import Condition
from runner.config.rights import LEASE_NAMESPACE, RIGHTS, ROOT_NAMESPACE, wanted
from runner.config.roles import WRITABLE, Names, confinement, roles
from runner.config.settings import ROOT

NAME = "meshproof"
"""Name of the account, of its namespace, of its roles and of their bindings."""
FOLDER = "deploy/rbac"
NAMESPACED, MESH_WIDE = f"{FOLDER}/namespaced.yaml", f"{FOLDER}/mesh-wide.yaml"
README = "README.md"
BEGIN, END = "<!-- rights: begin (python -m runner.config.rbac) -->", "<!-- rights: end -->"
CHART = "deploy/helm/meshproof/templates/rbac.yaml"
_CHART_HEAD = """\
{{- /* Written by `python -m runner.config.rbac`, from the one table in runner/config/rights.py. */}}
{{- if .Values.rbac.create }}
"""
_CONFINE = """\
{{- $policies := "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy" }}
{{- if and .Values.rbac.confine (.Capabilities.APIVersions.Has $policies) }}
"""

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


def file_for(*, mesh_wide: bool) -> str:
    """The file that grants what a run needs, by its path in the checkout."""
    return MESH_WIDE if mesh_wide else NAMESPACED


def manifest(*, mesh_wide: bool) -> str:
    """The text of that file."""
    words = {"name": NAME, "writable": WRITABLE, "lease": LEASE_NAMESPACE, "managed": MANAGED_BY_LABEL}
    more = f"\n#   - PeerAuthentications in `{ROOT_NAMESPACE}`," if mesh_wide else ""
    what = " that may change the whole mesh" if mesh_wide else ""
    names = Names(NAME, NAME, NAME)
    head = _HEAD.format(what=what, file=file_for(mesh_wide=mesh_wide), more=more, **words)
    return head + roles(wanted(mesh_wide=mesh_wide), names) + confinement(names, mesh_wide=mesh_wide)


_WHOLE_NAME = re.compile(r"(?m)^( *(?:name|namespace|policyName): )\{\{ (.*) \}\}$")


def template() -> str:
    """The text of the chart's template: the same objects, named by the release."""
    names = Names(
        '{{ include "meshproof.roles" . }}',
        '{{ include "meshproof.account" . }}',
        "{{ .Release.Namespace }}",
        ("\n        {{- if .Values.meshWide }}", "\n        {{- end }}"),
    )
    policy = confinement(names, mesh_wide=True)
    text = f"{_CHART_HEAD}{roles(wanted(mesh_wide=True), names)}{_CONFINE}{policy}{{{{- end }}}}\n{{{{- end }}}}\n"
    return _WHOLE_NAME.sub(r"\1{{ \2 | quote }}", text)  # a namespace may be called 123, or on


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
            what += "".join(f" `{name}`" for name in right.names)
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
    (ROOT / CHART).parent.mkdir(parents=True, exist_ok=True)
    (ROOT / CHART).write_text(template(), encoding="utf-8")
    readme = ROOT / README
    readme.write_text(in_readme(readme.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
