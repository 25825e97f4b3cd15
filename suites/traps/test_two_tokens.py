"""Two issuers in two headers: the first good token ends the check, and another one is not even verified."""

from __future__ import annotations

from clients.model.case import Case
from clients.model.expect import Expectation, body_contains, echoes_header, rbac_denied, status
from clients.model.stage import Settle, Stage, Step
from clients.model.token import Token
from suites.traps.workloads import ENVIRONMENT, HTTPBIN, MESH

IN_HEADER = "x-scope-token: {}"
PEOPLE = Token("people", {"sub": "alice"})
SCOPE = Token("scopes", {"sub": "robot", "scope": "read"}, place=IN_HEADER)
GARBAGE = Token(text="garbage")
GARBAGE_SCOPE = Token(text="garbage", place=IN_HEADER)


def sends(*tokens: Token):
    return MESH.get(f"{HTTPBIN}/headers", tokens=tokens)


GOOD, NONE = sends(PEOPLE, SCOPE), sends()
BAD = sends(GARBAGE_SCOPE)
REFUSED = status(401, body_contains("Jwt is not in the form"))
LETS_GARBAGE_THROUGH: Expectation = status(200, echoes_header("x-scope-token", "garbage"))

STAGE = Stage(
    "traps-two-tokens",
    title="Two issuers, whose tokens come in two headers",
    environment=ENVIRONMENT,
    apply=("traps/two-tokens/two-issuers-two-headers.yaml",),
    settle=(Settle(BAD, REFUSED, before=status(200)),),
    steps=(
        Step(
            "need-scope",
            title="Two issuers, and a token of the second is required",
            apply=("traps/two-tokens/need-scope-issuer.yaml",),
            settle=(Settle(NONE, rbac_denied()),),
        ),
    ),
)

CASES = [
    Case("X-TRAP-TOKENS-01", GOOD, status(200)),
    Case("X-TRAP-TOKENS-02", sends(PEOPLE, GARBAGE_SCOPE), LETS_GARBAGE_THROUGH),
    Case("X-TRAP-TOKENS-03", sends(GARBAGE, SCOPE), status(200)),
    Case("X-TRAP-TOKENS-04", BAD, REFUSED, before=status(200), twin=GOOD),
    Case("X-TRAP-TOKENS-05", NONE, status(200)),
    Case("X-TRAP-TOKENS-06", GOOD, rbac_denied(), twin=sends(SCOPE), step="need-scope"),
    Case("X-TRAP-TOKENS-07", sends(SCOPE), status(200), step="need-scope"),
]


def test_case(case, prove):
    prove(case)
