"""Where a network spends."""

import pytest

import archscope
from archscope import plots
from archscope.errors import InvalidInput
from tests.plots.geometry import assert_inside


@pytest.fixture(scope="module")
def frame():
    report = archscope.analyze("alexnet")
    found = report.layers
    found.attrs = {"model": "alexnet", "conditions": report.conditions}
    return found


def bars(axes):
    return [bar.get_height() for bar in axes.patches]


def test_panels_add_up_to_the_network(frame):
    figure = plots.layers(frame)
    macs, params, output = figure.axes
    assert sum(bars(macs)) * 1e6 == pytest.approx(frame["macs"].sum())
    assert sum(bars(params)) * 1e6 == pytest.approx(frame["params"].sum())
    assert output.get_ylabel() == "output (MiB)"
    assert [t.get_text() for t in output.get_xticklabels()][:2] == ["conv1", "relu1"]
    assert_inside(figure)


def test_activations_add_up_to_the_network_with_its_input(frame):
    (axes,) = plots.layers(frame, columns=["activations"]).axes
    assert axes.get_xticklabels()[0].get_text() == "input"
    total = archscope.analyze("alexnet").totals["activations"]
    assert sum(bars(axes)) * 1e3 == pytest.approx(total)


def test_time_is_a_panel_where_it_was_measured(frame):
    timed = frame.assign(self_ms=0.5)
    assert plots.layers(timed).axes[-1].get_ylabel() == "own time (µs)"
    assert len(plots.layers(frame, columns=["macs"]).axes) == 1


def test_a_deep_network_has_its_parts_on_the_axis():
    found = archscope.analyze("resnet152").layers
    figure = plots.layers(found)
    ticks = [t.get_text() for t in figure.axes[-1].get_xticklabels()]
    assert "conv4_x" in " ".join(ticks) and len(ticks) < 60
    assert_inside(figure)


def test_wrong_columns_are_refused(frame):
    with pytest.raises(InvalidInput, match="macs, flops, params"):
        plots.layers(frame, columns=["colour"])
    with pytest.raises(InvalidInput, match="no rows"):
        plots.layers(frame[frame["macs"] < 0], columns=["macs"])


def test_a_total_has_its_own_unit_and_a_long_name_stays_inside(frame):
    wide = frame.assign(output_bytes=1000)
    wide.attrs = {"model": "a_directory_and_a_module.py:" + "AClassWithALongName" * 8}
    figure = plots.layers(wide, columns=["output_bytes"])
    (axes,) = figure.axes
    size = 1000 * (len(frame) - (frame["kind"] == "Input").sum()) / 1024
    assert axes.get_ylabel() == "output (B)"
    assert f"total {size:.3g} KiB" in [text.get_text() for text in axes.texts]
    assert_inside(figure)
