"""Reports as CSV and JSON: raw numbers, every layer."""

from __future__ import annotations

import csv as comma_separated
import json as javascript_objects
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from archscope.report.columns import named
from archscope.report.convention import CONVENTION
from archscope.report.costs import View
from archscope.report.levels import Line, lines
from archscope.report.numbers import shape

if TYPE_CHECKING:
    from archscope.report.report import Report

_LAYER_KEYS = (
    "path",
    "kind",
    "call",
    "input_shape",
    "output_shape",
    "params",
    "macs",
    "flops",
    "activations",
    "output_bytes",
)
_TRAINING_KEYS = ("backward_macs", "backward_flops", "recomputed_macs", "recomputed_flops")
_SHAPES = ("input_shape", "output_shape")


def csv(report: Report, view: View) -> str:
    """The columns of ``Report.rows``, or those asked for; shapes are written 1x64x224x224."""
    found = lines(report, view.level)
    wanted = named(view.columns) or list(found[0].values if found else ())
    totals = {
        share: sum(line.values[of] for line in found)
        for share, of in (("activations_share", "activations"), ("params_share", "params"))
    }
    out = StringIO()
    writer = comma_separated.writer(out, lineterminator="\n")
    writer.writerow(wanted)
    for line in found:
        writer.writerow([_field(name, line.values, totals) for name in wanted])
    return out.getvalue()


def _field(name: str, values: Mapping[str, Any], totals: Mapping[str, int]) -> Any:
    if name in totals:
        counted = values[name.removesuffix("_share")]
        return counted / totals[name] if totals[name] else 0.0
    if name in _SHAPES:
        return shape(values[name]) if values[name] else ""
    return values[name]


def json(report: Report, view: View) -> str:
    """One object with the model, its conditions, exact totals, layers and warnings."""
    trace = report.trace
    keys = _LAYER_KEYS + (_TRAINING_KEYS if trace.mode == "training" else ())
    inputs = [{"shape": list(sizes), "dtype": dtype} for _, sizes, dtype in trace.inputs]
    whole = {
        "model": trace.model,
        "input": inputs[0] if len(inputs) == 1 else inputs,
        "mode": trace.mode,
        "batch": trace.batch,
        "convention": CONVENTION,
        "totals": report.sums,
        "layers": [_layer(line, keys) for line in lines(report, view.level)],
        "warnings": list(report.warnings),
    }
    return javascript_objects.dumps(whole, indent=2) + "\n"


def _layer(line: Line, keys: Sequence[str]) -> dict[str, Any]:
    return {key: list(line.values[key]) if key in _SHAPES else line.values[key] for key in keys}
