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

from archscope.trace.costs.registry import Cost, Formula, cost_of, elements_of
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


_QUANTISED_LAYERS = {"quantized_lstm": "lstm", "quantized_gru": "gru"}
_QUANTISED_CELLS = {f"quantized::quantized_{cell}_cell_dynamic": cell for cell in GATES}
QUANTISED = (*_QUANTISED_LAYERS, *_QUANTISED_CELLS)


def quantised_recurrence(name: str, args: Sequence[Any]) -> Recurrence | None:
    """What a quantised layer or cell goes through, None for another operator.

    A layer is called with (x, state, packed, biases, layers, dropout, train, bidirectional) and
    whether x is batch first; on packed sequences with (rows, batch sizes, state, ...). A state is
    h, an LSTM's (h, c), with h of (layers, B, H).
    """
    if name in _QUANTISED_CELLS:
        x, state = args[:2]
        return _quantised(_QUANTISED_CELLS[name], x, state, steps=1)
    if name not in _QUANTISED_LAYERS:
        return None
    cell = _QUANTISED_LAYERS[name]
    if hasattr(args[1], "shape") and not args[1].dtype.is_floating_point:
        x, sizes, state, _, _, layers, _, _, bidirectional = args[:9]
        return _quantised(cell, x, state, sizes.shape[0], layers, bidirectional)
    x, state, _, _, layers, _, _, bidirectional, *rest = args
    steps = x.shape[1] if any(rest[:1]) else x.shape[0]
    return _quantised(cell, x, state, steps, layers, bidirectional)


def _quantised(
    cell: str, x: Any, state: Any, steps: int, layers: int = 1, bidirectional: bool = False
) -> Recurrence:
    h = state if hasattr(state, "shape") else state[0]
    return Recurrence(
        cell=cell,
        steps=steps,
        layers=layers,
        directions=1 + bidirectional,
        input_size=x.shape[-1],
        hidden_size=h.shape[-1],
        products=elements_of(x) // x.shape[-1],
    )


def _quantised_cost(name: str) -> Formula:
    def cost(*args: Any, out: Any, **_: Any) -> Cost:
        recurrence = quantised_recurrence(name, args)
        assert recurrence is not None
        biased = next((value for value in args if isinstance(value, bool)), True)
        return layer_cost(recurrence, biases=2 * biased)

    return cost


for _name in QUANTISED:
    cost_of(_name)(_quantised_cost(_name))
