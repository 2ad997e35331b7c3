"""Bubbles of true size, names that cover nothing, a front that rises; and what is measured."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from archscope import plots
from archscope.errors import InvalidInput
from archscope.plots.operations import millions
from tests.plots.frames import comparison, measured, of_many_families
from tests.plots.geometry import (
    assert_inside,
    assert_names_cover_nothing,
    assert_panels_are_most_of,
    boxes,
    caption,
    circles,
)

SIZES = [(7, 4.6), (3.4, 3.8)]


def line(axes, gid):
    (found,) = [line for line in axes.lines if line.get_gid() == gid]
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("number", "seed"), [(1, 0), (5, 1), (15, 2), (15, 3), (40, 4), (300, 5)])
def test_names_cover_no_name_no_bubble_and_no_edge(number, seed, size):
    figure = plots.accuracy_vs_ops(comparison(number, seed), size=size)
    assert_names_cover_nothing(figure)
    assert_inside(figure)
    assert tuple(figure.get_size_inches()) == size


@pytest.mark.parametrize(("size", "share"), [((7, 4.6), 0.6), ((3.4, 4), 0.3)])
@pytest.mark.parametrize("kind", [plots.accuracy_vs_ops, plots.timeline, plots.accuracy_vs_depth])
def test_a_key_of_many_families_leaves_room_for_the_networks(kind, size, share):
    figure = kind(of_many_families(), size=size)
    assert_panels_are_most_of(figure, share)
    assert_inside(figure)
    texts = {t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text"))}
    (more,) = [text for text in texts if "smaller families" in text]
    named = [text for text in texts if text in set(of_many_families()["family"])]
    assert int(more.split()[1]) + len(named) == of_many_families()["family"].nunique()


@pytest.mark.parametrize("seed", range(4))
def test_every_one_of_fifteen_networks_has_its_name(seed):
    frame = comparison(15, seed)
    (names,) = boxes(plots.accuracy_vs_ops(frame)).values()
    assert set(names) == set(frame["model"])


def test_a_name_without_room_is_in_the_caption():
    frame = comparison(40, 4)
    frame["top1"] = 70 + frame.index * 1e-3  # all in a row, with bubbles on top of each other
    figure = plots.accuracy_vs_ops(frame, size=(5.5, 3))
    (names,) = boxes(figure).values()
    assert 0 < len(names) < 40
    assert "Without a name for want of room: " in caption(figure)


def test_of_many_networks_those_of_the_front_are_named():
    frame = comparison(300, 5)
    figure = plots.accuracy_vs_ops(frame)
    (axes,) = figure.axes
    (names,) = boxes(figure).values()
    front = set(map(tuple, line(axes, "front").get_xydata()))
    rows = frame.set_index("model")
    assert names and all(
        (rows.loc[name, "flops"] / 1e9, rows.loc[name, "top1"]) in front for name in names
    )
    assert "front" in caption(figure)


def test_areas_are_proportional_to_parameters_and_the_key_is_to_scale():
    frame = comparison(15, 1)
    figure = plots.accuracy_vs_ops(frame)
    (axes,) = figure.axes
    params = frame.set_index("model")["params"]
    squares = {name: radius**2 for name, _, radius in circles(axes)}
    scale = next(iter(squares.values())) / params[next(iter(squares))]
    assert len(squares) == 15
    for name, square in squares.items():
        assert square == pytest.approx(scale * params[name])
    rings = {
        artist.get_gid(): artist
        for artist in figure.findobj(lambda a: (a.get_gid() or "").startswith("size "))
    }
    assert len(rings) >= 2
    for gid, ring in rings.items():
        radius = ring.get_markersize() / 2 * figure.dpi / 72
        assert radius**2 == pytest.approx(scale * float(gid.split()[1]), rel=1e-6)


@pytest.mark.parametrize(
    ("largest", "steps"),
    [
        (143e6, [5e6, 35e6, 65e6, 95e6, 125e6]),
        (60e6, [5e6, 35e6]),
        (155e6, [5e6, 35e6, 65e6, 95e6, 125e6, 155e6]),
        (900e6, [50e6, 350e6, 650e6]),
        (4e6, [0.5e6, 3.5e6]),
    ],
)
def test_the_key_has_the_steps_of_the_paper(largest, steps):
    from archscope.plots.bubbles import size_steps

    assert size_steps(largest) == pytest.approx(steps)


def test_the_front_rises_and_nothing_is_above_it():
    frame = comparison(60, 7)
    (axes,) = plots.accuracy_vs_ops(frame).axes
    xs, ys = line(axes, "front").get_data()
    assert (np.diff(xs) > 0).all() and (np.diff(ys) > 0).all()
    for x, y in zip(frame["flops"] / 1e9, frame["top1"], strict=True):
        assert not any((x < xs) & (y >= ys) | (x <= xs) & (y > ys))


def test_other_protocols_are_hollow_noted_and_not_on_the_front():
    frame = comparison(20, 3, ("single-crop", "single-crop", "10-crop"))
    frame.loc[frame["protocol"] == "10-crop", "top1"] += 20
    figure = plots.accuracy_vs_ops(frame)
    (axes,) = figure.axes
    (bubbles,) = [c for c in axes.collections if c.get_gid() == "bubbles"]
    hollow = [colour[3] == 0 for colour in bubbles.get_facecolors()]
    assert sum(hollow) == (frame["protocol"] == "10-crop").sum()
    texts = [t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text"))]
    assert "hollow: 10-crop" in texts
    assert max(line(axes, "front").get_ydata()) < 100 and len(set(frame["protocol"])) == 2
    others = set(frame.loc[frame["protocol"] == "10-crop", "top1"])
    assert not others & set(line(axes, "front").get_ydata())


def test_operations_are_of_one_image_whatever_the_batch():
    frame = comparison(6, 1)
    batched = frame.assign(batch=8, flops=8 * frame["flops"])
    one, eight = (plots.accuracy_vs_ops(f).axes[0] for f in (frame, batched))
    assert line(one, "front").get_xdata() == pytest.approx(line(eight, "front").get_xdata())


def test_macs_and_lines_of_equal_density_are_drawn_if_asked():
    figure = plots.accuracy_vs_ops(comparison(15, 1), ops="macs", density_lines=True, log=False)
    (axes,) = figure.axes
    assert "GMACs" in axes.get_xlabel() and axes.get_xscale() == "linear"
    slopes = [
        np.unique(np.round(y / x, 6))
        for x, y in (one.get_data() for one in axes.lines if one.get_gid() == "density")
    ]
    assert slopes and all(len(slope) == 1 for slope in slopes)


def test_it_draws_into_axes_that_it_is_given():
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    assert plots.accuracy_vs_ops(comparison(8, 1), left) is figure
    assert left.get_xlabel() and not right.get_xlabel()
    plt.close(figure)


def test_networks_without_an_accuracy_are_named_in_the_caption():
    frame = comparison(8, 2)
    frame.loc[3, "top1"] = None
    figure = plots.accuracy_vs_ops(frame)
    assert frame.loc[3, "model"] in caption(figure)
    assert len(circles(figure.axes[0])) == 7


def test_names_are_never_formulas():
    frame = comparison(3, 0)
    frame["model"] = ["a$b$", r"\frac{", "_x^2$"]
    figure = plots.accuracy_vs_ops(frame)
    assert_names_cover_nothing(figure)
    assert set(boxes(figure)[figure.axes[0]]) == set(frame["model"])


def test_frames_without_figures_are_refused():
    with pytest.raises(InvalidInput, match="top1; give a table of accuracies"):
        plots.accuracy_vs_ops(comparison(3).assign(top1=float("nan")))
    with pytest.raises(InvalidInput, match="flops or macs"):
        plots.accuracy_vs_ops(comparison(3), ops="joules")
    with pytest.raises(InvalidInput, match="no column params"):
        plots.accuracy_vs_ops(comparison(3).drop(columns="params"))
    with pytest.raises(InvalidInput, match="needs more than 3x2 inches"):
        plots.accuracy_vs_ops(comparison(15), size=(3, 2))


@pytest.mark.parametrize("kind", [plots.ops_vs_time, plots.ops_vs_power])
def test_panels_have_the_least_and_the_largest_common_batch(kind):
    frame = measured(6, batches=(1, 4, 16, 64))
    frame.loc[(frame["model"] == frame["model"][0]) & (frame["batch"] == 64), LACKING] = None
    figure = kind(frame)
    assert [axes.get_title()[:8].rstrip(",") for axes in figure.axes] == ["batch 1", "batch 16"]
    assert_names_cover_nothing(figure)
    assert_inside(figure)
    assert isinstance(kind(frame, size=(3.4, 5.6)), Figure)


LACKING = ["latency_ms_p50", "throughput_per_s", "power_w"]


def test_the_fit_through_zero_is_the_rate():
    frame = measured(6, batches=(1,))
    frame["latency_ms_p50"] = frame["flops"] / 1e9 / 2.5
    (axes,) = plots.ops_vs_time(frame).axes
    xs, ys = line(axes, "fit").get_data()
    assert ys / xs == pytest.approx(2.5)
    assert axes.get_title() == "batch 1, 2.5 G/ms"


def test_power_is_net_only_if_idle_power_is_known():
    frame = measured(4, batches=(1,))
    assert plots.ops_vs_power(frame).axes[0].get_xlabel() == "net power (W)"
    total = plots.ops_vs_power(frame.drop(columns="idle_power_w"))
    assert "idle included" in total.axes[0].get_xlabel()


def test_the_bound_is_above_all_and_touches_two():
    from archscope.plots.points import points
    from archscope.plots.throughput import upper_bound

    frame = measured(12, batches=(1,))
    height, slope = upper_bound(points(frame, "throughput_per_s", "top1"))
    over = height + slope * frame["throughput_per_s"] - frame["top1"]
    assert (over > -1e-9).all() and (over < 1e-9).sum() == 2
    figure = plots.accuracy_vs_throughput(frame)
    assert_names_cover_nothing(figure)
    (axes,) = figure.axes
    (shade,) = [c for c in axes.collections if c.get_gid() == "beyond"]
    for x, y in shade.get_paths()[0].vertices:  # no part of it is below the line
        assert y >= min(height + slope * x, axes.get_ylim()[1]) - 1e-6


def test_disturbed_measurements_are_marked_and_noted():
    frame = measured(5, batches=(1,))
    frame["disturbed"] = [None, "thermal", None, None, None]
    figure = plots.ops_vs_time(frame)
    markers = [
        one.get_marker() for one in figure.axes[0].lines if "centre" in (one.get_gid() or "")
    ]
    assert markers.count("x") == 1
    assert "disturbed or unsteady (thermal)" in caption(figure)


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        (plots.ops_vs_time, "latency"),
        (plots.ops_vs_power, "energy"),
        (plots.accuracy_vs_throughput, "latency"),
        (plots.time_vs_batch, "latency"),
        (plots.power_vs_batch, "energy"),
    ],
)
def test_what_was_not_measured_names_the_command_that_measures_it(kind, command):
    with pytest.raises(InvalidInput, match=f"archscope {command} MODEL"):
        kind(comparison(3))


def test_the_caption_states_device_date_and_convention():
    said = caption(plots.ops_vs_time(measured(4, batches=(1,))))
    for part in ("Some GPU", "2026-11-20", "torch 2.13", "3x224x224", "2 per multiply-accumulate"):
        assert part in said
    undated = caption(plots.ops_vs_time(measured(4, batches=(1,)).drop(columns="date")))
    assert "date not recorded" in undated


def test_power_that_hardly_differs_is_on_a_linear_axis_whatever_the_operations():
    frame = measured(5, (1,))
    frame["flops"] = [10**9 * 10**k for k in range(5)]
    (axes,) = plots.ops_vs_power(frame).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")
    (axes,) = plots.ops_vs_time(frame).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


@pytest.mark.parametrize(
    ("params", "text"), [(5e5, "0.5 M"), (3.5e7, "35 M"), (6.5e10, "65 G"), (5e12, "5 T")]
)
def test_sizes_of_the_key_are_short(params, text):
    assert millions(params) == text
