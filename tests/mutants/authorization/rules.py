"""Mutants of authorization: rules that allow more, or less, than they seem to."""

from __future__ import annotations

import copy
from typing import Any

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.filters import lua
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import EGRESS, FRONT, IAP, TOKENS

_POLICY = "AuthorizationPolicy"
_SAW_200 = {"LAB-AUTHZ-02": "saw 200"}
_NO_TOKEN = cases("LAB-AUTHZ-02", FAIL)


def _spec(objects: list[Object], name: str) -> list[dict[str, Any]]:
    return [body["spec"] for body in of_kind(objects, _POLICY, name)]


def _operations(objects: list[Object], name: str) -> list[dict[str, Any]]:
    rules = (rule for spec in _spec(objects, name) for rule in spec["rules"])
    return [to["operation"] for rule in rules for to in rule.get("to", ())]


@mutant("any-workload", Area.AUTHORIZATION, TOKENS, _NO_TOKEN, _SAW_200, nightly=True)
def any_workload(objects: list[Object]) -> None:
    """The rule asks for any identity of the mesh where it should ask for a token."""
    for spec in _spec(objects, "require-jwt"):
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
    for spec in _spec(objects, "require-jwt"):
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
    for spec in _spec(objects, "require-jwt"):
        spec["rules"].append({"to": [{"operation": {"paths": ["/anything/*"]}}]})


@mutant("from-nobody-in-particular", Area.AUTHORIZATION, TOKENS, _NO_TOKEN, _SAW_200, nightly=True)
def from_any_source(objects: list[Object]) -> None:
    """The rule has a path and no source: every caller matches."""
    for spec in _spec(objects, "require-jwt"):
        spec["rules"] = [{"to": [{"operation": {"paths": ["/*"]}}]}]


@mutant("empty-rule", Area.AUTHORIZATION, TOKENS, _NO_TOKEN, _SAW_200, nightly=True)
def empty_rule(objects: list[Object]) -> None:
    """The policy's one rule is empty, which matches every request."""
    for spec in _spec(objects, "require-jwt"):
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
    for spec in _spec(objects, "require-jwt"):
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
    for operation in _operations(objects, "require-jwt"):
        operation["ports"] = ["8000"]


@mutant("every-path", Area.AUTHORIZATION, TOKENS, cases("LAB-PATH-02", FAIL), nightly=True)
def every_path(objects: list[Object]) -> None:
    """The rule's path has an asterisk too many."""
    for operation in _operations(objects, "require-jwt"):
        operation["paths"] = ["/*"]


@mutant(
    "every-method", Area.AUTHORIZATION, TOKENS, cases("LAB-PATH-04", FAIL) | cases("LAB-PATH-02", PASS), nightly=True
)
def every_method(objects: list[Object]) -> None:
    """The rule names a path and no method."""
    for operation in _operations(objects, "require-jwt"):
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
    for operation in _operations(objects, "require-jwt"):
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
    for operation in _operations(objects, "require-jwt"):
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
    for operation in _operations(objects, "require-jwt"):
        operation["notPaths"] = operation.pop("paths")


@mutant("team-not-asked", Area.AUTHORIZATION, EGRESS, {"EGR-ORIG-06[GET]": FAIL}, nightly=True)
def team_not_asked(objects: list[Object]) -> None:
    """The gateway's policy names the host and no team."""
    for spec in _spec(objects, "egress-team-x-to-example-com"):
        spec["rules"][0].pop("from")


@mutant("host-not-asked", Area.AUTHORIZATION, EGRESS, cases("EGR-AUTHZ-02 06", FAIL), nightly=True)
def host_not_asked(objects: list[Object]) -> None:
    """The gateway's policy names the team and no host."""
    for operation in _operations(objects, "egress-team-x-to-example-com"):
        operation["hosts"] = ["*"]


@mutant(
    "path-too-wide",
    Area.AUTHORIZATION,
    EGRESS,
    {"EGR-AUTHZ-04[/status/200]": FAIL, "EGR-AUTHZ-04[/]": PASS} | cases("EGR-AUTHZ-05", PASS),
    nightly=True,
)
def path_too_wide(objects: list[Object]) -> None:
    """The gateway's second policy allows all statuses instead of one."""
    for operation in _operations(objects, "egress-team-y-to-httpbin-teapot"):
        operation["paths"] = ["/status/*"]


def _one_less(rule: int, name: str = "who-and-what") -> Any:
    def change(objects: list[Object]) -> None:
        for spec in _spec(objects, name):
            del spec["rules"][rule]

    return change


def _of_the_door(name: str, variant: str, rule: int, says: str) -> None:
    """Register a mutant that lacks one of the four rules of the door."""
    change = _one_less(rule)
    change.__doc__ = says
    mutant(name, Area.AUTHORIZATION, FRONT, {f"X-DOOR-AUTHZ-01[{variant}]": FAIL}, nightly=True)(change)


_of_the_door("host-rule-lost", "host", 0, "The gateway's policy lacks its rule on hosts.")
_of_the_door("method-rule-lost", "method", 1, "The gateway's policy lacks its rule on methods.")
_of_the_door("template-rule-lost", "template of the path", 2, "The gateway's policy lacks its rule on path templates.")
_of_the_door("address-rule-lost", "address of the client", 3, "The gateway's policy lacks its rule on addresses.")


@mutant("denial-audited", Area.AUTHORIZATION, FRONT, cases("CRA-AUTH-01", FAIL), nightly=True)
def denial_audited(objects: list[Object]) -> None:
    """The gateway's DENY is an AUDIT."""
    for spec in _spec(objects, "api-origin-auth"):
        spec["action"] = "AUDIT"


@mutant("denial-allows", Area.AUTHORIZATION, FRONT, cases("CRA-AUTH-01 03", FAIL), nightly=True)
def denial_allows(objects: list[Object]) -> None:
    """The gateway's DENY is an ALLOW: what it should refuse is all that it lets pass."""
    for spec in _spec(objects, "api-origin-auth"):
        spec["action"] = "ALLOW"


@mutant(
    "preflight-of-everybody",
    Area.GATEWAY,
    FRONT,
    {"X-DOOR-CORS-02[preflight of another origin]": FAIL, "X-DOOR-CORS-02[request without a token]": PASS},
    nightly=True,
)
def preflight_of_every_origin(objects: list[Object]) -> None:
    """Pages of every origin may call the API."""
    for body in of_kind(objects, "VirtualService", "cors"):
        body["spec"]["http"][0]["corsPolicy"]["allowOrigins"] = [{"regex": ".*"}]


@mutant("exempt-prefix", Area.AUTHORIZATION, IAP, {"IAP-RCT-04[exactly]": FAIL}, nightly=True)
def exempt_prefix(objects: list[Object]) -> None:
    """The path that needs no token is a prefix."""
    for operation in _operations(objects, "ingressgateway"):
        operation["notPaths"] = ["/healthz/ready*"]


def _without_claim(number: int, name: str, says: str, variants: tuple[str, ...]) -> None:
    def change(objects: list[Object]) -> None:
        for spec in _spec(objects, "context-aware"):
            del spec["rules"][0]["when"][number]

    change.__doc__ = says
    verdicts = {f"X-IAP-CLAIM-02[{variant}]": FAIL for variant in variants}
    mutant(name, Area.AUTHORIZATION, IAP, verdicts, nightly=True)(change)


def _for_reading_only(objects: list[Object], name: str) -> None:
    for operation in _operations(objects, name):
        operation["methods"] = ["GET", "HEAD"]


@mutant(
    "a-token-for-reading-only",
    Area.AUTHORIZATION,
    FRONT,
    cases("CRA-AUTH-01", PASS) | {"X-FRONT-TOKEN-03[POST]": FAIL, "X-FRONT-TOKEN-03[HEAD]": PASS},
    nightly=True,
)
def a_token_for_reading_only(objects: list[Object]) -> None:
    """The gateway requires a token of the methods that read, and of no other."""
    _for_reading_only(objects, "api-origin-auth")


@mutant(
    "iaps-token-for-reading-only",
    Area.AUTHORIZATION,
    IAP,
    cases("IAP-RCT-03", PASS) | {"X-IAP-EVERY[POST]": FAIL, "X-IAP-EVERY[HEAD]": PASS},
    nightly=True,
)
def iaps_token_for_reading_only(objects: list[Object]) -> None:
    """The gateway requires IAP's token of the methods that read, and of no other."""
    _for_reading_only(objects, "ingressgateway")


@mutant(
    "one-path-and-every-post",
    Area.AUTHORIZATION,
    EGRESS,
    cases("EGR-AUTHZ-05", PASS) | {"X-EGR-AUTHZ-EVERY[POST]": FAIL, "X-EGR-AUTHZ-EVERY[PUT]": PASS},
    nightly=True,
)
def one_path_and_every_post(objects: list[Object]) -> None:
    """One more rule at the egress gateway lets every POST of the team out."""
    for body in of_kind(objects, _POLICY):
        if body["metadata"]["name"].startswith("egress-team-y"):
            rule = copy.deepcopy(body["spec"]["rules"][0])
            rule["to"] = [{"operation": {"methods": ["POST"]}}]
            body["spec"]["rules"].append(rule)


_without_claim(
    0,
    "group-not-asked",
    "Access does not depend on the group.",
    ("staff, but no administrator", "a group whose name begins like the administrators'"),
)
_without_claim(
    2,
    "device-not-asked",
    "Access does not depend on the device.",
    ("another device", "a device whose name begins like the trusted one's"),
)


@mutant("refuses-the-harness-only", Area.LIES, TOKENS, _NO_TOKEN, nightly=True)
def refuses_the_harness_only(objects: list[Object]) -> None:
    """The policy refuses requests that carry the harness's own user agent, and lets all others pass."""
    for spec in _spec(objects, "require-jwt"):
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
