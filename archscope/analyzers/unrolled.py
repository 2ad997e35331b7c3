"""Recurrent layers unrolled on paper: how many routes of each length lead through one.

Unrolled, a layer is a grid of cells, one per time step and layer. A step of a cell is one weight
layer, whether it came along x_t or along h_{t-1}, for the two products are parallel. From h_{t-1}
to h_t a plain cell has only its product. The gates of an LSTM and of a GRU let the state itself
pass besides, without a product (c_t = f c_{t-1} + ..., h_t = z h_{t-1} + ...), and that makes all
the difference: of T steps a route takes one stretch in a plain cell, any selection in a gated one.

The routes end in the layer's output sequence as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from math import comb

from archscope.trace.records import Recurrence

# The operands of a recurrent operator that hold its initial state, in order.
STATES = {
    "lstm": ("hidden", "cell"),
    "gru": ("hidden",),
    "rnn_tanh": ("hidden",),
    "rnn_relu": ("hidden",),
}


def state_passes(cell: str, operand: str) -> bool:
    """Whether this part of the initial state reaches the output without any product."""
    return (cell, operand) in (("lstm", "cell"), ("gru", "hidden"))


def is_gated(cell: str) -> bool:
    """Whether the state passes from step to step without a product."""
    return cell in ("lstm", "gru")


@dataclass(frozen=True, slots=True)
class Growth:
    """How much longer routes become in a step: by ``length``, or in a recurrent layer by
    ``length`` for each of its cell steps, on the routes from one of its operands."""

    length: int
    form: Recurrence | None = None
    operand: str = "input"

    def lengths(self) -> Mapping[int, int]:
        """By how much -> in how many ways."""
        if self.form is None:
            return {self.length: 1}
        steps = lengths_through(self.form, self.operand)
        if self.length == 0:
            return {0: sum(steps.values())}
        return {m * self.length: ways for m, ways in steps.items()}

    def moments(self) -> tuple[int, int, int]:
        """The number of ways, the sum of their lengths, and the sum of the squares."""
        if self.form is None:
            return 1, self.length, self.length**2
        ways, first, second = moments_through(self.form, self.operand)
        return ways, first * self.length, second * self.length**2

    def extremes(self) -> tuple[int, int] | None:
        """The shortest and the longest way; None where there is none."""
        if self.form is None:
            return self.length, self.length
        steps = extremes_through(self.form, self.operand)
        return (steps[0] * self.length, steps[1] * self.length) if steps else None


def extremes_through(form: Recurrence, operand: str) -> tuple[int, int] | None:
    """Fewest and most cell steps, 1 or more, from an operand to the layer's output.

    At most all T steps of one layer and one of each other; in both directions every layer can go
    through the whole sequence, for the next one runs back. At least one of each layer from the
    input, and one from the last layer's initial state.
    """
    both = form.directions == 2
    longest = form.steps * form.layers if both else form.steps + form.layers - 1
    if operand == "input":
        return form.layers, longest
    if operand == "cell":
        longest -= 1
    return (1, longest) if longest else None


@cache
def lengths_through(form: Recurrence, operand: str) -> Mapping[int, int]:
    """Number of cell steps -> number of routes that take so many, 1 or more.

    Args:
        form: the layer's sizes.
        operand: where the routes come from: "input", "hidden" or "cell".
    """
    if form.directions == 1:
        return _closed_form(form, operand)
    width = width_of(_routes(form, operand, lambda routes: routes))
    return unpacked(_routes(form, operand, lambda routes: routes << 8 * width), width)


@cache
def moments_through(form: Recurrence, operand: str) -> tuple[int, int, int]:
    """The number of routes, the sum of their cell steps, and the sum of the squares."""
    if form.directions == 1 and operand == "input" and is_gated(form.cell):
        return _gated_moments(form.steps, form.layers)
    if form.directions == 1:
        lengths = lengths_through(form, operand)
        first = sum(m * ways for m, ways in lengths.items())
        return sum(lengths.values()), first, sum(m * m * ways for m, ways in lengths.items())
    # With 1 + e for x and e^3 = 0 the polynomial is P(1) + P'(1) e + P''(1)/2 e^2. A coefficient
    # is at most the number of routes times half the square of their length.
    number = _routes(form, operand, lambda routes: routes)
    bits = (number * (form.steps * form.layers) ** 2).bit_length()
    three = (1 << 3 * bits) - 1
    sums = _routes(form, operand, lambda routes: (routes + (routes << bits)) & three)
    first = (sums >> bits) & ((1 << bits) - 1)
    return number, first, 2 * (sums >> 2 * bits) + first


def _closed_form(form: Recurrence, operand: str) -> dict[int, int]:
    steps, layers = form.steps, form.layers
    if operand == "input":
        return _gated(steps, layers) if is_gated(form.cell) else _plain(steps, layers)
    if not is_gated(form.cell):
        return _plain_from_state(steps, layers)
    taken = 1 if form.cell == "lstm" and operand == "hidden" else 0
    selected = steps if form.cell == "gru" else steps - 1
    return _gated_from_state(steps, layers, taken, selected)


def _plain(steps: int, layers: int) -> dict[int, int]:
    """x_s reaches h_t of layer L on lattice paths of t - s steps in time and L - 1 upwards.

    A route of m = t - s + L cell steps chooses which L - 1 of the m - 1 moves go up, and there are
    T - (t - s) pairs s, t: (T - m + L) C(m - 1, L - 1) routes.
    """
    return {
        m: (steps - m + layers) * comb(m - 1, layers - 1) for m in range(layers, steps + layers)
    }


def _plain_from_state(steps: int, layers: int) -> dict[int, int]:
    """From h_0 of the layer d below the last to h_t: m = t + d steps, C(m - 1, d) routes."""
    lengths: dict[int, int] = {}
    for d in range(layers):
        for m in range(1 + d, steps + d + 1):
            lengths[m] = lengths.get(m, 0) + comb(m - 1, d)
    return dict(sorted(lengths.items()))


def _gated(steps: int, layers: int) -> dict[int, int]:
    """P_t of layer l, a polynomial with a term x^m for each route of m cell steps, obeys
    P_t = (1 + x) P_{t-1} + x P'_t with P' of the layer below, 1 below the first.

    So P_T = x^L sum_j C(j + L - 1, L - 1) (1 + x)^j over j < T, whose coefficient of x^m is
    C(m - 1, L - 1) C(T + L - 1, m). For one layer: any of the 2^T - 1 selections of time steps.
    """
    reach = steps + layers - 1
    lengths = {}
    selections = comb(reach, layers)
    for m in range(layers, reach + 1):
        lengths[m] = comb(m - 1, layers - 1) * selections
        selections = selections * (reach - m) // (m + 1)  # C(reach, m + 1)
    return lengths


def _gated_moments(steps: int, layers: int) -> tuple[int, int, int]:
    """The moments of ``_gated`` without its coefficients, each as long as the sequence.

    With Q(y) = sum_j C(j + L - 1, L - 1) y^j the polynomial is x^L Q(1 + x), so that its value and
    derivatives at 1 come from those of Q at 2, summed from the highest power down.
    """
    value = slope = bend = 0  # Q(2), Q'(2), Q''(2) / 2
    ways = comb(steps + layers - 2, layers - 1)
    for j in reversed(range(steps)):
        bend = (bend << 1) + slope
        slope = (slope << 1) + value
        value = (value << 1) + ways
        ways = ways * j // (j + layers - 1) if j else ways
    first = layers * value + slope
    twice = layers * (layers - 1) * value + 2 * layers * slope + 2 * bend
    return value, first, twice + first


def _gated_from_state(steps: int, layers: int, taken: int, selected: int) -> dict[int, int]:
    """The same recursion from a state of the layer d below the last has
    P_T = x^(taken + d) C(T - 1 + d, d) (1 + x)^selected.

    The hidden state of an LSTM takes a step first and then selects among T - 1, its cell state
    only selects, and the state of a GRU does both at once: any selection of T.
    """
    lengths: dict[int, int] = {}
    for d in range(layers):
        ways = comb(steps - 1 + d, d)
        for n in range(selected + 1):
            m = taken + d + n
            lengths[m] = lengths.get(m, 0) + ways
            ways = ways * (selected - n) // (n + 1)
    lengths.pop(0, None)  # this one takes no step and passes by
    return dict(sorted(lengths.items()))


def _routes(form: Recurrence, operand: str, step: Callable[[int], int]) -> int:
    """All routes through the unrolled cells, in any packing where routes add; ``step`` takes one.

    This is the recursion itself, from cell to cell, which the closed forms solve.
    """
    gated = is_gated(form.cell)
    start = int(operand == "hidden")
    kept_at_start = int(state_passes(form.cell, operand))
    below = [int(operand == "input")] * form.steps
    final = 0
    for _ in range(form.layers):
        states: list[int] = [0] * form.steps
        final = 0
        for direction in range(form.directions):
            hidden, kept = start, kept_at_start
            order = range(form.steps)
            for t in order if direction == 0 else reversed(order):
                taken = step(below[t] + hidden)
                hidden = kept = kept + taken if gated else taken
                states[t] += hidden
                final += 0 if gated else hidden
            final += kept if gated else 0
        below = states
    return final - form.directions * kept_at_start


def packed(lengths: Mapping[int, int], width: int) -> int:
    """Counts as one integer, ``width`` bytes each, the shortest length lowest; each must fit."""
    coefficients = bytearray(width * (max(lengths) + 1))
    for length, ways in lengths.items():
        coefficients[width * length : width * (length + 1)] = ways.to_bytes(width, "little")
    return int.from_bytes(coefficients, "little")


def unpacked(routes: int, width: int) -> dict[int, int]:
    """Length -> count, shortest first; the inverse of ``packed``."""
    coefficients = routes.to_bytes(-(-routes.bit_length() // 8), "little")
    counts = {}
    for start in range(0, len(coefficients), width):
        ways = int.from_bytes(coefficients[start : start + width], "little")
        if ways:
            counts[start // width] = ways
    return counts


def width_of(count: int) -> int:
    """Bytes that hold the count."""
    return max(-(-count.bit_length() // 8), 1)
