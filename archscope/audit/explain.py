"""Why another tool's count of a module is not archscope's.

A module's own products have a closed form, so each difference is told by its arithmetic: nothing
counted at all, the bias counted, a transposed convolution counted at its output, and so on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from archscope.trace.records import Op, Trace, elements

CLOSED_FORMS = {
    "convolution": "each output element takes Cin / groups x kernel products; transposed, each "
    "input element makes Cout / groups x kernel",
    "linear": "each output element takes as many products as there are input features",
    "addmm": "m k times k n takes m k n products",
    "mm": "m k times k n takes m k n products",
    "bmm": "b products of m k times k n take b m k n",
    "scaled_dot_product_attention": "queries by keys and weights by values: 2 x heads x L x S x d",
    "lstm": "4 gates, each hidden x (input + hidden) products, at every step",
    "gru": "3 gates, each hidden x (input + hidden) products, at every step",
    "rnn_tanh": "hidden x (input + hidden) products at every step",
    "rnn_relu": "hidden x (input + hidden) products at every step",
}


@dataclass(frozen=True)
class Module:
    """A module's own products as archscope has them."""

    path: str
    kind: str
    macs: int
    operators: tuple[str, ...]  # those with products
    output_elements: int  # of them
    transposed: bool


@dataclass(frozen=True)
class Difference:
    """One reason for which a tool is off, and the modules where it is."""

    reason: str
    macs: int  # theirs minus ours
    modules: tuple[str, ...]

    @property
    def where(self) -> str:
        """The modules with their numbers generalised: "encoder.layers.*.attention"."""
        patterns = list(dict.fromkeys(map(_generalised, self.modules)))
        listed = ", ".join(patterns[:3])
        return f"{listed} and {len(patterns) - 3} more" if len(patterns) > 3 else listed


def modules(trace: Trace) -> dict[str, Module]:
    """The modules of a trace that execute products or anything else themselves."""
    ops: dict[str, list[Op]] = {}
    for op in trace.forward:
        if op.category != "input":
            ops.setdefault(op.module, []).append(op)
    return {path: _module(path, found, trace) for path, found in ops.items()}


def differences(
    ours: Mapping[str, Module], theirs: Mapping[str, int]
) -> tuple[list[Difference], int]:
    """Reasons, the largest first, and how many modules agree."""
    grouped: dict[str, list[tuple[str, int]]] = {}
    agreeing = 0
    for path in {**ours, **theirs}:
        module = ours.get(path) or Module(path, "", 0, (), 0, False)
        count = theirs.get(path, 0)
        if count == module.macs:
            agreeing += bool(count)
            continue
        grouped.setdefault(_reason(module, count), []).append((path, count - module.macs))
    found = [
        Difference(reason, sum(macs for _, macs in where), tuple(path for path, _ in where))
        for reason, where in grouped.items()
    ]
    return sorted(found, key=lambda difference: -abs(difference.macs)), agreeing


def closed_forms(operators: Iterable[str]) -> list[str]:
    """The closed forms of these operators, in words."""
    return [f"{name}: {CLOSED_FORMS[name]}" for name in operators if name in CLOSED_FORMS]


def _module(path: str, ops: Sequence[Op], trace: Trace) -> Module:
    products = [op for op in ops if op.macs]
    return Module(
        path=path,
        kind=trace.modules.get(path, ""),
        macs=sum(op.macs for op in ops),
        operators=tuple(dict.fromkeys(op.name for op in products)),
        output_elements=sum(elements(op.output_shapes[0]) for op in products if op.output_shapes),
        transposed="Transpose" in trace.modules.get(path, ""),
    )


def _reason(module: Module, count: int) -> str:
    what = " and ".join(module.operators)
    if count == 0:
        return f"omits {what}"
    if module.macs == 0:
        return f"counts {module.kind or 'operations'} as MACs, which has no products"
    if count - module.macs == module.output_elements:
        return f"counts the bias of {what} as MACs"
    if module.transposed and count > module.macs:
        return f"counts a transposed convolution at its output: x{count / module.macs:g}"
    if count % module.macs == 0:
        return f"counts {what} {count // module.macs} times"
    if count < module.macs:
        return f"counts only a part of {what}"
    return f"counts more than the products of {what}"


def _generalised(path: str) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.|$)", "*", path) or "the model itself"
