"""Whatever is sent from outside the mesh needs pods that are outside; it was stated for some of it only."""

from __future__ import annotations

from typing import Any

import pytest
from plan_fakes import planned_test

from clients.model.case import Case
from clients.model.expect import status
from clients.model.probe import Workload
from clients.model.stage import Settle, Stage, Step
from clients.probe.outside import through
from runner.config.catalogue import Control
from runner.session.needs.plaintext_needs import plaintext_needs
from runner.session.planned import Proves

pytestmark = pytest.mark.unit
INJECTED, PLAIN = Workload("mtls-client", "sleep", "sleep"), Workload("legacy-client", "sleep", "sleep")
BY_ITSELF, SHOP = Workload("team-x", "raw", "curl"), Workload("outside", "client", "client")
URL = "http://httpbin.mtls-service:8000/ip"
SETTLES = {"settle": (Settle(PLAIN.get(URL), status(200)),)}
NEEDED = {"plaintext-client"}


def proves(one: Case, **stage: Any) -> Proves:
    return Proves(planned_test("n"), Control("X-1", "t", "allow"), case=one, stage=Stage("s", **stage))


def case(client: Workload, **more: Any) -> Case:
    return Case("X-1", client.get(URL), status(200), **more)


@pytest.mark.parametrize(
    ("one", "stage", "needed"),
    [
        (case(INJECTED), {}, set()),
        (case(PLAIN), {}, NEEDED),
        (case(BY_ITSELF), {}, NEEDED),
        (case(SHOP), {}, NEEDED),
        (case(through(INJECTED)), {}, set()),  # by a gateway
        (case(INJECTED, twin=PLAIN.get(URL)), {}, NEEDED),
        (case(INJECTED), SETTLES, NEEDED),
        (
            case(INJECTED, step="next"),
            {"steps": (Step("next", **SETTLES),)},
            NEEDED,
        ),
        (case(INJECTED), {"steps": (Step("next", **SETTLES),)}, set()),
    ],
)
def test_a_client_without_a_sidecar_anywhere_counts(one: Case, stage: dict[str, Any], needed: set[str]) -> None:
    assert plaintext_needs(proves(one, **stage)) == needed
