"""Mutants of the egress gateway's policies that allow what is almost what they name: a host, a team, a path."""

from __future__ import annotations

from typing import Any

from tests.mutants.entry import FAIL, PASS, Area, cases, mutant
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import EGRESS

_X, _Y = "egress-team-x-to-example-com", "egress-team-y-to-httpbin-teapot"
_OTHER_PORT = "another port of the gateway"
_BEGINS, _ENDS, _BELOW = "name that begins so", "name that ends so", "subdomain"


def _specs(objects: list[Object], kind: str, name: str = "") -> list[dict[str, Any]]:
    return [body["spec"] for body in of_kind(objects, kind, name)]


def _operations(objects: list[Object], policy: str) -> list[dict[str, Any]]:
    return [spec["rules"][0]["to"][0]["operation"] for spec in _specs(objects, "AuthorizationPolicy", policy)]


def _sources(objects: list[Object], policy: str) -> list[dict[str, Any]]:
    return [spec["rules"][0]["from"][0]["source"] for spec in _specs(objects, "AuthorizationPolicy", policy)]


_FIRST = cases("EGR-AUTHZ-01 02 03 06 07", PASS)
_SECOND = cases("EGR-AUTHZ-05", PASS) | {"EGR-AUTHZ-04[*]": PASS}


@mutant(
    "egress-host-by-prefix",
    Area.AUTHORIZATION,
    EGRESS,
    _FIRST | {f"X-EGR-AUTHZ-LIKE[{_BEGINS}]": FAIL, f"X-EGR-AUTHZ-LIKE[{_ENDS}]": PASS},
    nightly=True,
)
def host_by_prefix(objects: list[Object]) -> None:
    """The gateway's first policy allows every host whose name begins like the allowed one's."""
    for operation in _operations(objects, _X):
        operation["hosts"] = ["example.com*"]


@mutant(
    "egress-host-by-suffix",
    Area.AUTHORIZATION,
    EGRESS,
    _FIRST | {f"X-EGR-AUTHZ-LIKE[{_ENDS}]": FAIL, f"X-EGR-AUTHZ-LIKE[{_BEGINS}]": PASS},
    nightly=True,
)
def host_by_suffix(objects: list[Object]) -> None:
    """The gateway's first policy allows every host whose name ends like the allowed one's."""
    for operation in _operations(objects, _X):
        operation["hosts"] = ["*example.com"]


@mutant(
    "egress-host-with-subdomains",
    Area.AUTHORIZATION,
    EGRESS,
    _FIRST | {f"X-EGR-AUTHZ-LIKE[{_BELOW}]": FAIL, f"X-EGR-AUTHZ-LIKE[{_ENDS}]": PASS},
)
def host_with_subdomains(objects: list[Object]) -> None:
    """The gateway's first policy allows the subdomains of the allowed host as well."""
    for operation in _operations(objects, _X):
        operation["hosts"].append("*.example.com")


@mutant(
    "egress-team-by-prefix",
    Area.AUTHORIZATION,
    EGRESS,
    _FIRST | {f"X-EGR-TENANT-LIKE[{_BEGINS}]": FAIL, f"X-EGR-TENANT-LIKE[{_ENDS}]": PASS},
)
def team_by_prefix(objects: list[Object]) -> None:
    """The gateway's first policy allows every namespace whose name begins like the team's."""
    for source in _sources(objects, _X):
        source["namespaces"] = [f"{name}*" for name in source["namespaces"]]


@mutant(
    "egress-team-by-suffix",
    Area.AUTHORIZATION,
    EGRESS,
    _FIRST | {f"X-EGR-TENANT-LIKE[{_ENDS}]": FAIL, f"X-EGR-TENANT-LIKE[{_BEGINS}]": PASS},
    nightly=True,
)
def team_by_suffix(objects: list[Object]) -> None:
    """The gateway's first policy allows every namespace whose name ends like the team's."""
    for source in _sources(objects, _X):
        source["namespaces"] = ["*-team-x"]


@mutant(
    "egress-port-not-asked",
    Area.AUTHORIZATION,
    EGRESS,
    _FIRST | {f"X-EGR-AUTHZ-LIKE[{_OTHER_PORT}]": FAIL, f"X-EGR-AUTHZ-LIKE[{_BELOW}]": PASS},
    {f"X-EGR-AUTHZ-LIKE[{_OTHER_PORT}]": "saw 200"},
)
def port_not_asked(objects: list[Object]) -> None:
    """The gateway's first policy names no port."""
    for spec in _specs(objects, "AuthorizationPolicy", _X):
        spec["rules"][0].pop("when")


@mutant(
    "second-port-not-asked",
    Area.AUTHORIZATION,
    EGRESS,
    _SECOND | {f"X-EGR-AUTHZ-EVERY[{_OTHER_PORT}]": FAIL},
    {f"X-EGR-AUTHZ-EVERY[{_OTHER_PORT}]": "saw 418"},
    nightly=True,
)
def second_port_not_asked(objects: list[Object]) -> None:
    """The gateway's second policy names no port."""
    for spec in _specs(objects, "AuthorizationPolicy", _Y):
        spec["rules"][0].pop("when")


def _of_the_second(name: str, field: str, value: str, failing: str, passing: str, says: str) -> None:
    """Register a mutant that replaces one field of the gateway's second policy."""

    def change(objects: list[Object]) -> None:
        for operation, source in zip(_operations(objects, _Y), _sources(objects, _Y), strict=True):
            (source if field == "namespaces" else operation)[field] = [value]

    change.__doc__ = says
    verdicts = _SECOND | {f"X-EGR-AUTHZ-EVERY[{failing}]": FAIL, f"X-EGR-AUTHZ-EVERY[{passing}]": PASS}
    mutant(name, Area.AUTHORIZATION, EGRESS, verdicts, nightly=True)(change)


_of_the_second(
    "second-host-by-prefix",
    "hosts",
    "httpbin.org*",
    f"host, {_BEGINS}",
    f"host, {_ENDS}",
    "The gateway's second policy allows every host whose name begins like the allowed one's.",
)
_of_the_second(
    "second-host-by-suffix",
    "hosts",
    "*httpbin.org",
    f"host, {_ENDS}",
    f"host, {_BEGINS}",
    "The gateway's second policy allows every host whose name ends like the allowed one's.",
)
_of_the_second(
    "second-team-by-suffix",
    "namespaces",
    "*-team-y",
    f"team, {_ENDS}",
    f"team, {_BEGINS}",
    "The gateway's second policy allows every namespace whose name ends like the team's.",
)
_of_the_second(
    "second-path-by-prefix",
    "paths",
    "/status/418*",
    "path that begins so",
    "path that ends so",
    "The gateway's second policy allows every path that begins like the allowed one.",
)
_of_the_second(
    "second-path-by-suffix",
    "paths",
    "*/status/418",
    "path that ends so",
    "path that begins so",
    "The gateway's second policy allows every path that ends like the allowed one.",
)
