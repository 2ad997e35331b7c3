"""Operators and modules of torch's own databases, each on its samples, as modules to trace.

The databases are torch's (``torch.testing._internal``: ``op_db``, ``module_db``; they need the
package ``expecttest``). The tensors of a sample are the module's inputs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

NO_TENSORS = ("jiterator", "broadcast_shapes")  # for a GPU's compiler; of sizes alone


class Applied(nn.Module):
    """A function of nested operands as a module of their tensors; before one that writes in place
    its first operand is copied."""

    def __init__(self, function: Callable[..., Any], operands: Any, *, in_place: bool = False):
        super().__init__()
        leaves, self.structure = tree_flatten(operands)
        self.tensors = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        self.constants = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self.function, self.in_place = function, in_place

    def forward(self, *given: Tensor) -> Any:
        leaves = list(self.constants)
        for position, tensor in zip(self.tensors, given, strict=True):
            leaves[position] = tensor
        args, kwargs = tree_unflatten(leaves, self.structure)
        if self.in_place:
            args = (args[0].clone(), *args[1:])
        result = self.function(*args, **kwargs)
        _made[id(self)] = [
            (tuple(leaf.shape), leaf.dtype) if isinstance(leaf, Tensor) else type(leaf)
            for leaf in tree_leaves(result)
        ]
        return result


# What a module returned last, by its identity: a run leaves nothing in the module itself.
_made: dict[int, list[Any]] = {}


@dataclass
class Sample:
    """A module with its inputs, and the operands that a closed form is computed from."""

    name: str
    number: int
    kind: str  # "elementwise", "reduction", "module" or ""
    model: nn.Module
    inputs: tuple[Tensor, ...]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    in_place: nn.Module | None = None

    @property
    def returned(self) -> list[Any]:
        """Shapes and dtypes of what the model returned last."""
        return _made[id(self.model)]

    @property
    def differentiable(self) -> bool:
        parameters = any(p.requires_grad for p in self.model.parameters())
        return parameters or any(tensor.requires_grad for tensor in self.inputs)


def operator_samples(
    dtype: torch.dtype, most: int, pattern: str = "", *, every: int = 1
) -> Iterator[Sample]:
    """At most so many samples, spread over all, of every operator that has that dtype on the CPU;
    or of every second, every third one."""
    from torch.testing._internal.common_methods_invocations import op_db

    for op in op_db[::every]:
        name = op.name + (f".{op.variant_test_name}" if op.variant_test_name else "")
        if pattern not in name or name.startswith(NO_TENSORS):
            continue
        dtypes = op.supported_dtypes("cpu")
        own = dtype if dtype in dtypes else torch.int64
        if own not in dtypes or (own is not dtype and dtype is not torch.float32):
            continue
        backward = op.supports_autograd and own in op.supported_backward_dtypes("cpu")
        for number, sample in enumerate(_spread(op, own, backward, most)):
            operands = ((sample.input, *sample.args), dict(sample.kwargs))
            in_place = op.inplace_variant if not sample.broadcasts_input else None
            yield Sample(
                name=name,
                number=number,
                kind=_kind(op),
                model=Applied(op.op, operands),
                inputs=_tensors(operands),
                args=operands[0],
                kwargs=operands[1],
                in_place=in_place and Applied(in_place, operands, in_place=True),
            )


def _spread(op: Any, dtype: torch.dtype, backward: bool, most: int) -> list[Any]:
    torch.manual_seed(0)
    found = list(islice(op.sample_inputs("cpu", dtype, requires_grad=backward), 24 * most))
    # The smallest of samples come first: of few, take those of the middle.
    step = max(1, len(found) // most)
    return found[step // 2 :: step][:most]


def _kind(op: Any) -> str:
    from torch.testing._internal.opinfo import core

    if isinstance(op, core.UnaryUfuncInfo | core.BinaryUfuncInfo):
        return "elementwise"
    return "reduction" if isinstance(op, core.ReductionOpInfo) else ""


def _tensors(operands: Any) -> tuple[Tensor, ...]:
    """Each on its own: some samples were computed from others, which want their gradient."""
    found = [leaf for leaf in tree_leaves(operands) if isinstance(leaf, Tensor)]
    own = {id(tensor): tensor.detach().requires_grad_(tensor.requires_grad) for tensor in found}
    return tuple(own[id(tensor)] for tensor in found)


def module_samples(dtype: torch.dtype, most: int, pattern: str = "") -> Iterator[Sample]:
    """At most so many samples of every module."""
    from torch.testing._internal.common_modules import module_db

    for info in module_db:
        if pattern not in info.name or dtype not in info.supported_dtypes("cpu"):
            continue
        torch.manual_seed(0)
        made = info.module_inputs_func(
            info, device="cpu", dtype=dtype, requires_grad=True, training=False
        )
        for number, sample in enumerate(islice(made, most)):
            own, given = sample.constructor_input, sample.forward_input
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = info.module_cls(*own.args, **own.kwargs)
            if any(True for _ in module.parameters()):
                module.to(dtype)
            operands = (given.args, given.kwargs)
            yield Sample(info.name, number, "module", Applied(module, operands), _tensors(operands))
