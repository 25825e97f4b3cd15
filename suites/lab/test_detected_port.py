"""HTTP policies on Service ports that do not name their protocol: sidecars detect it, also inside mutual TLS."""

from __future__ import annotations

from dataclasses import replace

from clients.model.case import Case
from clients.model.expect import rbac_denied, reset, status
from clients.model.probe import Workload
from clients.model.stage import Settle, Stage, Step
from suites.lab.workloads import ENVIRONMENT, LEGACY_CLIENT, MTLS_CLIENT

ANOTHER = Workload("mtls-client-of-mtls-client", "sleep", "sleep")
"""With a sidecar, in a namespace whose name begins and ends with that of the allowed one."""

SERVICES = {
    "no name": "http://httpbin.detected-service:8000",
    "named auto": "http://httpbin-auto.detected-service:8000",
}
STRICT = "strict"
UNNAMED = SERVICES["no name"]

STAGE = Stage(
    "detected-port",
    title="HTTP policies on ports whose protocol is detected",
    environment=(*ENVIRONMENT, "lab/detected-port/environment"),
    apply=("lab/detected-port/get-ip.yaml",),
    settle=tuple(
        Settle(client.get(f"{service}/user-agent"), rbac_denied())
        for client in (MTLS_CLIENT, LEGACY_CLIENT)
        for service in SERVICES.values()
    ),
    steps=(
        Step(
            STRICT,
            title="The same ports under STRICT",
            apply=("lab/detected-port/strict.yaml",),
            settle=(Settle(LEGACY_CLIENT.get(f"{UNNAMED}/ip"), reset()),),
        ),
    ),
)


def _by_policy(port: str, service: str) -> list[Case]:
    allowed, with_identity = MTLS_CLIENT.get(f"{service}/ip"), MTLS_CLIENT.get(f"{service}/headers")
    plain = LEGACY_CLIENT.get(f"{service}/ip")
    other_path, open_before = MTLS_CLIENT.get(f"{service}/user-agent"), status(200)
    return [
        Case("X-PORT-01", allowed, status(200), before=open_before, variant=port),
        Case("X-PORT-01", with_identity, status(200), before=open_before, variant=f"{port}, by identity"),
        Case("X-PORT-02", other_path, rbac_denied(), before=open_before, twin=allowed, variant=f"{port}, path"),
        Case(
            "X-PORT-02",
            MTLS_CLIENT.post(f"{service}/ip"),
            rbac_denied(),
            twin=allowed,
            variant=f"{port}, method",
        ),
        *(
            Case("X-PORT-02", way, rbac_denied(), twin=allowed, variant=f"{port}, {name}")
            for name, way in {
                "preflight": replace(allowed, method="OPTIONS"),
                "longer path": MTLS_CLIENT.get(f"{service}/ipx"),
                "method, by identity": MTLS_CLIENT.post(f"{service}/headers"),
            }.items()
        ),
        Case("X-PORT-03", plain, status(200), before=open_before, variant=port),
        Case(
            "X-PORT-04",
            LEGACY_CLIENT.get(f"{service}/headers"),
            rbac_denied(),
            before=open_before,
            twin=plain,
            variant=f"{port}, no identity",
        ),
        Case(
            "X-PORT-02",
            ANOTHER.get(f"{service}/headers"),
            rbac_denied(),
            before=open_before,
            twin=with_identity,
            variant=f"{port}, another identity",
        ),
    ]


def _under_strict(port: str, service: str) -> list[Case]:
    allowed, other_path = MTLS_CLIENT.get(f"{service}/ip"), MTLS_CLIENT.get(f"{service}/user-agent")
    plain = LEGACY_CLIENT.get(f"{service}/ip")
    return [
        Case("X-PORT-01", allowed, status(200), variant=f"{port}, STRICT", step=STRICT),
        Case("X-PORT-02", other_path, rbac_denied(), twin=allowed, variant=f"{port}, path, STRICT", step=STRICT),
        Case("X-PORT-05", plain, reset(), twin=allowed, variant=port, step=STRICT),
    ]


CASES = [case for make in (_by_policy, _under_strict) for named in SERVICES.items() for case in make(*named)]


def test_case(case, prove):
    prove(case)
