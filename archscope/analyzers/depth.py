"""How far the output is from the input: weight layers on every route, counted exactly.

What a route is, and how routes are found, stands in ``routes``. The distribution of their lengths
is a polynomial whose coefficient of x^k is the number of routes of length k. Polynomials are packed
into Python integers, a fixed number of bits per coefficient, so that adding two distributions is
one addition and passing a weight layer is one shift: the 2^600 routes of a ResNet of 1202 layers
take a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING, NamedTuple

from archscope.analyzers.distances import distances, extremes
from archscope.analyzers.frames import frame
from archscope.analyzers.layers import layers
from archscope.analyzers.parameters import identity
from archscope.analyzers.receptive_field import receptive_fields
from archscope.analyzers.routes import COUNTS, Count, routes, total
from archscope.analyzers.unrolled import Growth, packed, unpacked, width_of
from archscope.arguments import checked, one_of, recorded
from archscope.errors import InvalidInput
from archscope.trace.records import Trace

if TYPE_CHECKING:
    import pandas as pd


@checked(trace=recorded, count=one_of(*COUNTS))
def paths(trace: Trace, count: Count = "layers") -> pd.Series:
    """The exact number of routes from input to output by their length.

    Args:
        trace: the trace of a model.
        count: what lengths count: weight "layers", residual "modules" (Veit et al. 2016) or "ops",
            every operator that computes.

    Returns:
        A Series of Python integers indexed by path length, shortest first; empty if no output
        depends on an input.

    Raises:
        InvalidInput: an unknown count, or "macs", whose lengths are too many to list (see
            ``path_summary``).
    """
    import pandas as pd

    counts = path_counts(trace, count)
    return pd.Series(list(counts.values()), index=list(counts), dtype=object, name="paths")


def path_counts(trace: Trace, count: Count = "layers") -> dict[int, int]:
    """Path length -> number of routes, shortest first."""
    if count == "macs":
        raise InvalidInput("paths by MACs have no distribution to list, only a summary")
    found = routes(trace, count)
    moments = total(found, _MomentsOfLength())
    if moments is None:
        return {}
    width = width_of(moments.routes)
    return unpacked(total(found, _Packed(width)) or 0, width)


@dataclass(frozen=True)
class PathSummary:
    """The lengths of all routes in a few exact numbers; ``mean`` and ``deviation`` are rounded."""

    count: Count
    longest: int
    shortest: int
    paths: int
    mean: float
    deviation: float


@checked(trace=recorded, count=one_of(*COUNTS))
def path_summary(trace: Trace, count: Count = "layers") -> PathSummary:
    """Longest, shortest, number, mean and standard deviation of the routes.

    Args:
        trace: the trace of a model.
        count: as in ``paths``, or "macs": the multiply-accumulates on a route, for the batch.

    Raises:
        InvalidInput: an unknown count.
    """
    moments = total(routes(trace, count), _MomentsOfLength())
    if moments is None:
        return PathSummary(count, 0, 0, 0, 0.0, 0.0)
    shortest, longest = extremes(trace, count)
    number, first, second = moments
    scaled = number * second - first * first  # number^2 times the variance
    return PathSummary(
        count=count,
        longest=longest,
        shortest=shortest,
        paths=number,
        mean=float(Fraction(first, number)),
        deviation=_square_root(Fraction(scaled, number * number)),
    )


def quantile(counts: Mapping[int, int], share: float) -> int:
    """The shortest length that at least this share of all routes does not exceed."""
    wanted = Fraction(share) * sum(counts.values())
    seen = 0
    for length in sorted(counts):
        seen += counts[length]
        if seen >= wanted:
            return length
    raise ValueError("there are no routes")


@checked(trace=recorded, count=one_of(*COUNTS))
def depth(trace: Trace, count: Count = "layers") -> pd.DataFrame:
    """How far every layer is from the input and from the output.

    Returns:
        One row per layer call: ``path``, ``kind``, ``call``; ``shortest_from_input`` and
        ``longest_from_input``, weight layers up to and with this one; ``shortest_to_output`` and
        ``longest_to_output``, those behind it, as the gradient meets them on the way from the
        loss; and ``receptive_field``, the size (height, width) of the part of the input on which
        one position of the layer's output depends, padding included, None where it is not known.

    Raises:
        InvalidInput: an unknown count.
    """
    near = distances(trace, count)
    fields = receptive_fields(trace)
    rows = []
    for layer in layers(trace):
        if layer.forward:
            last = layer.forward[-1].index
            rows.append(identity(layer) | near[last]._asdict() | {"receptive_field": fields[last]})
    table = frame(rows)
    for column in table.columns[3:7]:
        table[column] = table[column].astype("Int64")
    return table


def _square_root(value: Fraction) -> float:
    """Exact integers may be too large for a float; their root is taken before."""
    scale = 10**24
    return isqrt(value.numerator * scale // value.denominator) / 10**12


class _Packed:
    """Distributions as integers of ``width`` bytes per coefficient."""

    def __init__(self, width: int) -> None:
        self.width = width

    def start(self) -> int:
        return 1

    def step(self, routes: int, growth: Growth) -> int:
        if growth.form is None:
            return routes << 8 * self.width * growth.length
        lengths = growth.lengths()
        return routes * packed(lengths, self.width) if lengths else 0

    def meet(self, parts: list[int], twice: list[int]) -> int:
        return sum(parts) - sum(twice)


class _Moments(NamedTuple):
    """Number of routes, sum of their lengths, sum of the squares."""

    routes: int
    first: int
    second: int


class _MomentsOfLength:
    def start(self) -> _Moments:
        return _Moments(1, 0, 0)

    def step(self, routes: _Moments, growth: Growth) -> _Moments:
        ways, first, second = growth.moments()
        return _Moments(
            routes.routes * ways,
            routes.first * ways + routes.routes * first,
            routes.second * ways + 2 * routes.first * first + routes.routes * second,
        )

    def meet(self, parts: list[_Moments], twice: list[_Moments]) -> _Moments:
        sums = (sum(ways) for ways in zip(*parts, strict=True))
        less = [sum(ways) for ways in zip(*twice, strict=True)] or [0, 0, 0]
        return _Moments(*(more - fewer for more, fewer in zip(sums, less, strict=True)))
