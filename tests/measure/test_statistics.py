"""Order statistics against the binomial distribution and numpy."""

import random
from itertools import product

import numpy as np
import pytest

from archscope.measure.statistics import _rank, independent, quantile, summary


@pytest.mark.parametrize(("n", "rank"), [(5, 0), (6, 0), (8, 0), (9, 1), (20, 5), (100, 39)])
def test_the_interval_has_the_ranks_of_the_tables(n, rank):
    """Of 20 samples the 6th and the 15th, of 100 the 40th and the 61st."""
    assert _rank(n) == rank


def test_the_rank_of_a_small_sample_is_that_of_all_throws_of_coins():
    heads = [sum(throw) for throw in product((0, 1), repeat=12)]
    at_most = [sum(h <= k for h in heads) / len(heads) for k in range(12)]
    assert _rank(12) == max(k for k in range(12) if at_most[k] <= 0.025)


def test_both_ways_to_find_the_rank_agree_where_they_meet():
    assert abs(_rank(100) - _rank(101)) <= 1


def test_quantiles_are_numpy_s():
    values = sorted(random.Random(0).random() for _ in range(37))
    for q in (0, 0.05, 0.25, 0.5, 0.95, 1):
        assert quantile(values, q) == pytest.approx(np.quantile(values, q))


def test_one_slow_run_does_not_move_the_median():
    found = summary([1.0] * 99 + [1000.0])
    assert (found.median, found.low, found.high, found.iqr) == (1, 1, 1, 0)


def test_the_interval_holds_the_true_median_as_often_as_it_says():
    draw = random.Random(1)
    inside = 0
    for _ in range(1000):
        found = summary([draw.expovariate(1) for _ in range(25)])
        inside += found.low <= np.log(2) <= found.high
    assert inside / 1000 >= 0.94


def moody(draw, n, memory=0.9):
    """Samples about 0 that remember the one before (an AR(1) process)."""
    now = draw.gauss(0, 1)
    for _ in range(n):
        yield now
        now = memory * now + (1 - memory**2) ** 0.5 * draw.gauss(0, 1)


def test_the_interval_is_honest_about_a_machine_with_moods():
    draw = random.Random(2)
    inside = narrow = 0
    for _ in range(300):
        samples = list(moody(draw, 400))
        found, ordered = summary(samples), sorted(samples)
        inside += found.low <= 0 <= found.high
        naive = _rank(len(samples))
        narrow += ordered[naive] <= 0 <= ordered[-1 - naive]
    assert inside / 300 >= 0.88
    assert narrow / 300 < 0.6  # as it would be if all counted in full


def test_independent_samples_count_in_full_and_alike_ones_do_not():
    draw = random.Random(3)
    assert independent([draw.random() for _ in range(1000)]) > 700
    assert independent(list(moody(draw, 1000))) < 250
    assert independent([1.0] * 50) == 50
    assert independent([1.0, 2.0] * 50) == 100
