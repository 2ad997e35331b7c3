"""Recurrent layers and cells, in closed form in the sequence length.

One step of one cell, input I, hidden H, state P (= H unless projected), g gates: gH (I + P)
multiply-adds, and PH for the projection. So cost does not depend on whether the layer ran fused,
unrolled or as a loop of cells. FLOPs beyond the products, per hidden unit, follow the equations:

    rnn   h = f(a + b)                                       1 sum, 1 activation
    gru   r, z = s(a + b); n = tanh(a + r b); n + z (h - n)  2 + 2, 1 + 1 + 1, 3
    lstm  i, f, g, o = s(a + b); c = f c + i g; o tanh(c)    4 + 4, 3, 2

where a and b are the input's and the state's product; each bias adds one per gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from archscope.trace.costs.registry import Cost, cost_of, elements_of
from archscope.trace.records import Recurrence

GATES = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "lstm": 4}
POINTWISE_FLOPS = {"rnn_tanh": 2, "rnn_relu": 2, "gru": 10, "lstm": 13}


def cell_cost(
    cell: str, inputs: int, hidden: int, *, state: int | None = None, biases: int = 2
) -> Cost:
    """One step of one cell for one sample. ``state`` is the projected size, if projected."""
    gates = GATES[cell]
    macs = gates * hidden * (inputs + (state or hidden))
    if state is not None and state != hidden:
        macs += state * hidden
    return Cost(macs, 2 * macs + hidden * (POINTWISE_FLOPS[cell] + biases * gates))


def layer_cost(shape: Recurrence, *, state: int | None = None, biases: int = 2) -> Cost:
    """All layers, directions and steps: the sum of their cells'."""
    macs = flops = 0
    width = (state or shape.hidden_size) * shape.directions
    for layer in range(shape.layers):
        inputs = shape.input_size if layer == 0 else width
        step = cell_cost(shape.cell, inputs, shape.hidden_size, state=state, biases=biases)
        macs += shape.directions * shape.products * step.macs
        flops += shape.directions * shape.products * step.flops
    return Cost(macs, flops)


class Wanted(NamedTuple):
    """Which gradients a recurrent operator's backward has to give."""

    input: bool
    state: bool
    weights: tuple[bool, ...]  # of each layer, lowest first

    @classmethod
    def among(cls, wanted: Sequence[bool], states: int, layers: int) -> Wanted:
        """From the flags of the operator's tensors: the input, the states, the layers' weights."""
        weights = wanted[1 + states :]
        per_layer = len(weights) // layers
        return cls(
            wanted[0],
            any(wanted[1 : 1 + states]),
            tuple(any(weights[i * per_layer : (i + 1) * per_layer]) for i in range(layers)),
        )


def layer_backward_cost(
    shape: Recurrence, cost: Cost, wanted: Wanted, batch: int, *, state: int | None = None
) -> Cost:
    """The products of the backward through time, by layer.

    dW pairs what the forward paired. dx is wanted where anything below is; dh of a step where
    anything of this layer or below is, but for the first step's, which only the initial state asks
    for. ``batch`` is the number of first steps. The equations' terms count twice the forward's.
    """
    hidden, gates = shape.hidden_size, GATES[shape.cell]
    width = state or hidden
    projection = width * hidden if width != hidden else 0
    macs = 0
    below = wanted.input or wanted.state
    for layer, weights in enumerate(wanted.weights):
        inputs = shape.input_size if layer == 0 else width * shape.directions
        to_input = wanted.input if layer == 0 else below
        below = below or weights
        if not below:
            continue
        products = shape.products
        through_time = products - (0 if wanted.state else batch)
        once = gates * hidden * (weights * (inputs + width) + to_input * inputs) * products
        once += gates * hidden * width * through_time + projection * products * (1 + weights)
        macs += shape.directions * once
    pointwise = cost.flops - 2 * cost.macs
    return Cost(macs, 2 * macs + 2 * pointwise if macs else 0)


@cost_of("_thnn_fused_lstm_cell")
def fused_lstm_cell(a: Any, b: Any, c: Any, *biases: Any, out: Any) -> Cost:
    """The pointwise part of an LSTM cell; its two products are operators of their own."""
    given = sum(bias is not None for bias in biases)
    return Cost(0, elements_of(c) * (POINTWISE_FLOPS["lstm"] + 4 * given))


@cost_of("_thnn_fused_gru_cell")
def fused_gru_cell(a: Any, b: Any, h: Any, *biases: Any, out: Any) -> Cost:
    """The pointwise part of a GRU cell."""
    given = sum(bias is not None for bias in biases)
    return Cost(0, elements_of(h) * (POINTWISE_FLOPS["gru"] + 3 * given))


@cost_of("mkldnn_rnn_layer")
def mkldnn_rnn_layer(
    x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, hx: Any, cx: Any, *_: Any, out: Any
) -> Cost:
    """One layer and direction of an LSTM on the CPU: x is (T, B, I)."""
    step = cell_cost("lstm", x.shape[-1], hx.shape[-1])
    steps = x.shape[0] * x.shape[1]
    return Cost(steps * step.macs, steps * step.flops)


@cost_of("quantized_lstm", "quantized_gru")
def quantised_layers(
    x: Any,
    state: Any,
    packed: Any,
    biases: bool,
    layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    *_: Any,
    out: Any,
    **__: Any,
) -> Cost:
    """All layers of a quantised LSTM, whose state is (h, c), or GRU; h is (layers, B, H)."""
    h = state if hasattr(state, "shape") else state[0]
    cell = "gru" if h is state else "lstm"
    directions = 1 + bidirectional
    products = elements_of(x) // x.shape[-1]  # steps of all samples
    macs = flops = 0
    for layer in range(layers):
        inputs = x.shape[-1] if layer == 0 else directions * h.shape[-1]
        step = cell_cost(cell, inputs, h.shape[-1], biases=2 if biases else 0)
        macs += directions * products * step.macs
        flops += directions * products * step.flops
    return Cost(macs, flops)
