"""Frames that nobody would make on purpose are drawn right or refused in a line that says why."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.offsetbox import TextArea

from archscope import plots
from archscope.errors import InvalidInput
from tests.plots.frames import comparison, measured
from tests.plots.geometry import assert_inside, boxes, caption
from tests.plots.test_tables import OF_COMPARISONS, OF_MEASUREMENTS

KINDS = [*OF_COMPARISONS, *OF_MEASUREMENTS]
CURVES = [plots.time_vs_batch, plots.power_vs_batch, plots.memory_vs_batch]
PANELS = [plots.ops_vs_time, plots.ops_vs_power, plots.accuracy_vs_throughput]
HOME = "a/directory/of/somebody/whose/projects/lie/deep/"


def key(figure):
    return [text.get_text() for text in figure.findobj(TextArea)]


@pytest.mark.parametrize("kind", CURVES)
def test_networks_of_one_long_path_stay_apart(kind):
    frame = measured(2)
    frame["model"] = [f"{HOME}{name}.py:Net" for name in ("small", "large") * 7]
    figure = kind(frame)
    curves = [line for line in figure.axes[0].lines if (line.get_gid() or "").startswith("curve")]
    assert [len(line.get_xdata()) for line in curves] == [7, 7]
    assert {"small.py:Net", "large.py:Net"} == {text[-12:] for text in key(figure) if "…" in text}


def test_who_is_drawn_is_known_by_more_than_a_shortened_name():
    names = [f"{HOME}net{i}{'_of_somebody' * 3}.py" for i in range(3)]
    frame = comparison(3).assign(model=names, top1=[70.0, None, 72.0])
    words = caption(plots.accuracy_vs_ops(frame))
    assert "Not shown, for want of a published accuracy: a/directory" in words


def test_a_drawn_network_is_not_said_to_be_missing_where_another_source_is():
    frame = measured(2).assign(model=["timm:one", "two"] * 7)
    frame.loc[frame["model"] == "two", "throughput_per_s"] = None
    words = caption(plots.accuracy_vs_throughput(frame))
    assert words.endswith("accuracy: two.")


@pytest.mark.parametrize("kind", [*PANELS, *CURVES[:2]])
@pytest.mark.parametrize("value", [0.0, -1.0, np.inf])
def test_a_measurement_is_above_zero(kind, value):
    frame = measured(3).assign(latency_ms_p50=value, throughput_per_s=value, power_w=value)
    with pytest.raises(InvalidInput, match=r"of resnet_0 is .*; what is measured is above 0"):
        kind(frame)


def test_nothing_was_rated():
    frame = measured(3).assign(top1=np.nan)
    with pytest.raises(InvalidInput, match="no network here has top1; give a table"):
        plots.accuracy_vs_throughput(frame)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_twice_is_one_network(kind):
    frame = measured(3) if kind in OF_MEASUREMENTS else comparison(3)
    once, twice = kind(frame), kind(pd.concat([frame, frame]))
    for one, other in zip(once.axes, twice.axes, strict=True):
        assert len(one.lines) == len(other.lines) and len(one.patches) == len(other.patches)


@pytest.mark.parametrize("kind", PANELS)
def test_devices_are_not_mixed_in_a_panel(kind):
    faster = measured(3).assign(latency_ms_p50=3.0, throughput_per_s=9.0, power_w=2.0)
    with pytest.raises(InvalidInput, match="has several rows with batch 1; keep those of one"):
        kind(pd.concat([measured(3), faster.assign(device_title="Another GPU")]))


@pytest.mark.parametrize("kind", CURVES)
def test_rows_that_contradict_each_other_make_no_curve(kind):
    other = measured(3).assign(latency_ms_p50=3.0, power_w=2.0, peak_bytes=5)
    with pytest.raises(InvalidInput, match="has several rows with batch 1; keep those of one"):
        kind(pd.concat([measured(3), other]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "shapes", [[1, 3, 224, 224], np.array([1, 3, 224, 224]), "1x3x224x224", None, 224]
)
def test_shapes_may_come_from_any_file(kind, shapes):
    frame = measured(3) if kind in OF_MEASUREMENTS else comparison(3)
    assert_inside(kind(frame.assign(input_shape=[shapes] * len(frame))))


@pytest.mark.parametrize("kind", KINDS)
def test_zeros_are_drawn(kind):
    frame = measured(4) if kind in OF_MEASUREMENTS else comparison(4)
    zeros = ("params", "macs", "flops", "peak_bytes", "weight_bytes", "top1", "top1_per_mparams")
    assert_inside(kind(frame.assign(**dict.fromkeys((*zeros, "depth", "mean_path"), 0))))


@pytest.mark.parametrize("kind", [plots.accuracy_vs_ops, plots.accuracy_vs_depth, plots.timeline])
def test_no_area_is_negative(kind):
    with pytest.raises(InvalidInput, match="resnet_0 has params -5; no area is below 0"):
        kind(comparison(3).assign(params=-5))


@pytest.mark.parametrize("top1", [0.5, -1.0, 1e-9])
def test_lines_of_equal_density_need_an_axis_above_zero(top1):
    frame = comparison(4).assign(top1=[top1, 2 * top1, 3 * top1, 4 * top1])
    assert_inside(plots.accuracy_vs_ops(frame, density_lines=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [None, (3.3, 6.0)])
def test_words_of_any_length_stay_inside(kind, size):
    frame = measured(5) if kind in OF_MEASUREMENTS else comparison(5)
    odd = {
        "family": f"a_family_{'x' * 80}",
        "protocol": "single-crop",
        "accuracy_source": f"/{'a_long_directory' * 9}/results.csv",
        "device_title": f"GPU $x_ <&> {'y' * 120}",
    }
    frame = frame.assign(**odd, model=[f"{'n' * 50}{name}" for name in frame["model"]])
    figure = kind(frame, size=size)
    assert_inside(figure)
    shown = [*(name for panel in boxes(figure).values() for name in panel), *ticks(figure)]
    assert "n…" in " ".join([*shown, *key(figure), caption(figure)])


def ticks(figure):
    return [text.get_text() for axes in figure.axes for text in axes.get_xticklabels()]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [None, (3.3, 4.2)])
def test_families_and_protocols_of_several_lines_are_written_in_one(size):
    frame = comparison(4, protocols=("single-crop", "ten\ncrops")).assign(family="one\ntwo")
    figure = plots.accuracy_vs_ops(frame, size=size)
    assert {"one two", "hollow: ten crops"} <= set(key(figure))


@pytest.mark.parametrize("kind", KINDS)
def test_types_and_index_of_a_frame_do_not_matter(kind):
    frame = measured(4) if kind in OF_MEASUREMENTS else comparison(4)
    wanted = len(kind(frame).axes[0].lines)
    shuffled = frame.sample(frac=1, random_state=1)
    labelled = frame.set_index(pd.Index([f"row {i % 3}" for i in range(len(frame))]))
    for other in (frame.astype(object), frame.convert_dtypes(), shuffled, labelled):
        assert len(kind(other).axes[0].lines) == wanted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", [None, "constrained", "tight"])
def test_in_axes_that_are_given_nothing_leaves_the_figure_or_meets_a_neighbour(kind, layout):
    frame = measured(6) if kind in OF_MEASUREMENTS else comparison(6)
    count = 2 if kind in PANELS else 1
    figure = Figure(figsize=(12, 4.5), layout=layout)
    given = figure.subplots(1, count + 1)
    ax = given[0] if count == 1 else list(given[:2])
    assert kind(frame, ax=ax) is figure
    assert figure.axes == list(given) and not figure.legends
    assert_inside(figure)
    renderer = figure.canvas.get_renderer()
    drawn = given[count - 1].get_tightbbox(renderer)
    assert drawn.x1 <= given[count].get_window_extent(renderer).x0
