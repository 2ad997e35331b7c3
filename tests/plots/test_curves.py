"""Lines over batch, resolution and length."""

import pandas as pd
import pytest

from archscope import plots
from archscope.errors import InvalidInput
from tests.plots.frames import measured
from tests.plots.geometry import assert_inside, caption


def curve(axes, name):
    (found,) = [line for line in axes.lines if line.get_gid() == f"curve {name}"]
    return found


def test_time_is_per_image_and_both_axes_are_logarithmic():
    frame = measured(5)
    figure = plots.time_vs_batch(frame)
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    row = frame.iloc[-1]
    assert curve(axes, row["model"]).get_ydata()[-1] == pytest.approx(row["latency_ms_p50"] / 64)
    assert_inside(figure)


def test_there_is_no_point_where_memory_did_not_suffice():
    frame = measured(3)
    lost = (frame["model"] == frame["model"][0]) & (frame["batch"] > 16)
    frame["status"] = lost.map({True: "out of memory", False: "ok"})
    frame.loc[lost, "latency_ms_p50"] = None
    figure = plots.time_vs_batch(frame)
    assert list(curve(figure.axes[0], frame["model"][0]).get_xdata()) == [1, 2, 4, 8, 16]
    assert f"{frame['model'][0]} at 32" in caption(figure)


def test_net_power_is_without_idle_power():
    frame = measured(2)
    (axes,) = plots.power_vs_batch(frame).axes
    row = frame.iloc[0]
    assert axes.get_ylabel() == "net power (W)" and axes.get_ylim()[0] == 0
    assert curve(axes, row["model"]).get_ydata()[0] == pytest.approx(row["power_w"] - 60)


def test_memory_is_in_mib_and_was_never_disturbed():
    frame = measured(3).assign(disturbed="thermal")
    figure = plots.memory_vs_batch(frame)
    row = frame.iloc[0]
    assert curve(figure.axes[0], row["model"]).get_ydata()[0] == row["peak_bytes"] / 2**20
    assert "disturbed" not in caption(figure)


def test_a_disturbed_point_is_crossed():
    frame = measured(2)
    frame["disturbed"] = [None] * len(frame)
    frame.loc[3, "disturbed"] = "thermal"
    figure = plots.time_vs_batch(frame)
    crosses = [
        line for line in figure.axes[0].lines if line.get_marker() == "x" and len(line.get_xdata())
    ]
    assert [len(line.get_xdata()) for line in crosses] == [1]
    assert "thermal" in caption(figure)


def test_curves_of_one_family_differ_in_marker_or_dashes():
    frame = measured(12)
    frame["family"] = "resnet"
    (axes,) = plots.time_vs_batch(frame).axes
    styles = {
        (line.get_color(), line.get_marker(), line.get_linestyle())
        for line in axes.lines
        if (line.get_gid() or "").startswith("curve")
    }
    assert len(styles) == 12 and len({colour for colour, *_ in styles}) == 1


def test_scaling_draws_any_cost_over_any_size():
    frame = pd.concat([measured(3, (1,)).assign(size=s, macs=s * s) for s in (128, 256, 512)])
    (axes,) = plots.scaling(frame, over="size", cost="macs").axes
    assert list(curve(axes, frame["model"].iloc[0]).get_ydata()) == [128**2, 256**2, 512**2]
    with pytest.raises(InvalidInput, match="macs, flops"):
        plots.scaling(frame, cost="joules")
    with pytest.raises(InvalidInput, match="batch, size, seq_len"):
        plots.scaling(frame, over="width")


def test_the_key_of_hundreds_of_curves_lists_some_and_counts_the_rest():
    figure = plots.time_vs_batch(measured(300, (1, 8)))
    texts = {t.get_text() for t in figure.findobj(lambda artist: hasattr(artist, "get_text"))}
    (rest,) = [text for text in texts if text.startswith("and ") and text.endswith(" more")]
    listed = texts & set(measured(300, (1,))["model"])
    assert 9 <= len(listed) <= 60 and int(rest.split()[1]) + len(listed) == 300
    assert_inside(figure)
