"""Bubbles of true size, names that cover nothing, a front that rises."""

import pytest

from archscope import plots
from tests.plots.frames import comparison
from tests.plots.geometry import assert_inside, assert_names_cover_nothing, boxes

SIZES = [(7, 4.6), (3.4, 3.6)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("number", "seed"), [(1, 0), (5, 1), (15, 2), (15, 3), (40, 4), (300, 5)])
def test_names_cover_no_name_no_bubble_and_no_edge(number, seed, size):
    figure = plots.accuracy_vs_ops(comparison(number, seed), size=size)
    assert_names_cover_nothing(figure)
    assert_inside(figure)
    assert tuple(figure.get_size_inches()) == size


def test_every_one_of_fifteen_networks_has_its_name():
    for seed in range(5):
        frame = comparison(15, seed)
        (names,) = boxes(plots.accuracy_vs_ops(frame)).values()
        assert set(names) == set(frame["model"])
