"""The timeline of memory: its peak, its key, its conditions, in any size."""

from itertools import pairwise

import pytest
from matplotlib.figure import Figure
from matplotlib.offsetbox import TextArea
from torch import nn

import archscope
from archscope import plots
from tests.plots.geometry import assert_inside, assert_panels_are_most_of, caption


def step(name="net", depth=3):
    layers = [nn.Conv2d(8, 8, 3, padding=1) if i % 2 else nn.ReLU() for i in range(2 * depth)]
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), *layers)
    return archscope.trace(model, ((2, 3, 16, 16),), "training", optimizer="adam", name=name)


def test_kinds_stand_in_the_key_and_conditions_in_the_caption():
    figure = plots.memory_timeline(step())
    told = [text.get_text() for text in figure.findobj(TextArea)]
    assert told[0] == "memory" and told[-1] == "weights" and "saved" in told
    words = caption(figure)
    assert "Memory is derived" in words
    assert words.endswith("Input 2x3x16x16 float32, batch 2, training, optimizer adam.")


@pytest.mark.parametrize("name", ["net", "net$.py:Net$", "n" * 150])
@pytest.mark.parametrize("size", [None, (3.3, 3.0), (12.0, 7.0)])
def test_everything_is_inside(name, size):
    figure = plots.memory_timeline(step(name), size=size)
    assert_inside(figure)
    assert_panels_are_most_of(figure, 0.3)


def test_it_is_drawn_into_axes_that_are_given():
    figure = Figure(figsize=(10, 4))
    left, right = figure.subplots(1, 2)
    assert plots.memory_timeline(step(), ax=left) is figure
    assert figure.axes == [left, right] and not figure.texts and not figure.legends
    assert_inside(figure)


@pytest.mark.parametrize("size", [(3.3, 3.0), (7.0, 3.8)])
def test_names_of_layers_meet_neither_each_other_nor_the_phases_that_of_the_peak(size):
    figure = plots.memory_timeline(step(depth=6), size=size)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    ticks = [text for text in axes.get_xticklabels() if text.get_text()]
    peak = [text.get_window_extent() for text in axes.texts if " of " in text.get_text()]
    assert peak or " of " in axes.get_title(loc="left")
    phases = [text for text in axes.texts if text.get_text() in ("forward", "backward")]
    assert ticks and phases
    boxes = [text.get_window_extent() for text in ticks]
    assert not any(one.overlaps(other) for one, other in pairwise(boxes))
    assert not any(text.get_window_extent().overlaps(box) for text in phases for box in peak)
