"""Memory as tables and as data: the peak by kind, what is alive then, the course of the step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from archscope.analyzers.allocator import ALLOWANCES, Allocator, allocator
from archscope.analyzers.memory import (
    KINDS,
    Peak,
    Tensor,
    activations_by_need,
    bytes_alive,
    bytes_by_kind,
    layer_rows,
    peak,
    saved_bytes,
)
from archscope.report.drawing import table
from archscope.report.numbers import exact, percent, plural, shape
from archscope.report.numbers import memory as in_bytes
from archscope.report.table import Table
from archscope.scaling import Law, Piece, in_steps
from archscope.trace.records import Trace

LARGEST_SHOWN = 10
_PARTS = 16  # of a run, in the table of its course
_BAR = 24
_EXPLAINED = {
    "gradients": "of the weights",
    "optimizer": "state of the optimizer",
    "saved": "kept for backward",
    "temporaries": "needed by an operator, or held by a name of the program",
}


@dataclass
class MemoryReport:
    """What one run holds. ``tables`` for a reader, ``data`` and ``rows`` for programs."""

    trace: Trace

    @cached_property
    def peak(self) -> Peak:
        """The moment of most bytes."""
        return peak(self.trace)

    @cached_property
    def allocator(self) -> Allocator:
        """The same run in the blocks of the CUDA caching allocator."""
        return allocator(self.trace)

    def tables(self, *, layers: bool = False) -> list[Table]:
        """What a reader sees."""
        found = [self._kinds(), self._largest(), self._course()]
        if layers:
            found.append(self._layers())
        return found

    def data(self) -> dict[str, Any]:
        """Everything, with exact integers."""
        trace, top = self.trace, self.peak
        return {
            "model": trace.model,
            "mode": trace.mode,
            "batch": trace.batch,
            "inputs": [
                {"name": name, "shape": list(sizes), "dtype": dtype}
                for name, sizes, dtype in trace.inputs
            ],
            "execution": dict(trace.options),
            "peak_bytes": top.bytes,
            "kinds": top.kinds,
            "peak_op": top.op,
            "peak_operator": top.operator,
            "peak_layer": top.layer,
            "peak_phase": top.phase,
            "saved_bytes": saved_bytes(trace),
            "activations_by_need_bytes": activations_by_need(trace),
            "allocated_bytes": self.allocator.allocated,
            "reserved_bytes": self.allocator.reserved,
            "not_counted": ALLOWANCES,
            "tensors": [_tensor(tensor) for tensor in top.tensors],
            "layers": layer_rows(trace),
            "curve": {**bytes_by_kind(trace), "total": bytes_alive(trace)},
        }

    def rows(self) -> list[dict[str, Any]]:
        """A row per layer call."""
        return layer_rows(self.trace)

    def _kinds(self) -> Table:
        top = self.peak
        rows = [
            [kind, in_bytes(top.kinds[kind]), percent(top.kinds[kind] / max(top.bytes, 1))]
            for kind in KINDS
            if top.kinds[kind]
        ]
        return table(
            f"{self.trace.model}: peak memory {in_bytes(top.bytes)}",
            ("kind", "bytes", "%"),
            rows,
            footer=("peak", in_bytes(top.bytes), "100.0"),
            caption=(self._where(), self.conditions(), self._blocks()),
        )

    def _where(self) -> str:
        top = self.peak
        where = f" of {top.layer}" if top.layer else ""
        shown = [f"{kind}: {_EXPLAINED[kind]}" for kind in _EXPLAINED if top.kinds[kind]]
        explained = f" {'; '.join(shown)}." if shown else ""
        return (
            f"The peak falls on {top.operator}{where}, operator {exact(top.op + 1)} of "
            f"{exact(len(self.trace.ops))} ({top.phase}).{explained}"
        )

    def conditions(self, *, without: str = "") -> str:
        """Input, batch, mode and the choices of the run; ``without`` the size that varies."""
        trace = self.trace
        inputs = ", ".join(f"{shape(sizes)} {dtype}" for _, sizes, dtype in trace.inputs)
        about = f"Input {inputs}, batch {trace.batch}"
        if without:
            about = "" if without == "batch" else f"Batch {trace.batch}"
        chosen = trace.options
        ran = [trace.mode, f"{str(chosen.get('device', '')).upper()} kernels"]
        if any(op.name == "scaled_dot_product_attention" for op in trace.ops):
            ran.append("fused attention")
        elif chosen.get("attention") == "math":
            ran.append("attention that stores its scores")
        if trace.mode == "training":
            ran.append(f"optimizer {chosen['optimizer']}" if "optimizer" in chosen else "no update")
        ran += [f"{name} {chosen[name]}" for name in ("dtype", "amp") if name in chosen]
        ran += ["gradients accumulate"] if chosen.get("accumulate") else []
        conditions = "; ".join(filter(None, (about, ", ".join(ran))))
        return f"{conditions[:1].upper()}{conditions[1:]}. Bytes as requested."

    def _blocks(self) -> str:
        found = self.allocator
        besides = ", ".join(ALLOWANCES)
        return (
            f"In the CUDA caching allocator: {in_bytes(found.allocated)} in blocks, "
            f"{in_bytes(found.reserved)} reserved. Not counted: {besides}."
        )

    def _largest(self) -> Table:
        top = self.peak
        shown = top.tensors[:LARGEST_SHOWN]
        more = len(top.tensors) - len(shown)
        rest = top.bytes - sum(tensor.bytes for tensor in shown)
        footer = (f"{plural(more, 'other')}", "", "", in_bytes(rest)) if more else None
        return table(
            "Largest tensors alive at the peak",
            ("tensor", "kind", "shape", "bytes"),
            [
                [t.name or self.trace.model, t.kind, shape(t.shape), in_bytes(t.bytes)]
                for t in shown
            ],
            left=("kind",),
            footer=footer,
        )

    def _course(self) -> Table:
        """The run in equal parts, each with its own peak."""
        totals, ops = bytes_alive(self.trace), self.trace.ops
        parts = min(_PARTS, len(ops))
        rows = []
        for part in range(parts):
            first, end = part * len(ops) // parts, (part + 1) * len(ops) // parts
            most = max(range(first, end), key=lambda op: totals[op])
            bar = "#" * round(_BAR * totals[most] / max(self.peak.bytes, 1))
            layer = ops[most].module or ops[most].name
            rows.append([f"{first + 1}-{end}", ops[most].phase, layer, in_bytes(totals[most]), bar])
        return table(
            "Most bytes in each part of the run",
            ("operators", "phase", "in layer", "bytes", "of the peak"),
            rows,
            left=("phase", "in layer", "of the peak"),
        )

    def _layers(self) -> Table:
        rows = layer_rows(self.trace)
        columns = ("output_bytes", "weight_bytes", "saved_bytes", "peak_bytes")
        sums = [in_bytes(sum(row[column] for row in rows)) for column in columns]
        share = sum(row["peak_share"] for row in rows)
        return table(
            "Memory by layer",
            ("layer", "kind", "output", "weights", "saved", "at the peak", "%"),
            [
                [
                    row["path"],
                    row["kind"],
                    *(in_bytes(row[column]) if row[column] else "" for column in columns),
                    percent(row["peak_share"]),
                ]
                for row in rows
            ],
            left=("kind",),
            footer=("total", "", *sums, percent(share)),
            caption=(
                "Saved is what autograd keeps because of the layer and no earlier one; neighbours "
                "share the rest. At the peak: weights, their gradients and optimizer state, and "
                "tensors that the layer's forward and backward made.",
            ),
        )


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "kind": tensor.kind,
        "bytes": tensor.bytes,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
    }


# -- scaling ---------------------------------------------------------------------------------------


@dataclass
class LawReport:
    """The law of peak memory over one size, up to ``stop``, and what fits a budget."""

    model: str
    law: Law
    stop: int
    conditions: str
    budget: int | None = None

    @cached_property
    def largest(self) -> int | None:
        """The largest size within the budget."""
        return None if self.budget is None else self.law.largest(self.budget)

    def tables(self) -> list[Table]:
        """What a reader sees."""
        found = [self._formula(), self._points()]
        if self.budget is not None:
            found.insert(0, self._fit(self.budget))
        return found

    def data(self) -> dict[str, Any]:
        """Everything, with exact fractions as text."""
        law = self.law
        data: dict[str, Any] = {
            "model": self.model,
            "over": law.variable,
            "start": law.start,
            "step": law.step,
            "exact": law.exact,
            "pieces": [
                {
                    "from": piece.start,
                    "constant": str(piece.polynomial.constant),
                    "linear": str(piece.polynomial.linear),
                    "quadratic": str(piece.polynomial.quadratic),
                    "operator": piece.operator,
                    "layer": piece.layer,
                }
                for piece in law.pieces
            ],
            "checks": [{"at": c.x, "law": c.law, "traced": c.traced} for c in law.checks],
            "points": self.rows(),
        }
        if self.budget is not None:
            data["fit"] = {"budget_bytes": self.budget, "largest": self.largest}
        return data

    def rows(self) -> list[dict[str, Any]]:
        """A row per size."""
        law = self.law
        sizes = in_steps(law.start, max(self.stop, law.start), law.step)
        return [{law.variable: x, "peak_bytes": law.at(x)} for x in sizes]

    def _fit(self, budget: int) -> Table:
        name, law = self.law.variable, self.law
        if self.largest is None:
            rows = [[str(law.start), in_bytes(law.at(law.start)), "does not fit"]]
        else:
            rows = [
                [exact(x), in_bytes(law.at(x)), fits]
                for x, fits in ((self.largest, "fits"), (self.largest + law.step, "does not fit"))
            ]
        answer = f"{name} {exact(self.largest)}" if self.largest is not None else "nothing"
        return table(
            f"{self.model}: {answer} fits in {in_bytes(budget)}",
            (name, "peak", ""),
            rows,
            left=("",),
            caption=(f"Not counted: {', '.join(ALLOWANCES)}, fragmentation. {self.conditions}",),
        )

    def _formula(self) -> Table:
        law = self.law
        errors = [abs(check.error) for check in law.checks]
        checked = ", ".join(exact(check.x) for check in law.checks)
        verdict = f"Checked at {law.variable} {checked}: " + (
            "every byte agrees." if law.exact else f"errors up to {100 * max(errors):.2g} %."
        )
        steps = f" Holds for {law.start}, {law.start + law.step} ..." if law.step > 1 else ""
        return table(
            f"{self.model}: peak memory over {law.variable}",
            (f"from {law.variable}", "peak", "falls on"),
            [[exact(piece.start), self._law_of(piece), _place(piece)] for piece in law.pieces],
            left=("peak", "falls on"),
            caption=(f"{verdict}{steps}", self.conditions),
        )

    def _law_of(self, piece: Piece) -> str:
        name, polynomial = self.law.variable, piece.polynomial
        terms = [(polynomial.constant, ""), (polynomial.linear, f" x {name}")]
        terms.append((polynomial.quadratic, f" x {name}^2"))
        return _sum([(value, factor) for value, factor in terms if value]) or "0 B"

    def _points(self) -> Table:
        return table(
            "Peak memory at a few of them",
            (self.law.variable, "peak"),
            [[exact(row[self.law.variable]), in_bytes(row["peak_bytes"])] for row in self.rows()],
        )


def _sum(terms: Sequence[tuple[Fraction, str]]) -> str:
    text = ""
    for value, factor in terms:
        sign = "-" if value < 0 else "+"
        size = in_bytes(round(abs(value)))
        text += f" {sign} {size}{factor}" if text else f"{'-' if value < 0 else ''}{size}{factor}"
    return text


def _place(piece: Piece) -> str:
    return f"{piece.operator} of {piece.layer}" if piece.layer else piece.operator
