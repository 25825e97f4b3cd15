"""A DENY by method by HTTP/1.1, whose proxies know the methods' letters; HTTP/2 is in the advisories' controls."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import body_contains, rbac_denied, status
from clients.model.stage import Settle, Stage
from suites.traps.workloads import ENVIRONMENT, HTTPBIN, MESH

POST = MESH.post(f"{HTTPBIN}/anything", body='{"id": "{id}"}', headers=(("content-type", "application/json"),))
PUT = replace(POST, method="PUT")

STAGE = Stage(
    "traps-methods",
    title="DENY of one method",
    environment=ENVIRONMENT,
    apply=("traps/methods/deny-post.yaml",),
    settle=(Settle(POST, rbac_denied(), before=status(200)),),
)

CASES = [
    Case("X-TRAP-METHOD-01", POST, rbac_denied(), before=status(200), twin=PUT),
    Case("X-TRAP-METHOD-02", replace(POST, method="post"), status(400), twin=PUT),
    Case("X-TRAP-METHOD-03", PUT, status(200, body_contains('"method": "PUT"'))),
    Case("X-TRAP-METHOD-03", replace(PUT, http2=True), status(200, body_contains('"method": "PUT"')), variant="HTTP/2"),
]


def test_case(case, prove):
    prove(case)
