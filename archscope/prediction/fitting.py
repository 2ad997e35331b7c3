"""Learning efficiencies from measured latencies, and judging them on families left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archscope.prediction.efficiency import Coefficients, HeldOut
from archscope.prediction.work import KINDS, PRODUCTS, Work

Array = NDArray[np.float64]

# What is supposed of a kind before anything is known of it, half of the roof and 5 us a launch, and
# how far it may be off. Kernels other than products may be far off: some do one element at a time.
_PRIOR = {"compute": 2.0, "memory": 2.0, "launch": 5e-6}
_SCALE = {"compute": 3.0, "memory": 3.0, "launch": 5e-6}
_SCALE_OF_OTHERS = 1000.0
_TRUST = 0.03  # in the prior, against one row's squared relative error
_TERMS = tuple(_PRIOR)
_SWEEPS, _SETTLED = 20_000, 1e-9
INTERVAL = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Measured:
    """One latency: the network's family, what the run asks of the device, and its seconds."""

    family: str
    works: Sequence[Work]
    seconds: float


def fit(rows: Sequence[Measured]) -> dict[str, Coefficients]:
    """The coefficients of every kind of operator that explain latencies best.

    Least squares of relative errors under coefficients that are not negative, drawn a little
    towards a prior, which is all that there is for a kind that no row has.
    """
    prior, scale = _flat(_PRIOR), _scales()
    times = np.array([row.seconds for row in rows])
    pull = np.sqrt(_TRUST) / scale
    a = np.vstack([_design(rows) / times[:, None], np.diag(pull)])
    b = np.concatenate([np.ones(len(rows)), pull * prior])
    found = _nonnegative(a * scale, b) * scale  # in units of the scales the columns are alike
    seen = {kind: {row.family for row in rows if _has(row, kind)} for kind in KINDS}
    return {
        kind: Coefficients(float(compute), float(memory), float(launch), len(seen[kind]))
        for kind, (compute, memory, launch) in zip(KINDS, found.reshape(-1, 3), strict=True)
    }


def predicted(kinds: Mapping[str, Coefficients], rows: Sequence[Measured]) -> Array:
    """Seconds of every row."""
    return np.array([sum(kinds[work.kind].seconds(work) for work in row.works) for row in rows])


def left_out(rows: Sequence[Measured]) -> Array:
    """Seconds of every row, predicted from the rows of all other families."""
    families = np.array([row.family for row in rows])
    found = np.empty(len(rows))
    for family in sorted(set(families)):
        mine = families == family
        others = [row for row, own in zip(rows, mine, strict=True) if not own]
        own = [row for row, is_own in zip(rows, mine, strict=True) if is_own]
        found[mine] = predicted(fit(others), own)
    return found


def judge(rows: Sequence[Measured], found: Array) -> HeldOut:
    """The errors of predictions that had no part in the fit."""
    times = np.array([row.seconds for row in rows])
    families = np.array([row.family for row in rows])
    errors, ratios = np.abs(found / times - 1), times / found
    low, high = (float(np.quantile(ratios, q)) for q in INTERVAL)
    return HeldOut(
        rows=len(rows),
        families=len(set(families)),
        median=float(np.median(errors)),
        p90=float(np.quantile(errors, 0.9)),
        rank_correlation=rank_correlation(found, times),
        low=low,
        high=high,
        coverage=_coverage(ratios, families),
    )


def rank_correlation(a: Array, b: Array) -> float:
    """Spearman's: the correlation of the ranks, equal values sharing theirs."""
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: Array) -> Array:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def _coverage(ratios: Array, families: NDArray[np.str_]) -> float:
    held = []
    for family in sorted(set(families)):
        mine = families == family
        low, high = (np.quantile(ratios[~mine], q) for q in INTERVAL)
        held += list((ratios[mine] >= low) & (ratios[mine] <= high))
    return float(np.mean(held))


def _design(rows: Sequence[Measured]) -> Array:
    """A row for each latency, the three sums of every kind as columns: (rows, 3 kinds)."""
    found = np.zeros((len(rows), len(KINDS), len(_TERMS)))
    for at, row in enumerate(rows):
        for work in row.works:
            found[at, KINDS.index(work.kind)] = work.compute, work.memory, work.launches
    return found.reshape(len(rows), -1)


def _has(row: Measured, kind: str) -> bool:
    return any(work.kind == kind for work in row.works)


def _flat(values: Mapping[str, float]) -> Array:
    return np.tile([values[term] for term in _TERMS], len(KINDS))


def _scales() -> Array:
    scale = _flat(_SCALE).reshape(len(KINDS), -1)
    others = [kind not in PRODUCTS for kind in KINDS]
    scale[others, _TERMS.index("compute")] = _SCALE_OF_OTHERS
    return scale.reshape(-1)


def _nonnegative(a: Array, b: Array) -> Array:
    """The x >= 0 with the least |a x - b|, one coordinate after the other until none moves."""
    gram, target = a.T @ a, a.T @ b
    x = np.zeros(a.shape[1])
    for _ in range(_SWEEPS):
        moved = 0.0
        for j in range(len(x)):
            new = max(0.0, x[j] + (target[j] - gram[j] @ x) / gram[j, j])
            moved, x[j] = max(moved, abs(new - x[j])), new
        if moved <= _SETTLED:
            break
    return x
