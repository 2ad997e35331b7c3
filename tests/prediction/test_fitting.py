"""Learning efficiencies: what is put in comes out, and no row judges itself."""

from itertools import pairwise

import numpy as np
import pytest

from archscope.prediction.efficiency import Coefficients
from archscope.prediction.fitting import (
    Measured,
    fit,
    judge,
    left_out,
    predicted,
    rank_correlation,
)
from archscope.prediction.work import KINDS, Work

TRUTH = {
    "convolution": Coefficients(1.5, 3.0, 8e-6, 0),
    "normalisation": Coefficients(0.0, 2.5, 6e-6, 0),
    "max pooling": Coefficients(600.0, 2.0, 5e-6, 0),
}


def work(kind, rng):
    return Work(kind, *(10 ** rng.uniform(-3, -1, 2)), int(rng.integers(1, 200)))


def rows(kinds, number=60, families=6, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    found = []
    for at in range(number):
        works = [work(kind, rng) for kind in kinds]
        seconds = sum(TRUTH[one.kind].seconds(one) for one in works)
        seconds *= 1 + noise * rng.normal()
        found.append(Measured(f"family {at % families}", works, seconds))
    return found


def test_coefficients_that_made_the_times_are_found_again():
    given = rows(TRUTH)
    found = fit(given)
    assert predicted(found, given) == pytest.approx([row.seconds for row in given], rel=0.02)
    assert found["convolution"].compute == pytest.approx(1.5, rel=0.2)
    assert found["convolution"].memory == pytest.approx(3.0, rel=0.2)
    assert found["max pooling"].compute == pytest.approx(600, rel=0.02)


def test_more_work_never_takes_less_time():
    found = fit(rows(TRUTH, noise=0.5, seed=1))
    for coefficients in found.values():
        assert min(coefficients.compute, coefficients.memory, coefficients.launch) >= 0


def test_a_larger_operator_reaches_more_of_its_roof():
    kind = fit(rows(TRUTH))["convolution"]
    works = [Work("convolution", size, size / 10, 1) for size in (1e-6, 1e-5, 1e-4, 1e-3)]
    shares = [max(one.compute, one.memory) / kind.seconds(one) for one in works]
    assert all(smaller < larger for smaller, larger in pairwise(shares))


def test_a_kind_that_no_row_has_is_a_guess_and_says_so():
    found = fit(rows(["convolution"]))
    assert set(found) == set(KINDS)
    assert found["convolution"].families == 6
    assert found["attention"].families == 0
    assert found["attention"].compute == pytest.approx(2.0, rel=1e-3)
    assert found["attention"].launch == pytest.approx(5e-6, rel=1e-3)


def test_a_family_has_no_part_in_its_own_prediction():
    """Ten times as slow as all others, it must be predicted as they are."""
    given = rows(["convolution"])
    slow = [
        Measured(row.family, row.works, row.seconds * (10 if row.family == "family 0" else 1))
        for row in given
    ]
    found = left_out(slow)
    ratios = {row.family: seconds / row.seconds for row, seconds in zip(slow, found, strict=True)}
    assert ratios["family 0"] == pytest.approx(0.1, rel=0.05)


def test_errors_are_those_of_the_predictions_given():
    times = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    given = [Measured(f"family {at}", (), float(time)) for at, time in enumerate(times)]
    held = judge(given, times * [1.0, 1.1, 0.8, 1.0, 1.5])
    assert held.median == pytest.approx(0.1)
    assert held.p90 == pytest.approx(0.2 + 0.6 * 0.3)
    assert (held.rows, held.families) == (5, 5)
    assert held.low < 1 < held.high


def test_the_interval_s_coverage_is_judged_without_the_family():
    """Two families off in opposite directions: neither's interval holds the other."""
    times = np.arange(1.0, 21.0)
    given = [Measured("ab"[at // 10], (), float(time)) for at, time in enumerate(times)]
    assert judge(given, times * np.repeat([2.0, 0.5], 10)).coverage == 0


def test_rank_correlation_is_spearman_s():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, 50).astype(float), rng.normal(size=50)
    assert rank_correlation(a, b) == pytest.approx(stats.spearmanr(a, b)[0])
    assert rank_correlation(b, np.exp(b)) == pytest.approx(1)
