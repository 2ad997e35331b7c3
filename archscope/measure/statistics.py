"""What a sample of times says: order statistics, which suppose nothing of its distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, comb, floor, sqrt
from operator import mul
from statistics import median

CONFIDENCE = 0.95
_NORMAL = 1.959964  # the 97.5 % quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class Summary:
    """Of a sample: the median with its 95 % interval, the interquartile range, the 95 % quantile.

    ``low`` and ``high`` are the whole range where the sample is too small for an interval.
    """

    runs: int
    median: float
    low: float
    high: float
    iqr: float
    p95: float

    @property
    def precision(self) -> float:
        """Half the interval's width, in medians."""
        return (self.high - self.low) / 2 / self.median if self.median else 0.0


def summary(samples: Sequence[float]) -> Summary:
    """Summarise one or more samples, given in the order in which they were taken.

    The interval of the median goes from one order statistic to another: as many samples fall
    below the true median as coins fall heads, whatever the distribution. Samples that follow one
    another are alike where the machine has its moods; they count as fewer, and the interval is
    as wide as that of so many.
    """
    ordered = sorted(samples)
    worth = int(independent(samples))
    below = _rank(worth) * len(ordered) // worth
    return Summary(
        runs=len(ordered),
        median=quantile(ordered, 0.5),
        low=ordered[below],
        high=ordered[len(ordered) - 1 - below],
        iqr=quantile(ordered, 0.75) - quantile(ordered, 0.25),
        p95=quantile(ordered, 0.95),
    )


def summary_of_builds(turns: Sequence[Sequence[float]]) -> Summary:
    """Summarise the samples of several builds of one network.

    The median is that of the builds' medians, and between ``low`` and ``high`` lie 95 % of them,
    or all where there are fewer than 40: the interval for one build more. The interval of their
    median would be narrower by the square root of their number if they were independent; but
    builds follow one another through the slow moods of a machine, and what the next measurement
    shares with this one is the network only. The rest is of all samples.
    """
    typical = sorted(median(turn) for turn in turns)
    outside = int(len(typical) * (1 - CONFIDENCE) / 2)
    every = summary([sample for turn in turns for sample in turn])
    low, high = typical[outside], typical[len(typical) - 1 - outside]
    return replace(every, median=median(typical), low=low, high=high)


def independent(samples: Sequence[float]) -> float:
    """How many independent samples these are worth: n / (1 + 2 (rho_1 + rho_2 + ...)).

    The correlations are of being above or below the median. The sum ends with the first pair of
    neighbouring lags that is not positive (Geyer, Practical Markov Chain Monte Carlo, 1992).
    """
    n, middle = len(samples), median(samples)
    signs = [(sample > middle) - (sample < middle) for sample in samples]
    norm = sum(sign * sign for sign in signs)
    if norm == 0:
        return n

    def correlation(lag: int) -> float:
        return sum(map(mul, signs, signs[lag:])) / norm

    time = -1.0
    for lag in range(0, n - 1, 2):
        pair = correlation(lag) + correlation(lag + 1)
        if pair <= 0:
            break
        time += 2 * pair
    return n / max(time, 1.0)


def quantile(ordered: Sequence[float], q: float) -> float:
    """Interpolated between neighbours, as numpy does by default."""
    place = q * (len(ordered) - 1)
    low, high = ordered[floor(place)], ordered[ceil(place)]
    return low + (high - low) * (place - floor(place))


def _rank(n: int) -> int:
    """The largest k with P(at most k heads of n coins) <= 2.5 %; 0 where there is none."""
    if n > 100:
        return max(int(n / 2 - _NORMAL * sqrt(n) / 2) - 1, 0)
    limit = (1 - CONFIDENCE) / 2 * 2**n
    heads, k = 0, -1
    while heads + comb(n, k + 1) <= limit:
        k += 1
        heads += comb(n, k)
    return max(k, 0)
