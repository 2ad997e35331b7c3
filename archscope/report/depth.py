"""Path lengths and measured gradients as tables and as data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any

from archscope.analyzers.depth import depth, path_counts, path_summary, quantile
from archscope.analyzers.routes import Count
from archscope.report.drawing import table
from archscope.report.numbers import count as short
from archscope.report.numbers import exact, percent, plural, shape
from archscope.report.table import Table
from archscope.trace.records import Trace

if TYPE_CHECKING:
    import pandas as pd

UNITS = {
    "layers": "weight layers (convolutions, linear layers, steps of a recurrent cell)",
    "modules": "residual modules (Veit et al. 2016)",
    "ops": "operators that compute",
    "macs": "multiply-accumulates",
}
QUANTILES = (0.05, 0.5, 0.95)
# A terminal shows the lengths that matter; data formats have all.
LEAST_SHARE = 0.001
LAGS_SHOWN = (0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass
class DepthReport:
    """The paths of a trace, and what was measured besides."""

    trace: Trace
    count: Count = "layers"
    gradient: pd.DataFrame | None = None
    by_lag: pd.DataFrame | None = None
    gradient_by_lag: pd.DataFrame | None = None

    @cached_property
    def lengths(self) -> dict[int, int]:
        """Path length -> number of paths; empty for "macs", which have too many lengths."""
        return path_counts(self.trace, self.count) if self.count != "macs" else {}

    def tables(self, *, layers: bool = False) -> list[Table]:
        """What a reader sees."""
        found = [self._summary()]
        if self.gradient is not None:
            found.append(_gradient_table(self.gradient))
        elif len(self.lengths) > 1:
            found.append(self._distribution())
        if self.by_lag is not None:
            found.append(_lag_table(self.by_lag, self.gradient_by_lag))
        if layers:
            found.append(self._layers())
        return found

    def data(self, *, layers: bool = False) -> dict[str, Any]:
        """Everything, with exact integers."""
        summary = path_summary(self.trace, self.count)
        data: dict[str, Any] = {
            "model": self.trace.model,
            "count": self.count,
            "longest": summary.longest,
            "shortest": summary.shortest,
            "paths": summary.paths,
            "mean_path": summary.mean,
            "deviation": summary.deviation,
            "distribution": _distribution_rows(self.lengths),
        }
        if self.lengths:
            data["quantiles"] = {str(q): quantile(self.lengths, q) for q in QUANTILES}
        for name in ("gradient", "by_lag", "gradient_by_lag"):
            measured = getattr(self, name)
            if measured is not None:
                data[name] = {**_finite(measured.attrs), "rows": _records(measured)}
        if layers:
            data["layers"] = _records(depth(self.trace, self.count))
        return data

    def rows(self, *, layers: bool = False) -> list[dict[str, Any]]:
        """The most specific table that was asked for."""
        if layers:
            return _records(depth(self.trace, self.count))
        for measured in (self.gradient_by_lag, self.by_lag, self.gradient):
            if measured is not None:
                return _records(measured)
        return _distribution_rows(self.lengths)

    def _summary(self) -> Table:
        found = path_summary(self.trace, self.count)
        number = short if self.count == "macs" else exact
        cells = [number(found.longest), number(found.shortest), paths_text(found.paths)]
        if self.count == "macs":
            cells += [short(round(found.mean)), short(round(found.deviation)), ""]
        else:
            spread = [str(quantile(self.lengths, q)) for q in QUANTILES] if self.lengths else []
            cells += [f"{found.mean:.2f}", f"{found.deviation:.2f}", " / ".join(spread)]
        return table(
            f"{self.trace.model}: paths from input to output",
            ["longest", "shortest", "paths", "mean", "deviation", "5 / 50 / 95 %"],
            [cells],
            caption=[f"Lengths count {UNITS[self.count]}."],
        )

    def _distribution(self) -> Table:
        number = sum(self.lengths.values())
        shown = {k: n for k, n in self.lengths.items() if n >= LEAST_SHARE * number}
        rest = len(self.lengths) - len(shown)
        caption = (
            [f"Not shown: {plural(rest, 'length')} with less than 0.1 % of the paths."]
            if rest
            else []
        )
        return table(
            "distribution of the lengths",
            ["length", "paths", "%"],
            [[exact(k), paths_text(n), percent(n / number)] for k, n in shown.items()],
            caption=caption,
        )

    def _layers(self) -> Table:
        rows = []
        for row in depth(self.trace, self.count).itertuples(index=False):
            before = _range(row.shortest_from_input, row.longest_from_input)
            behind = _range(row.shortest_to_output, row.longest_to_output)
            field = shape(row.receptive_field) if row.receptive_field else "?"
            rows.append([row.path, before, behind, field])
        return table(
            "layers",
            ["layer", "from the input", "to the output", "receptive field"],
            rows,
            caption=["Shortest and longest path; the first includes the layer itself."],
        )


def paths_text(number: int) -> str:
    """A number of paths: exact up to a quadrillion, a power of two as one, else rounded."""
    if number < 10**15 and not (number > 10**6 and _is_power_of_two(number)):
        return exact(number)
    if _is_power_of_two(number):
        return f"2^{number.bit_length() - 1}"
    digits = str(number)
    return f"{digits[0]}.{digits[1:3]}e{len(digits) - 1}"


def _is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


def _gradient_table(measured: pd.DataFrame) -> Table:
    facts = measured.attrs
    effective = f"{facts['effective_depth']:.2f}"
    if facts["runs"] > 1:
        low, high = facts["effective_depth_low"], facts["effective_depth_high"]
        effective += f" (95 % interval {low:.2f} to {high:.2f} over {facts['runs']} runs)"
    rows = []
    for row in measured.itertuples(index=False):
        if row.share >= LEAST_SHARE:
            interval = (
                f"{100 * row.share_low:.1f} to {100 * row.share_high:.1f}"
                if facts["runs"] > 1
                else ""
            )
            norm, per_path = f"{row.gradient_norm:.3g}", f"{row.per_path:.2g}"
            share = percent(row.share)
            rows.append([str(row.length), paths_text(row.paths), norm, per_path, share, interval])
    notes = [f"{note[0].upper()}{note[1:]}." for note in facts["notes"]]
    return table(
        "gradient at the input by path length",
        ["length", "paths", "gradient norm", "per path", "% of gradient", "95 %"],
        rows,
        caption=[
            f"Effective depth {effective}: the mean length weighted by the gradient's norms.",
            "Exact: the gradients of all lengths sum to the network's gradient with a relative "
            f"error of {facts['error']:.1e}. Lengths with less than 0.1 % are not shown.",
            *notes,
        ],
    )


def _lag_table(static: pd.DataFrame, measured: pd.DataFrame | None) -> Table:
    facts = static.attrs
    skip = "infinite" if facts["skip_coefficient"] == inf else f"{facts['skip_coefficient']:g}"
    headings = ["lag", "shortest", "longest"]
    norms: dict[int, list[str]] = {}
    if measured is not None:
        headings += ["gradient at h", "gradient at c"]
        for row in measured.itertuples(index=False):
            norms[row.lag] = [
                "" if value != value else f"{value:.3g}"
                for value in (row.hidden_norm, row.cell_norm)
            ]
    rows = [
        [str(row.lag), str(row.shortest), str(row.longest)]
        + ([*norms.get(row.lag, ["", ""])] if measured is not None else [])
        for row in static.itertuples(index=False)
        if row.lag in LAGS_SHOWN or row.lag == len(static) - 1
    ]
    return table(
        f"{facts['model']} through time",
        headings,
        rows,
        caption=[
            "Weight layers from the loss at T to the input at T - lag. "
            f"Recurrent depth {facts['recurrent_depth']:g}, feedforward depth "
            f"{facts['feedforward_depth']:g}, recurrent skip coefficient {skip} "
            "(Zhang et al. 2016)."
        ],
    )


def _distribution_rows(lengths: dict[int, int]) -> list[dict[str, Any]]:
    return [{"length": length, "paths": number} for length, number in lengths.items()]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values; what is missing is None."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [_finite(row) for row in rows]


def _finite(values: dict[Any, Any]) -> dict[str, Any]:
    return {str(k): None if _is_endless(v) else v for k, v in values.items()}


def _is_endless(value: Any) -> bool:
    return isinstance(value, float) and (value != value or abs(value) == inf)


def _range(low: Any, high: Any) -> str:
    if low is None or low != low or str(low) == "<NA>":
        return ""
    return exact(low) if low == high else f"{exact(low)} to {exact(high)}"
