"""`gateway-api.yaml`: what a run proved of Kubernetes' Gateway API, in the form of that project's ConformanceReport.

The type is `ConformanceReport` of gateway.networking.k8s.io/v1 (kubernetes-sigs/gateway-api, conformance/apis/v1). Its
profiles are those of that project's own tests, which meshproof does not run. So the one profile here has a name that no
profile of theirs has, its statistics count controls of meshproof, and its summary says so; `docs/report.md` has what it
does not claim.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import yaml

from clients.model.api_groups import GATEWAY_API
from reports.marks import Mark, mark
from reports.record.model import Report

FILE = "gateway-api.yaml"
PREFIX = "X-GWAPI-"
"""Of the controls that are about this API."""
PROFILE = "MESHPROOF-FRONT-DOOR"
DEFINITIONS = "Gateway API"
"""Entry of the target's configuration: release and channel of the API's definitions, as `v1.4.0 standard`."""
_FAILED = frozenset({Mark.FAIL, Mark.KNOWN})
_NOT_PROVEN = frozenset({Mark.SKIP, Mark.INCONCLUSIVE, Mark.NOT_RUN, Mark.REDUCED})
"""A control of reduced proof is not counted as passed: the form has no word for it."""
_NOTE = (
    "These are controls of meshproof ({prefix}*), not the conformance tests of Gateway API. Those were not run, "
    "and their profiles are not judged."
)


def render(report: Report) -> str:
    """The whole file; empty where the run tried no control of this API."""
    marks = _marks(report)
    if all(its <= {Mark.SKIP, Mark.NOT_RUN} for its in marks.values()):
        return ""
    return yaml.safe_dump(_document(report, marks), sort_keys=False, allow_unicode=True, width=120)


def _marks(report: Report) -> dict[str, set[str]]:
    """Control → marks of its cases."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for case in report.cases:
        if case.control.startswith(PREFIX):
            found[case.control].add(mark(case))
    for name in report.not_run:
        if name.startswith(PREFIX):
            found[name.partition("[")[0]].add(Mark.NOT_RUN)
    for control in report.about.controls if report.about else ():
        if control.id.startswith(PREFIX) and control.id not in found:
            found[control.id].add(Mark.NOT_RUN)  # a run of some of them is no success of all
    return dict(sorted(found.items()))


def _document(report: Report, marks: dict[str, set[str]]) -> dict[str, Any]:
    mesh = report.target.mesh
    release, _, channel = report.target.configuration.get(DEFINITIONS, "").partition(" ")
    return {
        "apiVersion": f"{GATEWAY_API}/v1",
        "kind": "ConformanceReport",
        "date": report.run.ended or report.run.started,
        "gatewayAPIVersion": release,
        "gatewayAPIChannel": channel,
        "mode": "default",
        "implementation": {
            "organization": mesh.name,
            "project": mesh.flavour or mesh.name,
            "url": "https://istio.io/" if mesh.name == "istio" else "",
            "version": mesh.version,
            "contact": [],  # the mesh's project has not sent this report
        },
        "profiles": [_profile(marks)],
    }


def _profile(marks: dict[str, set[str]]) -> dict[str, Any]:
    failed = [name for name, its in marks.items() if its & _FAILED]
    open_ = [name for name, its in marks.items() if its & _NOT_PROVEN and name not in failed]
    passed = len(marks) - len(failed) - len(open_)
    result = "failure" if failed else "partial" if open_ else "success"
    core: dict[str, Any] = {
        "result": result,
        "statistics": {"Passed": passed, "Failed": len(failed), "Skipped": len(open_)},
    }
    core |= {"skippedTests": open_} if open_ else {}
    core |= {"failedTests": failed} if failed else {}
    counted = f"{passed} of {len(marks)} controls proven, {len(failed)} failed, {len(open_)} not proven in full."
    return {"name": PROFILE, "summary": f"{counted} {_NOTE.format(prefix=PREFIX)}", "core": core}
