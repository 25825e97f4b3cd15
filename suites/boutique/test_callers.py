"""Without any refusal: the caller that the frontend's sidecar identifies, for plaintext and for mutual TLS."""

from __future__ import annotations

import pytest

from clients.model.stage import Stage
from suites.boutique.callers import is_another, is_unknown, proves_itself
from suites.boutique.workloads import ENVIRONMENT, FRONTEND, MUTUAL, PLAIN, THROUGH_GATEWAY, client

STAGE = Stage(
    "shop-callers",
    title="Boutique: the frontend's sidecar identifies callers by certificate",
    environment=ENVIRONMENT,
    apply=("boutique/callers/callers.yaml",),
    needs=frozenset({"auto-mtls"}),
)


@pytest.mark.control("BTQ-ACCESS-05")
def test_plain_from_the_proxys_user_mutual_from_the_application(observe, stage):
    plain, mutual = is_unknown(stage.rig, PLAIN), proves_itself(stage.rig, MUTUAL)
    expected = "200 twice; the first counted without peer identity, the second with that of productcatalogservice"
    observe("BTQ-ACCESS-05", expected, lambda: plain.problem("BTQ-ACCESS-05") or mutual.problem("BTQ-ACCESS-05"))


@pytest.mark.control("X-BTQ-INGRESS-01")
def test_the_gateway_is_known(observe, stage):
    counted = proves_itself(stage.rig, THROUGH_GATEWAY)
    expected = "requests through the ingress gateway are counted with the gateway's own identity"
    observe("X-BTQ-INGRESS-01", expected, lambda: counted.problem("X-BTQ-INGRESS-01"))


@pytest.mark.control("X-BTQ-NAME-01")
def test_another_account_is_not_taken_for_it(observe, stage):
    counted = is_another(stage.rig, client("cart").get(FRONTEND))
    expected = "requests of cartservice are not counted as those of productcatalogservice or of the ingress gateway"
    observe("X-BTQ-NAME-01", expected, lambda: counted.problem("X-BTQ-NAME-01"))
