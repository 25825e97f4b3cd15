"""The test by ranks against published tables, and the correction for many tests against a published example."""

from __future__ import annotations

import math
from itertools import combinations

import pytest

from reports.diff import ranks
from reports.diff.ranks import adjusted, least_chance, longer

pytestmark = pytest.mark.unit

# Mann and Whitney (1947), table I: probability of a U not greater than the one given, for n = m.
PUBLISHED = {3: [0.050, 0.100, 0.200, 0.350, 0.500], 4: [0.014, 0.029, 0.057, 0.100, 0.171, 0.243, 0.343, 0.443]}
# The usual table of critical values, two-sided 5 % and 1 %: the largest U that is significant, for n = m.
CRITICAL_5 = {5: 2, 6: 5, 7: 8, 8: 13, 9: 17, 10: 23, 11: 30, 12: 37, 15: 64, 20: 127}
CRITICAL_1 = {5: 0, 6: 2, 7: 4, 8: 7, 9: 11, 10: 16, 11: 21, 12: 27, 15: 51, 20: 105}


def with_u(number: int, u: int) -> tuple[list[float], list[float]]:
    """Two samples of so many values: in `u` of all pairs the value after is the smaller one."""
    after, left = [], u
    for place in range(number):
        smaller = min(left, number)
        left -= smaller
        after.append(number - smaller - 0.5 + place / 1000)
    assert not left
    return [float(one) for one in range(number)], after


@pytest.mark.parametrize("number", PUBLISHED)
def test_small_samples_have_the_published_probabilities(number: int) -> None:
    for u, expected in enumerate(PUBLISHED[number]):
        before, after = with_u(number, u)
        found = longer(before, after)
        assert found.u == number * number - u
        assert found.chance == pytest.approx(expected, abs=0.0005)


@pytest.mark.parametrize(("level", "table"), [(0.05, CRITICAL_5), (0.01, CRITICAL_1)])
def test_critical_values_are_those_of_the_published_table(level: float, table: dict[int, int]) -> None:
    for number, critical in table.items():
        assert longer(*with_u(number, critical)).chance <= level / 2
        assert longer(*with_u(number, critical + 1)).chance > level / 2


def test_ties_are_counted_as_every_arrangement_has_them() -> None:
    before, after = [1.0, 2.0, 2.0, 5.0], [2.0, 2.0, 3.0, 5.0, 6.0]
    everything = [*before, *after]

    def statistic(chosen: tuple[int, ...]) -> float:
        mine = [everything[i] for i in chosen]
        others = [value for i, value in enumerate(everything) if i not in chosen]
        return sum((b > a) + (b == a) / 2 for a in others for b in mine)

    found = longer(before, after)
    all_of_them = [statistic(chosen) for chosen in combinations(range(9), 5)]
    assert found.chance == pytest.approx(sum(one >= found.u for one in all_of_them) / len(all_of_them))


def test_many_values_are_judged_by_the_normal_distribution_close_to_the_exact_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, after = [0.1 * i for i in range(20)], [0.1 * i + 0.55 for i in range(20)]
    exact = longer(before, after).chance
    monkeypatch.setattr(ranks, "EXACT", 10)
    assert longer(before, after).chance == pytest.approx(exact, rel=0.15)
    assert longer([1.0] * 20, [1.0] * 20).chance == 1.0


def test_effect_is_the_share_of_pairs_and_the_median_difference() -> None:
    found = longer([1.0, 2.0, 3.0], [3.0, 4.0, 5.0])
    assert (found.u, found.share, found.shift) == (8.5, 8.5 / 9, 2.0)


def test_least_chance_is_one_arrangement() -> None:
    assert least_chance(3, 3) == pytest.approx(0.05)
    assert longer([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]).chance == pytest.approx(least_chance(5, 5))
    assert least_chance(5, 5) == 1 / math.comb(10, 5)


def test_many_tests_are_corrected_as_the_paper_corrects_them() -> None:
    """Benjamini and Hochberg (1995), section 3.2: of 15 comparisons, the four smallest are claimed at 5 %."""
    paper = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
             0.7590, 1.0]  # fmt: skip
    found = adjusted(paper)
    assert [one <= 0.05 for one in found] == [True] * 4 + [False] * 11
    assert found == sorted(found)
    assert found[-1] == 1.0
    assert adjusted([]) == []
