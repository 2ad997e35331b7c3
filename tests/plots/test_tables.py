"""Pictures refuse what they cannot be drawn from, and say what is lacking and what gives it."""

import math

import pandas as pd
import pytest

from archscope import plots
from archscope.errors import InvalidInput
from tests.plots.frames import comparison, measured

OF_COMPARISONS = {
    plots.accuracy: "top1",
    plots.density: "top1_per_mparams",
    plots.accuracy_vs_ops: "params",
    plots.accuracy_vs_depth: "top1",
    plots.memory_vs_params: "weight_bytes",
    plots.timeline: "year",
}
OF_MEASUREMENTS = {
    plots.time_vs_batch: "batch",
    plots.power_vs_batch: "batch",
    plots.memory_vs_batch: "peak_bytes",
    plots.ops_vs_time: "params",
    plots.ops_vs_power: "batch",
    plots.accuracy_vs_throughput: "flops",
}
EVERY = [*OF_COMPARISONS, *OF_MEASUREMENTS, plots.scaling, plots.layers, plots.roofline]


@pytest.mark.parametrize("picture", EVERY)
@pytest.mark.parametrize("nothing", [None, 5, "resnet50", [], {}, {"model": [1]}])
def test_what_is_no_frame_is_refused(picture, nothing):
    with pytest.raises(InvalidInput, match="frame must be a DataFrame, such as archscope"):
        picture(nothing)


@pytest.mark.parametrize("picture", EVERY)
def test_an_empty_frame_is_refused(picture):
    with pytest.raises(InvalidInput, match="frame has no "):
        picture(pd.DataFrame())


@pytest.mark.parametrize("picture", [*OF_COMPARISONS, *OF_MEASUREMENTS])
def test_a_frame_without_rows_is_refused(picture):
    with pytest.raises(InvalidInput, match="frame has no rows"):
        picture(measured(3).iloc[:0])


@pytest.mark.parametrize("picture, column", [*OF_COMPARISONS.items(), *OF_MEASUREMENTS.items()])
def test_a_column_that_is_lacking_is_named_with_what_gives_it(picture, column):
    with pytest.raises(InvalidInput, match=f"no column {column}; archscope.compare.* gives"):
        picture(measured(3).drop(columns=column))


@pytest.mark.parametrize("picture, column", OF_COMPARISONS.items())
def test_a_column_of_words_is_refused(picture, column):
    with pytest.raises(InvalidInput, match=f"numbers in the column {column}, not 'high'"):
        picture(comparison(3).assign(**{column: "high"}))


@pytest.mark.parametrize("picture", [*OF_COMPARISONS, *OF_MEASUREMENTS])
@pytest.mark.parametrize("size", [5, (5,), (0, 3), (math.nan, 3), ("a", "b"), "5x3", (1e9, 1e9)])
def test_a_size_that_is_none_is_refused(picture, size):
    with pytest.raises(InvalidInput, match=r"size must be .width, height. in inches"):
        picture(measured(3), size=size)


@pytest.mark.parametrize("ax", [5, "axes", [None], {}])
def test_what_are_no_axes_is_refused(ax):
    with pytest.raises(InvalidInput, match="ax must be matplotlib Axes"):
        plots.accuracy(comparison(3), ax)


@pytest.mark.parametrize("tables", [None, [], {}, "resnet50", [None], [pd.DataFrame()]])
def test_gradients_that_are_no_tables_are_refused(tables):
    with pytest.raises(InvalidInput, match="measured"):
        plots.depth(tables)
    with pytest.raises(InvalidInput, match="flows"):
        plots.gradient_flow({"panel": tables})
    with pytest.raises(InvalidInput, match="static"):
        plots.through_time({"lstm": tables})


def test_a_gradient_table_that_lost_its_attrs_is_refused():
    columns = ("length", "paths", "gradient_norm", "share", "share_low", "share_high")
    table = pd.DataFrame({name: [1.0] for name in columns})
    with pytest.raises(InvalidInput, match=r"no attrs model, conditions, .*gradient_paths"):
        plots.depth([table])


@pytest.mark.parametrize("figure, path", [(None, "x.svg"), (5, "x.svg")])
def test_only_figures_are_saved(figure, path, tmp_path):
    with pytest.raises(InvalidInput, match="figure must be a matplotlib Figure"):
        plots.save(figure, tmp_path / path)
    assert not list(tmp_path.iterdir())
