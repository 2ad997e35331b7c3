"""A figure shows itself in a notebook."""

import archscope
from archscope import plots


def test_every_figure_shows_itself_as_png():
    trace = archscope.analyze("alexnet").trace
    for figure in (plots.memory_timeline(trace), plots.layers(archscope.analyze("nin").layers)):
        assert figure._repr_png_().startswith(b"\x89PNG")
