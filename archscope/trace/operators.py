"""What is known of each torch operator before it runs: its name, its kind, its formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from archscope.trace.costs import FREE, Cost, formula_for
from archscope.trace.costs.elementwise import (
    POINTWISE,
    REDUCTION_FLOPS,
    foreach,
    pointwise,
    reduction,
)
from archscope.trace.costs.movement import CREATE, MOVE
from archscope.trace.costs.products import PACKED_PRODUCTS
from archscope.trace.costs.recurrent import QUANTISED
from archscope.trace.costs.registry import Formula
from archscope.trace.records import Category
from archscope.trace.values import MAY_BE_CONSTANT

# In-place operators that overwrite without reading what was there.
_OVERWRITES = {"copy_", "fill_", "zero_", "normal_", "uniform_", "bernoulli_", "random_"} | {
    "exponential_",
    "set_",
    "resize_",
    "cauchy_",
    "geometric_",
    "log_normal_",
}

_RESHAPING = ("resize", "set_", "sparse", "_resize", "_sparse")

# Operators that read no more of their first operand than they give back.
LOOKUPS = {"embedding", "index", "index_select", "gather", "take"}

# The second operand of these may be a learned weight: a product that makes a weight layer.
WEIGHT_PRODUCTS = {
    "mm",
    "addmm",
    "addmm_",
    "_addmm_activation",
    "_scaled_mm",
    "_scaled_mm_v2",
    "_int_mm",
    "bmm",
    "_grouped_mm",
    "baddbmm",
    "baddbmm_",
    "addbmm",
    "mv",
    "addmv",
    "dot",
    "linear",
    "mkldnn_linear",
    "_trilinear",
    "torch_nn::_linear_cross_entropy_batch_chunked_no_reduction",
    "torchvision::deform_conv2d",
    *(f"quantized::{name}" for name in PACKED_PRODUCTS),
    "convolution",
    "_convolution",
    "mkldnn_convolution",
    "_weight_int8pack_mm",
    "_weight_int4pack_mm",
    "conv_tbc",
    "lstm",
    "gru",
    "rnn_tanh",
    "rnn_relu",
    "mkldnn_rnn_layer",
    *QUANTISED,
    "_sparse_mm",
    "_sparse_addmm",
}


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """The standing facts of one operator overload."""

    func: torch._ops.OpOverload
    name: str
    category: Category
    formula: Formula | None
    view: bool
    mutated: tuple[int | str, ...]  # arguments written in place: positions, keywords
    overwrites: bool
    cacheable: bool  # makes new tensors, whose shapes follow from those of its operands
    in_place: bool  # writes its first argument and gives it back, of the same shape
    data_dependent: bool
    composite: bool
    weight_product: bool
    looks_up: bool
    may_be_constant: bool  # may make a small tensor of known values

    @property
    def known(self) -> bool:
        return self.formula is not None


# By identity: an overload's own hash takes longer than the rest of the look-up.
_operators: dict[int, Operator] = {}


def operator(func: torch._ops.OpOverload) -> Operator:
    """The facts of an overload, worked out once."""
    facts = _operators.get(id(func))
    if facts is None:
        facts = _operators[id(func)] = _facts(func)
    return facts


def _facts(func: torch._ops.OpOverload) -> Operator:
    name = _name(func)
    mutated = _mutated_arguments(func)
    view = _is_view(func, name)
    category, formula = _formula(func, name)
    tags = func.tags
    data_dependent = (
        torch.Tag.data_dependent_output in tags
        or torch.Tag.dynamic_output_shape in tags
        or name == "_pack_padded_sequence"
    )
    return Operator(
        func=func,
        name=name,
        category=category,
        formula=formula,
        view=view,
        mutated=mutated,
        overwrites=name in _OVERWRITES or bool(_out_arguments(func)),
        cacheable=not (view or mutated or data_dependent) and _returns_fresh_tensors(func),
        in_place=mutated == (0,) and not (view or data_dependent) and _gives_back(func, name),
        data_dependent=data_dependent,
        composite=_is_composite(func),
        weight_product=name in WEIGHT_PRODUCTS,
        looks_up=name in LOOKUPS,
        may_be_constant=name in MAY_BE_CONSTANT,
    )


def _gives_back(func: torch._ops.OpOverload, name: str) -> bool:
    """Whether the result is the first argument, written in place and of the shape that it had."""
    returns = func._schema.returns
    return (
        func.namespace == "aten"
        and name.endswith("_")
        and not name.startswith(_RESHAPING)
        and len(returns) == 1
        and returns[0].alias_info is not None
        and returns[0].alias_info.is_write
    )


def _is_view(func: torch._ops.OpOverload, name: str) -> bool:
    # The schema of _unsafe_view does not say that it is one; transpose_ and its like change how
    # a tensor looks at its storage, not the storage. A profiler's marks are no operators at all.
    return (
        bool(func.is_view)
        or name == "_unsafe_view"
        or torch.Tag.inplace_view in func.tags
        or name.startswith("profiler::")
    )


def _name(func: torch._ops.OpOverload) -> str:
    namespace, _, name = func._schema.name.partition("::")
    return name if namespace in ("aten", "prims") else f"{namespace}::{name}"


def _mutated_arguments(func: torch._ops.OpOverload) -> tuple[int | str, ...]:
    positions: list[int | str] = []
    for position, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            positions.append(argument.name if argument.kwarg_only else position)
    return tuple(positions)


def _out_arguments(func: torch._ops.OpOverload) -> list[str]:
    return [argument.name for argument in func._schema.arguments if argument.is_out]


def _returns_fresh_tensors(func: torch._ops.OpOverload) -> bool:
    kinds = {str(result.type) for result in func._schema.returns}
    return bool(kinds) and kinds <= {"Tensor"}


def _is_composite(func: torch._ops.OpOverload) -> bool:
    return bool(
        torch._C._dispatch_has_kernel_for_dispatch_key(
            func.name(), torch._C.DispatchKey.CompositeImplicitAutograd
        )
    )


def _formula(func: torch._ops.OpOverload, name: str) -> tuple[Category, Formula | None]:
    base = name.rstrip("_") or name
    if base.startswith("_foreach_"):
        return "compute", foreach(base.removeprefix("_foreach_"))
    overloaded = formula_for(f"{base}.{func._overloadname}")
    registered = overloaded or formula_for(name) or formula_for(base)
    if registered is not None:
        return "compute", registered
    if base in CREATE:
        return "create", _free
    if base in MOVE or _is_view(func, name):
        return "move", _free
    if base in POINTWISE or torch.Tag.pointwise in func.tags:
        return "compute", pointwise(base)
    if base in REDUCTION_FLOPS or _is_reduction(func):
        return "compute", reduction(base)
    if _is_elsewhere_pointwise(func, base):
        return "compute", pointwise(base)
    return "compute", None


def _is_elsewhere_pointwise(func: torch._ops.OpOverload, base: str) -> bool:
    """Torch tags not every overload, nor every operator in place."""
    standard = func.namespace in ("aten", "prims")
    packet = getattr(torch.ops.aten, base, None) if standard else None
    overloads = [] if packet is None else [getattr(packet, name) for name in packet.overloads()]
    return any(torch.Tag.pointwise in overload.tags for overload in overloads)


def _is_reduction(func: torch._ops.OpOverload) -> bool:
    tag = getattr(torch.Tag, "reduction", None)  # newer than torch 2.11
    return tag is not None and tag in func.tags


def _free(*_: Any, out: Any, **__: Any) -> Cost:
    return FREE
