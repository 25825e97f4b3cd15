from __future__ import annotations

import random

import pytest

from clients.model.errors import SettingsError
from clients.probe.confirm import (
    MINIMUM,
    confirmations,
    confirmations_after_flaps,
    leak_share,
    probes_for_leak,
    stale_probability,
)

pytestmark = pytest.mark.unit


def test_the_figures_of_the_design() -> None:
    assert confirmations(2, 2, 1e-3) == 29
    assert stale_probability(4, 29) == pytest.approx(9.5e-4, rel=0.01)


@pytest.mark.parametrize(("threads", "replicas"), [(1, 2), (2, 1), (2, 2), (4, 3), (16, 5)])
@pytest.mark.parametrize("rate", [0.1, 1e-3, 1e-4, 1e-9])
def test_it_is_the_smallest_number_that_keeps_the_bound(threads: int, replicas: int, rate: float) -> None:
    needed = confirmations(threads, replicas, rate)
    pools = threads * replicas
    assert stale_probability(pools, needed) <= rate
    assert needed == MINIMUM or stale_probability(pools, needed - 1) > rate


@pytest.mark.parametrize("rate", [0.5, 1e-3, 1e-12])
def test_one_pool_still_needs_the_minimum(rate: float) -> None:
    assert confirmations(1, 1, rate) == MINIMUM


@pytest.mark.parametrize(("threads", "replicas", "rate"), [(0, 1, 0.1), (1, 0, 0.1), (1, 1, 0), (1, 1, 1), (1, 1, -1)])
def test_what_is_out_of_range_is_refused(threads: int, replicas: int, rate: float) -> None:
    with pytest.raises(SettingsError):
        confirmations(threads, replicas, rate)


def declared_too_early(pools: int, needed: int, rng: random.Random) -> bool:
    """One change: every pool answers once more by the old rules; probes hit pools at random until `needed` match."""
    stale = set(range(pools))
    row = 0
    while row < needed:
        pool = rng.randrange(pools)
        row = 0 if pool in stale else row + 1
        stale.discard(pool)
    return bool(stale)


def test_the_predicted_error_rate_holds_in_the_model() -> None:
    rng, runs = random.Random(20), 12_000
    early = sum(declared_too_early(4, confirmations(2, 2, 1e-3), rng) for _ in range(runs))
    # Expected at most 12 of 12,000; 25 would be more than three standard deviations above.
    assert early < 25


def test_three_in_a_row_are_not_enough_in_the_model() -> None:
    rng, runs = random.Random(21), 1_000
    assert sum(declared_too_early(4, 3, rng) for _ in range(runs)) > runs * 0.3


@pytest.mark.parametrize(("probes", "share"), [(1, 0.99), (16, 0.25), (90, 0.05), (459, 0.01)])
def test_the_share_that_probes_would_have_shown(probes: int, share: float) -> None:
    assert leak_share(probes) == pytest.approx(share, rel=0.01)
    assert (1 - leak_share(probes)) ** probes == pytest.approx(0.01)


@pytest.mark.parametrize("share", [0.9, 0.25, 0.1, 0.05, 0.01, 0.001])
def test_it_is_the_smallest_number_of_probes_that_would_have_shown_the_share(share: float) -> None:
    needed = probes_for_leak(share)
    assert leak_share(needed) <= share
    assert needed == 1 or leak_share(needed - 1) > share


def test_no_probe_shows_nothing() -> None:
    with pytest.raises(ValueError, match="0 probes"):
        leak_share(0)


def test_after_flaps_a_row_is_so_long_that_luck_is_rarer_than_the_error_rate() -> None:
    needed = confirmations_after_flaps(240, 240, 960, 1e-4)
    assert 241 * 0.75**needed <= 1e-4, "the share that was seen, and any that is likely by it"
    assert confirmations_after_flaps(1, 1, 2, 1e-4) > needed, "two answers say little"
    assert confirmations_after_flaps(0, 0, 100, 1e-4) == 0
    assert confirmations_after_flaps(0, 3, 3, 1e-4) == 0
