"""What the suite of IAP reads from a workload's echo."""

from __future__ import annotations

import json

import jwt
import pytest

from suites.iap.test_rctoken import audience_problem

pytestmark = pytest.mark.unit
KEY = "a key that is long enough for HMAC and SHA-256"


def echo(*values: str) -> str:
    return json.dumps({"headers": {"Ingress-Authorization": list(values)} if values else {}})


def token(**claims: str) -> str:
    return "Istio " + jwt.encode(claims, KEY, algorithm="HS256")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (echo(token(aud="mine")), None),
        (echo(token(aud="other")), "the audience is 'other'"),
        (echo(token(sub="somebody")), "the audience is None"),
        (echo(), "no token arrived"),
        (echo("Istio not-a-token"), "what arrived cannot be read: Not enough segments"),
        ("<html>", "what arrived cannot be read: the body is not a list of request headers: '<html>'"),
    ],
)
def test_a_token_that_does_not_arrive_is_a_problem_of_the_mesh(body: str, problem: str | None) -> None:
    """The gateway that keeps it to itself made the case inconclusive."""
    assert audience_problem(body, "mine") == problem
