"""What one analysis found: a row per layer, totals, and the conventions they were counted by."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archscope.analyzers.compute import compute_columns, coverage, uncovered
from archscope.analyzers.depth import path_summary
from archscope.analyzers.frames import frame
from archscope.analyzers.layers import Layer, layers, new_elements
from archscope.analyzers.memory import first_savers, peak_bytes, saved_first
from archscope.analyzers.parameters import identity, parameter_columns
from archscope.arguments import checked, flag, recorded
from archscope.errors import ArchscopeError
from archscope.report.convention import CONVENTION
from archscope.trace.records import Trace, elements

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


class Report:
    """The analysis of one traced model.

    ``layers`` has a row per layer call, ``totals`` one number per cost; both are made when asked
    for. ``rows`` and ``sums`` are the same as plain dictionaries.
    """

    @checked(trace=recorded, strict=flag)
    def __init__(self, trace: Trace, *, strict: bool = False):
        """Wrap a trace.

        Raises:
            ArchscopeError: ``strict`` and an operator without a cost formula.
        """
        self.trace = trace
        if strict:
            _refuse_gaps(trace)

    @cached_property
    def layer_records(self) -> list[Layer]:
        """The layers with their operators, as the analyzers see them."""
        return layers(self.trace)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """A dictionary per layer call, inputs first."""
        total = self.trace.macs
        kept = self.first_savers
        return [_row(layer, self.trace, total, kept) for layer in self.layer_records]

    @cached_property
    def first_savers(self) -> dict[int, int]:
        """Storage -> the first operator for whose backward autograd keeps it."""
        return first_savers(self.trace)

    @cached_property
    def sums(self) -> dict[str, Any]:
        """One number per cost; whole numbers are exact."""
        rows = self.rows
        routes = path_summary(self.trace)
        covered = coverage(self.trace)

        def total(column: str) -> int:
            return sum(row[column] for row in rows)

        sums: dict[str, Any] = {
            "params": total("params"),
            "trainable_params": total("trainable_params"),
            "macs": total("macs"),
            "flops": total("flops"),
            "activations": total("activations"),
            "weight_bytes": total("weight_bytes"),
            "peak_bytes": peak_bytes(self.trace),
            "depth": routes.longest,
            "shortest_path": routes.shortest,
            "paths": routes.paths,
            "mean_path": routes.mean,
            "coverage": min(covered.values()),
        }
        if self.trace.mode == "training":
            for column in _BACKWARD:
                sums[column] = sum(
                    getattr(op, column.partition("_")[2]) for op in _ran(self, column)
                )
        return sums

    @property
    def layers(self) -> pd.DataFrame:
        """A row per layer call: path, kind, call, shapes, params, macs, flops, activations, ..."""
        return frame(self.rows)

    @property
    def totals(self) -> pd.Series:
        """The totals as a Series of exact numbers."""
        import pandas as pd

        return pd.Series(self.sums, dtype=object, name=self.trace.model)

    @property
    def caption(self) -> str:
        """Input, dtype, batch, mode and coverage of the count, and what a MAC is."""
        return f"{self.conditions} {CONVENTION}"

    @property
    def conditions(self) -> str:
        """Input, dtype, batch, mode and coverage, in one line."""
        trace = self.trace
        shapes = ", ".join(
            f"{'x'.join(map(str, shape)) or 'scalar'} {dtype}" for _, shape, dtype in trace.inputs
        )
        covered = self.sums["coverage"]
        share = "100 %" if covered == 1 else f"{100 * covered:.1f} %"
        return (
            f"Input {shapes or 'none'}, batch {trace.batch}, {trace.mode}; "
            f"cost formulas cover {share} of operators and output elements."
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the numbers should know."""
        return self.trace.warnings

    def save(self, path: str | Path) -> None:
        """Write the table; the format follows the name's ending.

        Args:
            path: ends in .csv, .json, .md, .tex, .html, .txt or .parquet.

        Raises:
            ArchscopeError: an unknown ending, or a file that cannot be written.
        """
        from archscope.report.files import save

        save(self, path)

    def __str__(self) -> str:
        from archscope.report.formats import render

        return render(self, "plain")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from archscope.report.notebook import notebook

        return notebook(self)


_BACKWARD = ("backward_macs", "backward_flops", "recomputed_macs", "recomputed_flops")


def _ran(report: Report, column: str) -> Sequence[Any]:
    recomputed = column.startswith("recomputed")
    return [op for op in report.trace.ops if op.phase == "backward" and op.recomputed == recomputed]


def _row(
    layer: Layer, trace: Trace, total_macs: int, first_saver: dict[int, int]
) -> dict[str, Any]:
    return (
        identity(layer)
        | {
            "input_shape": layer.input_shape,
            "output_shape": layer.output_shape,
            "activations": new_elements(layer, trace),
            "output_bytes": _output_bytes(layer, trace),
            "saved_bytes": saved_first(trace, layer.forward, first_saver),
        }
        | parameter_columns(layer)
        | compute_columns(layer, total_macs)
    )


def _output_bytes(layer: Layer, trace: Trace) -> int:
    return sum(
        elements(shape) * _item_bytes(trace.storages[storage].dtype)
        for storage, shape in zip(layer.output_storages, layer.output_shapes, strict=True)
        if storage >= 0
    )


def _item_bytes(dtype: str) -> int:
    import torch

    return getattr(torch, dtype).itemsize


def _refuse_gaps(trace: Trace) -> None:
    gaps = uncovered(trace)
    if gaps:
        names = sorted({f"{op.name} in {op.module or trace.model}" for op in gaps})
        raise ArchscopeError(f"no cost formula for {', '.join(names)} (strict mode)")
