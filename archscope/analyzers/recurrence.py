"""Depth through time, from one step of a recurrent network.

One step reads x_t and the states of t - 1 and makes the output y_t and the states of t. The most
and the fewest weight layers from each operand to each result are two small matrices, and their
powers in (max, +) and (min, +) give the paths over any number of steps: the unrolled network
without unrolling it.

Zhang et al., "Architectural Complexity Measures of Recurrent Neural Networks", NIPS 2016
(arXiv:1602.08210), define from the cycles of that graph, here with weight layers for edges:

- recurrent depth d_r: the largest mean length of a cycle per time step;
- feedforward depth d_f: the longest path from input to output less d_r for each step that it takes;
- recurrent skip coefficient s: 1 / j, where j is the smallest mean length of a cycle per time step.
  Where a state passes without any product, as in an LSTM, j is 0 and s infinite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import TYPE_CHECKING, Any

from archscope.analyzers.distances import reached_from
from archscope.errors import InvalidInput
from archscope.trace.records import Trace

if TYPE_CHECKING:
    import pandas as pd

Matrix = list[list[float]]  # [to][from]; infinite where there is no path
Choice = Callable[..., Any]  # max or min


@dataclass(frozen=True)
class StepGraph:
    """Fewest and most weight layers of one step.

    Row 0 is the output and column 0 the input; then come the states, in the same order in both.
    """

    shortest: Matrix
    longest: Matrix

    @property
    def recurrent_depth(self) -> Fraction:
        """d_r; 0 without a cycle."""
        return _cycle_mean(_states(self.longest), max)

    @property
    def feedforward_depth(self) -> Fraction:
        """d_f."""
        per_step = self.recurrent_depth
        most = Fraction(0)
        for lag in range(len(self.longest) + 1):  # a path without a cycle takes no more steps
            length = self.path(lag)[1]
            if length is not None:
                most = max(most, length - lag * per_step)
        return most

    @property
    def skip_coefficient(self) -> Fraction | float:
        """s; infinite if a state passes from step to step without a product."""
        fewest = _cycle_mean(_states(self.shortest), min)
        return 1 / fewest if fewest else inf

    def path(self, lag: int) -> tuple[int | None, int | None]:
        """Fewest and most weight layers from the input at T - lag to the output at T."""
        fewest = _along(self.shortest, lag, min)
        most = _along(self.longest, lag, max)
        return (int(fewest), int(most)) if fewest < inf else (None, None)


def step_graph(trace: Trace) -> StepGraph:
    """The graph of one step.

    Args:
        trace: of a module that was called with (x, state, ...) and returned (y, state, ...), as
            many states and in the same order, each in a tensor of its own.

    Raises:
        InvalidInput: it was not.
    """
    sources = [op.index for op in trace.forward if op.category == "input"]
    root = trace.calls[0]
    if len(sources) != len(root.output_storages) or -1 in root.output_storages:
        raise InvalidInput(
            "one step takes (x, state, ...) and returns (y, state, ...), the same number of "
            f"states; this one takes {len(sources)} tensors and returns "
            f"{len(root.output_storages)}"
        )
    written = {storage: op.index for op in trace.forward for storage in op.writes}
    targets = [written[storage] for storage in root.output_storages]
    reached = [reached_from(trace, source) for source in sources]
    return StepGraph(
        shortest=[[from_[to][0] if to in from_ else inf for from_ in reached] for to in targets],
        longest=[[from_[to][1] if to in from_ else -inf for from_ in reached] for to in targets],
    )


def lags(graph: StepGraph, steps: int) -> pd.DataFrame:
    """The path from the loss at time T to the input at T - lag, for every lag below ``steps``.

    Returns:
        ``lag``, ``shortest`` and ``longest``, in weight layers.
    """
    import pandas as pd

    rows = [(lag, *graph.path(lag)) for lag in range(steps)]
    return pd.DataFrame(rows, columns=["lag", "shortest", "longest"]).astype("Int64")


def _states(matrix: Matrix) -> Matrix:
    return [row[1:] for row in matrix[1:]]


def _along(matrix: Matrix, lag: int, choose: Choice) -> float:
    if lag == 0:
        return matrix[0][0]
    reached = [row[0] for row in matrix[1:]]  # the states at T - lag
    for _ in range(lag - 1):
        reached = _step(_states(matrix), reached, choose)
    return _step([matrix[0][1:]], reached, choose)[0]


def _step(matrix: Matrix, reached: list[float], choose: Choice) -> list[float]:
    nowhere = -inf if choose is max else inf
    return [
        choose([a + b for a, b in zip(row, reached, strict=True)], default=nowhere)
        for row in matrix
    ]


def _cycle_mean(matrix: Matrix, choose: Choice) -> Fraction:
    """The largest or smallest mean weight of a cycle (Karp 1978); 0 without a cycle."""
    size = len(matrix)
    other = min if choose is max else max
    walks = [[0.0] * size]  # best walks of 0, 1, ... steps that end in each state
    for _ in range(size):
        walks.append(_step(matrix, walks[-1], choose))
    means = []
    for state in range(size):
        if abs(walks[size][state]) < inf:
            ratios = [
                Fraction(int(walks[size][state] - walks[k][state]), size - k)
                for k in range(size)
                if abs(walks[k][state]) < inf
            ]
            means.append(other(ratios))
    return choose(means, default=Fraction(0))
