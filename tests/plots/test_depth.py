"""The pictures show what the tables say, and leave matplotlib as it was."""

import matplotlib as mpl
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.offsetbox import TextArea

import archscope
from archscope import plots
from archscope.plots.style import styled
from tests.plots.geometry import assert_inside, assert_panels_are_most_of, caption


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def key(figure):
    """What the key says, a text for each of its lines."""
    return [text.get_text() for text in figure.findobj(TextArea)]


def paths_table(model="resnet20-cifar", runs=12, **attrs):
    """A made-up decomposition: 2^4 routes of 2 to 6 layers."""
    share = [0.0, 0.0, 0.4, 0.3, 0.2, 0.08, 0.02]
    columns = {
        "length": range(7),
        "paths": pd.Series([0, 0, 1, 4, 6, 4, 1], dtype=object),
        "gradient_norm": share,
        "share": share,
        "share_low": [0.9 * one for one in share],
        "share_high": [1.1 * one for one in share],
    }
    table = pd.DataFrame(columns)
    table.attrs = {
        **{"model": model, "conditions": "input 3x32x32 float32, batch 1, evaluation, 12 runs"},
        **{"effective_depth": 3.0, "runs": runs},
        **attrs,
    }
    return table


def flow_table(model="resnet20-cifar", layers=20):
    table = pd.DataFrame({"layer": range(1, layers + 1), "gradient_norm": 0.5})
    table["gradient_norm"] **= table["layer"]
    table.attrs = {"model": model, "conditions": "input 3x32x32 float32, batch 1, 4 runs"}
    return table


def static_table(longest=1):
    table = pd.DataFrame({"lag": range(20), "shortest": 1, "longest": range(1, 21)})
    table["longest"] *= longest
    table.attrs = {"skip_coefficient": float("inf")}
    return table


def lag_table(model="lstm"):
    table = pd.DataFrame({"lag": range(1, 20), "hidden_norm": 0.7, "cell_norm": 0.6})
    table["hidden_low"], table["hidden_high"] = 0.6, 0.8
    table.attrs = {"model": model, "conditions": "input 20x64 float32, batch 1, 12 runs"}
    return table


EVERY = {
    "depth": lambda names, **how: plots.depth([paths_table(name) for name in names], **how),
    "gradient_flow": lambda names, **how: plots.gradient_flow(
        {"plain": [flow_table(name) for name in names], "residual": [flow_table(names[0])]}, **how
    ),
    "through_time": lambda names, **how: plots.through_time(
        {name: static_table(i + 1) for i, name in enumerate(names)},
        {name: lag_table(name) for name in names},
        **how,
    ),
}


def test_path_lengths_and_gradient_in_two_aligned_panels(tmp_path):
    settings = dict(mpl.rcParams)
    names = ("plain20-cifar", "resnet20-cifar")
    tables = [archscope.gradient_paths(name, samples=2) for name in names]
    figure = plots.depth(tables)
    counts, shares = figure.axes
    assert counts.get_xlim() == shares.get_xlim()
    effective = tables[1].attrs["effective_depth"]
    lines = ["plain20-cifar: 1 path, 20.0", f"resnet20-cifar: 512 paths, {effective:.1f}"]
    assert key(figure)[1:] == lines
    assert any(line.get_xdata()[0] == effective for line in shares.lines)
    assert all(axes.get_ylabel() for axes in figure.axes) and shares.get_xlabel()
    figure.savefig(tmp_path / "depth.png")
    assert dict(mpl.rcParams) == settings


def test_counts_beyond_floats_are_drawn():
    table = paths_table()
    table["paths"] = [n * 2**2000 for n in table["paths"]]
    figure = plots.depth([table])
    assert 602 < min(figure.axes[0].lines[0].get_ydata()) < 605
    assert key(figure)[-1] == "resnet20-cifar: 2²⁰⁰⁴ paths, 3.0"


def test_an_axis_of_few_powers_has_each_once():
    counts = plots.depth([paths_table()]).axes[0]
    ticks = [text.get_text() for text in counts.get_yticklabels()]
    assert len(set(ticks)) == len(ticks)


def test_gradient_flow_has_a_panel_for_each_group_and_one_scale():
    figure = plots.gradient_flow({"plain": [flow_table(layers=9)], "residual": [flow_table()] * 2})
    plain, residual = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["plain", "residual"]
    assert plain.get_yscale() == "log" and plain.get_ylim() == residual.get_ylim()
    assert plain.get_ylabel() and not residual.get_ylabel()


def test_through_time_joins_curves_that_coincide():
    static = {name: archscope.through_time(name, steps=9) for name in ("lstm", "gru")}
    measured = {"LSTM": archscope.gradient_through_time("lstm", seq_len=10)}
    figure = plots.through_time(static, measured)
    joined = ["lstm shortest, gru shortest", "lstm longest, gru longest"]
    assert key(figure) == ["paths", *joined, "gradient", "LSTM: h", "LSTM: c"]
    assert len(plots.through_time(static).axes) == 1
    assert caption(figure).startswith("Recurrent skip coefficient (Zhang et al. 2016): lstm ∞")


def test_a_network_has_its_colour_in_both_panels_and_shared_curves_have_none():
    static = {"rnn": static_table(3), "lstm": static_table(2)}
    lags, gradients = plots.through_time(static, {"rnn": lag_table(), "lstm": lag_table()}).axes
    (rnn, lstm) = dict.fromkeys(line.get_color() for line in gradients.lines)
    assert [line.get_color() for line in lags.lines] == ["#555555", rnn, lstm]


def test_many_networks_have_looks_of_their_own_and_all_stand_in_the_key():
    figure = plots.depth([paths_table(f"net{i}") for i in range(12)])
    assert len(key(figure)) == 13
    lines = figure.axes[0].get_lines()
    looks = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}
    assert len(looks) == 12


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("number, size", [(1, None), (15, None), (4, (3.3, 4.6)), (1, (12, 7))])
def test_panels_key_and_caption_find_room(kind, number, size):
    figure = EVERY[kind]([f"network{i}" for i in range(number)], size=size)
    assert_inside(figure)
    assert_panels_are_most_of(figure, 0.3)
    assert size is None or tuple(figure.get_size_inches()) == size


@pytest.mark.parametrize("kind", EVERY)
def test_a_file_has_the_ticks_that_the_layout_made_room_for(kind):
    """Where nobody says how many, their number depends on the size of letters at the moment."""
    figure = EVERY[kind](["a", "b"])
    axes = [axis for panel in figure.axes for axis in (panel.xaxis, panel.yaxis)]
    with styled(fine=True):
        laid_out = [list(axis.get_majorticklocs()) for axis in axes]
    with styled():
        assert [list(axis.get_majorticklocs()) for axis in axes] == laid_out


@pytest.mark.parametrize("kind", EVERY)
def test_names_are_never_formulas_and_never_hidden(kind, tmp_path):
    names = ["net$.py:Net$", "_hidden", "100%_{", "<b>&", "$\\frac", "x" * 90]
    figure = EVERY[kind](names)
    plots.save(figure, tmp_path / "figure.svg")
    told = " ".join(key(figure))
    assert all(name in told for name in names[:-1])
    assert_inside(figure)


@pytest.mark.parametrize("kind", EVERY)
def test_they_are_drawn_into_axes_that_are_given(kind):
    figure = Figure(figsize=(9, 7))
    given = figure.subplots(2, 1)
    assert EVERY[kind](["a", "b"], ax=list(given)) is figure
    assert figure.axes == list(given) and not figure.texts and not figure.legends
    assert_inside(figure)


def test_the_caption_states_device_and_date_first():
    about = {"device": "Some CPU", "torch": "2.13.0", "date": "2026-11-23T08:00:00"}
    table = paths_table(**about)
    table.attrs["conditions"] += ", measured on Some CPU, 2026-11-23, torch 2.13.0"
    words = caption(plots.depth([table]))
    assert "Measured on Some CPU, torch 2.13.0, 2026-11-23. Input 3x32x32 float32, batch" in words
    assert words.count("Some CPU") == 1 and words.endswith("12 runs.")
    assert " Input 3x32x32" in f" {caption(plots.gradient_flow({'residual': [flow_table()]}))}"
