"""Mutants of HTTP policies on ports whose protocol is detected."""

from __future__ import annotations

from typing import Any

from tests.mutants.entry import FAIL, PASS, Area, mutant
from tests.mutants.mutant import Object, of_kind
from tests.mutants.places import DETECTED

PORTS = ("no name", "named auto")


def _rules(objects: list[Object]) -> list[dict[str, Any]]:
    return [rule for body in of_kind(objects, "AuthorizationPolicy", "get-ip") for rule in body["spec"]["rules"]]


@mutant(
    "detected-port-every-method",
    Area.AUTHORIZATION,
    DETECTED,
    {f"X-PORT-02[{port}, method]": FAIL for port in PORTS} | {f"X-PORT-02[{port}, path]": PASS for port in PORTS},
    nightly=True,
)
def every_method(objects: list[Object]) -> None:
    """On a port whose protocol is detected, the rules name paths and no methods."""
    for rule in _rules(objects):
        rule["to"][0]["operation"].pop("methods")


@mutant(
    "detected-port-every-caller",
    Area.AUTHORIZATION,
    DETECTED,
    {f"X-PORT-04[{port}, no identity]": FAIL for port in PORTS},
    nightly=True,
)
def every_caller(objects: list[Object]) -> None:
    """On a port whose protocol is detected, the rule for one namespace has lost its source."""
    for rule in _rules(objects):
        rule.pop("from", None)


@mutant(
    "detected-port-of-the-service",
    Area.AUTHORIZATION,
    DETECTED,
    {f"{control}[{port}]": FAIL for control in ("X-PORT-01", "X-PORT-03") for port in PORTS},
    nightly=True,
)
def port_of_the_service(objects: list[Object]) -> None:
    """On a port whose protocol is detected, the rules name the Service's port, which no request arrives at."""
    for rule in _rules(objects):
        rule["to"][0]["operation"]["ports"] = ["8000"]


@mutant(
    "detected-port-not-strict",
    Area.MTLS,
    DETECTED,
    {f"X-PORT-05[{port}]": FAIL for port in PORTS},
    nightly=True,
)
def not_strict(objects: list[Object]) -> None:
    """On a port whose protocol is detected, PERMISSIVE is where STRICT is meant."""
    for body in of_kind(objects, "PeerAuthentication", "strict"):
        body["spec"]["mtls"]["mode"] = "PERMISSIVE"
