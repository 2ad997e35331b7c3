"""Depth through time, from one step and from the unrolled graph."""

from math import inf

import pytest
import torch
from torch import Tensor, nn

import archscope
from archscope.analyzers.distances import distances
from archscope.errors import InvalidInput
from archscope.models.catalog import build
from archscope.recurrent_depth import OneStep, _cells_of, _parts, through_time


class Loop(nn.Module):
    """One step again and again, each x_t an input of its own; the last output is the result."""

    def __init__(self, step, states):
        super().__init__()
        self.step = step
        self.states = states

    def forward(self, *xs: Tensor) -> Tensor:
        states = [torch.zeros(shape) for shape in self.states]
        for x in xs:
            y, *states = self.step(x, *states)
        return y


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_closed_form_equals_the_unrolled_graph(name, layers):
    steps = 6
    model = build(name, layers=layers, input_size=3, hidden=4)
    cells, readout = _cells_of(model, name)
    states = [(1, 4) for cell in cells for _ in range(_parts(cell))]
    trace = archscope.trace(Loop(OneStep(cells, readout), states), ((1, 3),) * steps)
    near = distances(trace)
    inputs = [near[op.index] for op in trace.forward if op.category == "input"]
    table = through_time(name, steps=steps, layers=layers)
    assert list(table["shortest"]) == [way.shortest_to_output for way in reversed(inputs)]
    assert list(table["longest"]) == [way.longest_to_output for way in reversed(inputs)]


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_plain_state_takes_a_product_a_step_and_a_gated_one_none(layers):
    plain = through_time("rnn", steps=100, layers=layers)
    assert (
        list(plain["shortest"])
        == list(plain["longest"])
        == [lag + layers + 1 for lag in range(100)]
    )
    for name in ("lstm", "gru"):
        gated = through_time(name, steps=100, layers=layers)
        assert set(gated["shortest"]) == {layers}
        assert list(gated["longest"]) == [lag + layers for lag in range(100)]


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
def test_torchs_layers_and_cells_are_the_zoos(layer):
    name = layer.__name__.lower()
    cell = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}[name](4, 4)
    wanted = through_time(name, steps=5, **({"output_size": 0} if name == "rnn" else {}))
    for found in (through_time(layer(4, 4), steps=5), through_time(cell, steps=5)):
        assert found.equals(wanted)


# -- Zhang et al. 2016: each edge of their graphs is a product and a nonlinearity ------------------


class Stacked(nn.Module):
    """h1(t-1) -> h1, h2(t-1) -> h2, x -> h1 -> h2 -> y, and one more edge; "td" reads h2(t-1) in
    h1, "bu" reads h1(t-1) in h2 instead of h1(t)."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.edges = nn.ModuleList(nn.Linear(2, 2) for _ in range(6))

    def forward(self, x: Tensor, h1: Tensor, h2: Tensor) -> tuple[Tensor, ...]:
        new1 = self.edges[0](x) + self.edges[1](h1)
        if self.kind == "td":
            new1 = new1 + self.edges[2](h2)
        new1 = new1.tanh()
        new2 = self.edges[3](new1) + self.edges[4](h2)
        if self.kind == "bu":
            new2 = new2 + self.edges[2](h1)
        new2 = new2.tanh()
        return self.edges[5](new2), new1, new2


class Skip(nn.Module):
    """h(t) reads h(t-1) and h(t-3), which two delays keep."""

    def __init__(self):
        super().__init__()
        self.edges = nn.ModuleList(nn.Linear(2, 2) for _ in range(4))

    def forward(self, x: Tensor, h1: Tensor, h2: Tensor, h3: Tensor) -> tuple[Tensor, ...]:
        h = (self.edges[0](x) + self.edges[1](h1) + self.edges[2](h3)).tanh()
        return self.edges[3](h), h, h1, h2


class DeepTransition(nn.Module):
    """h -> m -> h."""

    def __init__(self):
        super().__init__()
        self.edges = nn.ModuleList(nn.Linear(2, 2) for _ in range(4))

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
        new = (self.edges[0](x) + self.edges[2](self.edges[1](h).tanh())).tanh()
        return self.edges[3](new), new


@pytest.mark.parametrize(
    ("model", "states", "expected"),
    [
        ("rnn", None, (1, 2, 1)),
        (Stacked("st"), 2, (1, 3, 1)),
        (Stacked("bu"), 2, (1, 3, 1)),
        (Stacked("td"), 2, (2, 3, 1)),
        (Skip(), 3, (1, 2, 3)),
        (DeepTransition(), 1, (2, 2, 0.5)),
    ],
)
def test_measures_of_zhang_et_al(model, states, expected):
    inputs = None if states is None else ((1, 2),) * (states + 1)
    found = through_time(model, inputs).attrs
    measures = found["recurrent_depth"], found["feedforward_depth"], found["skip_coefficient"]
    assert measures == expected


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_measures_of_the_zoo(layers):
    for name, readout in (("rnn", 1), ("lstm", 0), ("gru", 0)):
        found = through_time(name, layers=layers).attrs
        assert found["recurrent_depth"] == 1
        assert found["feedforward_depth"] == layers + readout
        assert found["skip_coefficient"] == (1 if name == "rnn" else inf)


def test_what_is_no_step_is_refused():
    with pytest.raises(InvalidInput, match="give one by itself"):
        through_time(nn.Sequential(nn.LSTM(2, 2)))
    with pytest.raises(InvalidInput, match="one step itself needs inputs"):
        through_time(DeepTransition())
    with pytest.raises(InvalidInput, match="takes 3 tensors and returns 2"):
        through_time(DeepTransition3(), ((1, 2), (1, 2), (1, 2)))
    with pytest.raises(InvalidInput, match="bidirectional"):
        through_time(nn.LSTM(2, 2, bidirectional=True))


class DeepTransition3(DeepTransition):
    def forward(self, x: Tensor, h: Tensor, unused: Tensor) -> tuple[Tensor, ...]:
        return super().forward(x, h)
