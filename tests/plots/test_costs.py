"""Memory over parameters, accuracy over depth, networks over years."""

import numpy as np
import pytest

from archscope import plots
from archscope.errors import InvalidInput
from archscope.plots.costs import equation, linear_fit
from archscope.plots.points import Point
from tests.plots.frames import comparison
from tests.plots.geometry import assert_inside, assert_names_cover_nothing

KINDS = [plots.memory_vs_params, plots.accuracy_vs_depth, plots.timeline]


@pytest.mark.parametrize("size", [(7, 4.6), (3.4, 4)])
@pytest.mark.parametrize("number", [1, 15, 300])
@pytest.mark.parametrize("kind", KINDS)
def test_names_cover_nothing(kind, number, size):
    figure = kind(comparison(number, 3), size=size)
    assert_names_cover_nothing(figure)
    assert_inside(figure)


def test_the_fit_is_least_squares():
    random = np.random.default_rng(0)
    xs = random.uniform(0, 500, 30)
    ys = 70 + 1.3 * xs + random.normal(0, 20, 30)
    found = linear_fit([Point("n", "f", x, y) for x, y in zip(xs, ys, strict=True)])
    slope, height = np.polyfit(xs, ys, 1)
    share = np.corrcoef(xs, ys)[0, 1] ** 2
    assert found == pytest.approx((height, slope, share))
    assert equation(70.04, 1.304, 0.969) == "y = 70.0 + 1.30 x, R² = 0.97"
    assert linear_fit([Point("n", "f", 1, 1)] * 5) is None


def test_the_equation_is_in_the_key():
    frame = comparison(10, 1)
    frame["peak_bytes"] = 2 * frame["weight_bytes"] + 3 * 2**20
    figure = plots.memory_vs_params(frame)
    texts = [t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text"))]
    assert "y = 3.0 + 2.00 x, R² = 1.00" in texts


def test_networks_far_apart_have_logarithmic_memory_and_keep_their_fit():
    frame = comparison(12, 1)
    frame["weight_bytes"] = [2**20 * 3**k for k in range(12)]
    frame["peak_bytes"] = 2 * frame["weight_bytes"] + 5 * 2**20
    (axes,) = plots.memory_vs_params(frame).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    (fit,) = [line for line in axes.lines if line.get_gid() == "fit"]
    xs, ys = fit.get_data()
    assert ys == pytest.approx(2 * xs + 5, rel=1e-6)
    (axes,) = plots.memory_vs_params(frame[:3]).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "linear")


def test_the_axis_says_which_depth():
    frame = comparison(6)
    assert "effective depth" in plots.accuracy_vs_depth(frame).axes[0].get_xlabel()
    frame.loc[0, "effective_depth"] = None
    assert "mean path" in plots.accuracy_vs_depth(frame).axes[0].get_xlabel()
    longest = plots.accuracy_vs_depth(frame, depth="depth")
    assert "longest path" in longest.axes[0].get_xlabel()
    with pytest.raises(InvalidInput, match="effective_depth, mean_path, depth"):
        plots.accuracy_vs_depth(frame, depth="height")


def test_years_are_whole_and_the_cost_is_chosen():
    frame = comparison(12, 4)
    (axes,) = plots.timeline(frame).axes
    assert axes.get_ylabel() == "top-1 accuracy (%)"
    assert all(float(tick).is_integer() for tick in axes.get_xticks())
    frame["top1"] = None
    assert plots.timeline(frame).axes[0].get_ylabel() == "MACs"
    assert "MiB" in plots.timeline(frame, cost="peak_bytes").axes[0].get_ylabel()
    with pytest.raises(InvalidInput, match="year"):
        plots.timeline(frame.assign(year=None))


def test_networks_of_one_year_stand_in_the_years_around_it():
    (axes,) = plots.timeline(comparison(3).assign(year=2015)).axes
    assert 2010 < axes.get_xlim()[0] < 2015 < axes.get_xlim()[1] < 2020
