"""Labels and annotations of others: how Istio reads them."""

from __future__ import annotations

from typing import Any

import pytest

from clients.kube.labels import DRY_RUN_ANNOTATION, runs_dry

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        *(({"annotations": {DRY_RUN_ANNOTATION: text}}, True) for text in ("true", "TRUE", "True", "1", "t", "T")),
        *(({"annotations": {DRY_RUN_ANNOTATION: text}}, False) for text in ("false", "0", "", "yes", "tRUE")),
        ({"annotations": None}, False),
        ({}, False),
    ],
)
def test_a_policy_runs_dry_where_go_reads_its_annotation_as_true(metadata: dict[str, Any], expected: bool) -> None:
    assert runs_dry({"kind": "AuthorizationPolicy", "metadata": metadata}) is expected
