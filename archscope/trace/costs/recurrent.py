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

from typing import Any

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


def layer_backward_cost(shape: Recurrence, cost: Cost) -> Cost:
    """Each product has two in the backward (input and weight); so have the equations' terms."""
    return Cost(2 * cost.macs, 2 * cost.flops)


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
