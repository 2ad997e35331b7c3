"""Bars have their heights, their order and, of many, the names that matter."""

import pytest

from archscope import plots
from tests.plots.frames import comparison, of_many_families
from tests.plots.geometry import (
    assert_inside,
    assert_names_cover_nothing,
    assert_panels_are_most_of,
    boxes,
    caption,
)


def heights(axes):
    return {
        bar.get_gid().removeprefix("bar "): bar.get_y() + bar.get_height()
        for bar in axes.patches
        if (bar.get_gid() or "").startswith("bar ")
    }


@pytest.mark.parametrize(
    ("kind", "column"), [(plots.accuracy, "top1"), (plots.density, "top1_per_mparams")]
)
@pytest.mark.parametrize("size", [(7, 4.6), (3.4, 4)])
def test_a_bar_per_network_from_the_least_to_the_most(kind, column, size):
    frame = comparison(14, 2)
    figure = kind(frame, size=size)
    (axes,) = figure.axes
    found = heights(axes)
    assert found == pytest.approx(frame.set_index("model")[column].to_dict())
    assert list(found.values()) == sorted(found.values())
    assert [t.get_text() for t in axes.get_xticklabels()] == list(found)
    assert_inside(figure)


def test_the_axis_of_accuracy_starts_at_a_ten_and_says_so():
    frame = comparison(4).assign(top1=[56.6, 70, 75, 80])
    figure = plots.accuracy(frame)
    assert figure.axes[0].get_ylim()[0] == 50
    assert "start at 50 %" in caption(figure)
    assert plots.density(frame).axes[0].get_ylim()[0] == 0


def test_other_protocols_are_hatched():
    figure = plots.accuracy(comparison(9, 0, ("single-crop", "single-crop", "dense")))
    hatched = [bar for bar in figure.axes[0].patches if bar.get_hatch()]
    assert len(hatched) == 3
    assert "dense" in [t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text"))]


def test_of_three_hundred_bars_only_the_front_is_named():
    frame = comparison(300, 1)
    figure = plots.accuracy(frame)
    (axes,) = figure.axes
    (names,) = boxes(figure).values()
    assert len(heights(axes)) == 300 and not axes.get_xticks().size
    assert 3 < len(names) < 40
    assert_names_cover_nothing(figure)


def test_families_of_one_colour_share_a_line_of_the_key():
    frame = comparison(6).assign(
        family=["resnet", "resnet", "nfnet", "vgg", "vgg", "a_family_with_quite_a_name"]
    )
    texts = [t.get_text() for t in plots.accuracy(frame).findobj(lambda a: hasattr(a, "get_text"))]
    assert "resnet, nfnet" in texts and "a_family_with_quite_a_name" in texts
    figure = plots.density(of_many_families())
    assert_panels_are_most_of(figure, 0.6)
    texts = {t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text"))}
    assert 1 < len([text for text in texts if text.endswith(" more")]) <= 8


def test_of_many_densities_those_with_the_fewest_parameters_are_named():
    frame = comparison(300, 1)
    (names,) = boxes(plots.density(frame)).values()
    rows = frame.set_index("model")
    for name in names:
        better = rows[(rows["params"] <= rows.loc[name, "params"])]
        assert better["top1"].max() == rows.loc[name, "top1"]
