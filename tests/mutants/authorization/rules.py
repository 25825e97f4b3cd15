"""Mutants of authorization: rules that allow more, or less, than they seem to."""

from __future__ import annotations

import copy

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.filters import lua
from tests.mutants.mutant import Object, of_kind, policy_operations, policy_specs
from tests.mutants.places import TOKENS

_POLICY = "AuthorizationPolicy"
_SAW_200 = {"LAB-AUTHZ-02": "saw 200"}
_NO_TOKEN = cases("LAB-AUTHZ-02", FAIL)


@mutant("any-workload", Area.AUTHORIZATION, TOKENS, _NO_TOKEN, _SAW_200, nightly=True)
def any_workload(objects: list[Object]) -> None:
    """The rule asks for any identity of the mesh where it should ask for a token."""
    for spec in policy_specs(objects, "require-jwt"):
        spec["rules"][0]["from"] = [{"source": {"principals": ["*"]}}]


@mutant(
    "a-method-without-a-token",
    Area.AUTHORIZATION,
    TOKENS,
    cases("LAB-AUTHZ-02", PASS) | {"X-LAB-AUTHZ-EVERY[POST]": FAIL, "X-LAB-AUTHZ-EVERY[PUT]": PASS},
    {"X-LAB-AUTHZ-EVERY[POST]": "saw 200"},
    nightly=True,
)
def a_method_without_a_token(objects: list[Object]) -> None:
    """One more rule lets every POST in."""
    for spec in policy_specs(objects, "require-jwt"):
        spec["rules"].append({"to": [{"operation": {"methods": ["POST"]}}]})


@mutant(
    "a-path-without-a-token",
    Area.AUTHORIZATION,
    TOKENS,
    cases("LAB-AUTHZ-02", PASS) | {"X-LAB-AUTHZ-EVERY[a path below]": FAIL, "X-LAB-AUTHZ-EVERY[POST]": PASS},
    {"X-LAB-AUTHZ-EVERY[a path below]": "saw 200"},
    nightly=True,
)
def a_path_without_a_token(objects: list[Object]) -> None:
    """One more rule lets a part of the paths in."""
    for spec in policy_specs(objects, "require-jwt"):
        spec["rules"].append({"to": [{"operation": {"paths": ["/anything/*"]}}]})


@mutant("from-nobody-in-particular", Area.AUTHORIZATION, TOKENS, _NO_TOKEN, _SAW_200, nightly=True)
def from_any_source(objects: list[Object]) -> None:
    """The rule has a path and no source: every caller matches."""
    for spec in policy_specs(objects, "require-jwt"):
        spec["rules"] = [{"to": [{"operation": {"paths": ["/*"]}}]}]


@mutant("empty-rule", Area.AUTHORIZATION, TOKENS, _NO_TOKEN, _SAW_200, nightly=True)
def empty_rule(objects: list[Object]) -> None:
    """The policy's one rule is empty, which matches every request."""
    for spec in policy_specs(objects, "require-jwt"):
        spec["rules"] = [{}]


@mutant("allowed-twice", Area.AUTHORIZATION, TOKENS, _NO_TOKEN, _SAW_200, nightly=True)
def allowed_twice(objects: list[Object]) -> None:
    """A second policy, for the whole namespace, allows everything."""
    for body in list(of_kind(objects, _POLICY, "require-jwt")):
        second = copy.deepcopy(body)
        second["metadata"]["name"] = "allow-all"
        second["spec"] = {"action": "ALLOW", "rules": [{}]}
        objects.append(second)


@mutant("dry-run", Area.AUTHORIZATION, TOKENS, _NO_TOKEN, _SAW_200, nightly=True)
def dry_run(objects: list[Object]) -> None:
    """The policy is a dry run: the proxy notes what it would refuse, and lets it pass."""
    for body in of_kind(objects, _POLICY, "require-jwt"):
        body["metadata"].setdefault("annotations", {})["istio.io/dry-run"] = "true"


@mutant("audited-only", Area.AUTHORIZATION, TOKENS, _NO_TOKEN, _SAW_200, nightly=True)
def audited_only(objects: list[Object]) -> None:
    """The action is AUDIT, which refuses nothing."""
    for spec in policy_specs(objects, "require-jwt"):
        spec["action"] = "AUDIT"


@mutant("policy-of-another-revision", Area.AUTHORIZATION, TOKENS, _NO_TOKEN, _SAW_200, nightly=True)
def policy_of_another_revision(objects: list[Object]) -> None:
    """The policy has another revision's label, so the proxies of this control plane never see it."""
    for body in of_kind(objects, _POLICY, "require-jwt"):
        body["metadata"]["labels"]["istio.io/rev"] = "canary"


@mutant("policy-lost", Area.AUTHORIZATION, TOKENS, _NO_TOKEN, _SAW_200, nightly=True)
def policy_lost(objects: list[Object]) -> None:
    """The policy was never applied: tokens are verified, and none is required."""
    objects[:] = [body for body in objects if body["kind"] != _POLICY]


@mutant("port-of-the-service", Area.AUTHORIZATION, TOKENS, cases("LAB-PATH-01", FAIL), nightly=True)
def port_of_the_service(objects: list[Object]) -> None:
    """The rule names the port of the Service, where only that of the pod counts: it allows nothing."""
    for operation in policy_operations(objects, "require-jwt"):
        operation["ports"] = ["8000"]


@mutant("every-path", Area.AUTHORIZATION, TOKENS, cases("LAB-PATH-02", FAIL), nightly=True)
def every_path(objects: list[Object]) -> None:
    """The rule's path has an asterisk too many."""
    for operation in policy_operations(objects, "require-jwt"):
        operation["paths"] = ["/*"]


@mutant(
    "every-method", Area.AUTHORIZATION, TOKENS, cases("LAB-PATH-04", FAIL) | cases("LAB-PATH-02", PASS), nightly=True
)
def every_method(objects: list[Object]) -> None:
    """The rule names a path and no method."""
    for operation in policy_operations(objects, "require-jwt"):
        operation.pop("methods", None)


@mutant(
    "a-method-more",
    Area.AUTHORIZATION,
    TOKENS,
    cases("LAB-PATH-04", PASS) | {"X-LAB-PATH-EVERY[HEAD]": FAIL, "X-LAB-PATH-EVERY[PUT]": PASS},
    {"X-LAB-PATH-EVERY[HEAD]": "saw 200"},
    nightly=True,
)
def a_method_more(objects: list[Object]) -> None:
    """The rule allows HEAD next to GET."""
    for operation in policy_operations(objects, "require-jwt"):
        if "methods" in operation:
            operation["methods"].append("HEAD")


@mutant(
    "a-path-more",
    Area.AUTHORIZATION,
    TOKENS,
    cases("LAB-PATH-02", PASS) | {"X-LAB-PATH-EVERY[longer name]": FAIL, "X-LAB-PATH-EVERY[root]": PASS},
    {"X-LAB-PATH-EVERY[longer name]": "saw 404"},
    nightly=True,
)
def a_path_more(objects: list[Object]) -> None:
    """The rule allows each path that begins like the one that it is for."""
    for operation in policy_operations(objects, "require-jwt"):
        if "paths" in operation:
            operation["paths"] = ["/ip*"]


@mutant(
    "all-but-one-path",
    Area.AUTHORIZATION,
    TOKENS,
    cases("LAB-PATH-01 02", FAIL),
    nightly=True,
)
def all_but_one_path(objects: list[Object]) -> None:
    """The rule's path is negated."""
    for operation in policy_operations(objects, "require-jwt"):
        operation["notPaths"] = operation.pop("paths")


@mutant("refuses-the-harness-only", Area.LIES, TOKENS, _NO_TOKEN, nightly=True)
def refuses_the_harness_only(objects: list[Object]) -> None:
    """The policy refuses requests that carry the harness's own user agent, and lets all others pass."""
    for spec in policy_specs(objects, "require-jwt"):
        agents = {"key": "request.headers[user-agent]", "notValues": ["meshproof*"]}
        spec["rules"] = [*spec["rules"], {"when": [agents]}]


@mutant("a-quarter-leaks", Area.LIES, TOKENS, _NO_TOKEN, nightly=True)
def a_quarter_leaks(objects: list[Object]) -> None:
    """A quarter of the requests gets past the policy, at random."""
    _leak(objects, 0.25)


@mutant("one-in-twenty-leaks", Area.LIES, TOKENS, _NO_TOKEN, words=("--leak", "5%", "--budget", "20"), nightly=True)
def one_in_twenty_leaks(objects: list[Object]) -> None:
    """One request in twenty gets past the policy, at random."""
    _leak(objects, 0.05)


def _leak(objects: list[Object], share: float) -> None:
    """A filter marks a share of the requests, and the policy allows what is marked.

    Each of the proxy's threads would draw the same numbers in every run if it did not begin at another place.
    """
    code = f"""
math.randomseed(os.time() + math.floor(os.clock() * 1000000))
function envoy_on_request(handle)
  handle:headers():remove("x-mutant")
  if math.random() < {share} then handle:headers():add("x-mutant", "leak") end
end
"""
    for body in list(of_kind(objects, _POLICY, "require-jwt")):
        body["spec"]["rules"].append({"when": [{"key": "request.headers[x-mutant]", "values": ["leak"]}]})
        objects.append(lua(body, code, namespace="mtls-service", app="httpbin"))
