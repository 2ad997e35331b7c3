"""How far the output is from the input: weight layers on every route, counted exactly.

The graph is the one that ran: its nodes are the forward operators, its edges the data that one
reads of another. A route is told by the weight layers that it passes, in order: what lies between
two of them (the square and the sum of a normalisation, a gate, a pooling) makes no second route.

One pass over the graph, in the order of the run, gives every operator a polynomial whose
coefficient of x^k is the number of routes from the inputs that pass k weight layers. The
polynomials are packed into Python integers, a fixed number of bits per coefficient, so that adding
two distributions is one addition and passing a weight layer is one shift.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from archscope.trace.records import Trace

if TYPE_CHECKING:
    import pandas as pd


def paths(trace: Trace) -> pd.Series:
    """The exact number of routes from input to output by their number of weight layers.

    Returns:
        A Series of Python integers indexed by path length, shortest first; empty if no output
        depends on an input.
    """
    import pandas as pd

    counts = path_counts(trace)
    return pd.Series(list(counts.values()), index=list(counts), dtype=object, name="paths")


def path_counts(trace: Trace) -> dict[int, int]:
    """Path length -> number of routes, shortest first."""
    bits = max(_routes(trace, 0).bit_length(), 1)
    packed = _routes(trace, bits)
    counts = {}
    mask = (1 << bits) - 1
    length = 0
    while packed:
        if packed & mask:
            counts[length] = packed & mask
        packed >>= bits
        length += 1
    return counts


def _routes(trace: Trace, bits: int) -> int:
    """Sum over all routes of 2^(bits * weight layers); the plain number of routes for 0 bits."""
    sources: list[int] = []  # routes that leave each input and weight layer
    arriving: dict[int, _Arriving] = {}
    for op in trace.forward:
        if op.category == "input":
            arriving[op.index] = _leaving(sources, 1)
            continue
        reaching = _merged([arriving[p] for p in op.parents if p in arriving], sources)
        if op.weight_layer and reaching.routes:
            reaching = _leaving(sources, reaching.routes << bits)
        if reaching.routes:
            arriving[op.index] = reaching
    return _merged([arriving[op] for op in trace.outputs if op in arriving], sources).routes


class _Arriving(NamedTuple):
    """What reaches an operator: the nearest inputs and weight layers before it, one bit each, and
    the routes through them."""

    nearest: int
    routes: int


def _leaving(sources: list[int], routes: int) -> _Arriving:
    sources.append(routes)
    return _Arriving(1 << (len(sources) - 1), routes)


def _merged(branches: list[_Arriving], sources: list[int]) -> _Arriving:
    """Routes of all branches together; through a node that two of them share they count once."""
    nearest = routes = 0
    for branch in branches:
        shared = nearest & branch.nearest
        if shared == branch.nearest:
            continue
        if shared == nearest:
            routes = branch.routes
        else:
            routes += branch.routes - sum(sources[node] for node in _bits(shared))
        nearest |= branch.nearest
    return _Arriving(nearest, routes)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
