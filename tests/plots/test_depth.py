"""The pictures show what the tables say, and leave matplotlib as it was."""

import matplotlib as mpl
import pytest
import torch

import archscope
from archscope import plots


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_path_lengths_and_gradient_in_two_aligned_panels(tmp_path):
    settings = dict(mpl.rcParams)
    names = ("plain20-cifar", "resnet20-cifar")
    tables = [archscope.gradient_paths(name, samples=2) for name in names]
    figure = plots.depth(tables)
    counts, shares = figure.axes
    assert counts.get_xlim() == shares.get_xlim()
    assert labels(counts) == ["plain20-cifar: 1 path", "resnet20-cifar: 512 paths"]
    effective = tables[1].attrs["effective_depth"]
    assert labels(shares)[1] == f"resnet20-cifar: {effective:.1f}"
    assert any(line.get_xdata()[0] == effective for line in shares.lines)
    assert all(axes.get_ylabel() for axes in figure.axes) and shares.get_xlabel()
    figure.savefig(tmp_path / "depth.png")
    assert dict(mpl.rcParams) == settings


def test_counts_beyond_floats_are_drawn():
    table = archscope.gradient_paths("resnet20-cifar", samples=1)
    table["paths"] = [n * 2**2000 for n in table["paths"]]
    line = plots.depth([table]).axes[0].lines[0]
    assert 602 < min(line.get_ydata()) < 605


def test_gradient_flow_has_a_panel_for_each_group():
    flow = archscope.gradient_flow("resnet20-cifar", samples=1)
    figure = plots.gradient_flow({"plain": [flow], "residual": [flow, flow]})
    assert [axes.get_title() for axes in figure.axes] == ["plain", "residual"]
    assert figure.axes[0].get_yscale() == "log"


def test_through_time_joins_curves_that_coincide():
    static = {name: archscope.through_time(name, steps=9) for name in ("lstm", "gru")}
    measured = {"LSTM": archscope.gradient_through_time("lstm", seq_len=10)}
    lengths, gradients = plots.through_time(static, measured).axes
    assert labels(lengths) == ["lstm shortest, gru shortest", "lstm longest, gru longest"]
    assert labels(gradients) == ["LSTM: h", "LSTM: c"]
    assert len(plots.through_time(static).axes) == 1


def test_many_networks_have_their_key_beside_the_panels_and_looks_of_their_own():
    table = archscope.gradient_paths("resnet20-cifar", samples=1)
    figure = plots.depth([table] * 12)
    (key,) = figure.legends
    assert len(key.get_texts()) == 12 and not any(axes.get_legend() for axes in figure.axes)
    figure.draw_without_rendering()
    box = key.get_window_extent()
    assert all(axes.get_window_extent().x1 < box.x0 for axes in figure.axes)
    assert box.y0 >= 0 and box.x1 <= figure.bbox.x1
    lines = figure.axes[0].get_lines()
    looks = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}
    assert len(looks) == 12


def test_conditions_stay_inside_of_a_narrow_figure():
    flow = archscope.gradient_flow("resnet20-cifar", samples=1)
    figure = plots.gradient_flow({"residual": [flow]})
    figure.draw_without_rendering()
    (words,) = [text for text in figure.texts if text.get_text() == figure.get_supxlabel()]
    box = words.get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
