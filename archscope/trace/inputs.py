"""What the model is called with: tensors, shapes, or nested tuples and dictionaries of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, fields, is_dataclass
from math import prod
from numbers import Integral
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from archscope.errors import InvalidInput
from archscope.trace.sizes import is_sparse
from archscope.trace.torch_private import has_data
from archscope.trace.values import DataDependent

# Integer inputs up to this size keep their values: models compute positions and masks from them.
LARGEST_KEPT = 1 << 22
# Elements of an input; torch counts bytes in 64 bits.
LARGEST_INPUT = 1 << 48


@dataclass(frozen=True)
class TensorSpec:
    """A tensor that is wanted: its shape, and its dtype unless that is the model's own."""

    shape: tuple[int, ...]
    dtype: torch.dtype | None = None

    def __post_init__(self) -> None:
        """Raise ``InvalidInput`` for more elements than torch can count."""
        if prod(self.shape) > LARGEST_INPUT:
            shape = "x".join(map(str, self.shape))
            raise InvalidInput(f"an input of {shape} has more elements than torch can address")

    def of(self, dtype: torch.dtype) -> TensorSpec:
        """The same with that dtype, if it has none."""
        return self if self.dtype is not None else TensorSpec(self.shape, dtype)


def normalise(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword inputs, with every shape made a ``TensorSpec``.

    ``inputs`` is a tuple or list of positional inputs, a single tensor or shape, or a dictionary
    of keyword inputs. A tuple of integers is a shape.

    Raises:
        InvalidInput: a shape with a size that is not positive, or no inputs at all.
    """
    if inputs is None:
        raise InvalidInput("a module needs inputs: inputs=(tensor, ...) or inputs=(1, 3, 224, 224)")
    if isinstance(inputs, Mapping):
        return (), {name: _specified(value) for name, value in inputs.items()}
    if isinstance(inputs, Tensor | TensorSpec | PackedSequence) or _is_shape(inputs):
        inputs = (inputs,)
    if not isinstance(inputs, list | tuple):
        raise InvalidInput(
            f"inputs must be tensors or shapes, not {type(inputs).__name__}; "
            "give inputs=(tensor, ...) or inputs=(1, 3, 224, 224)"
        )
    return tuple(map(_specified, inputs)), {}


def _is_shape(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) > 0
        and all(isinstance(size, Integral) and not isinstance(size, bool) for size in value)
    )


def _specified(value: Any) -> Any:
    if _is_shape(value):
        if any(size < 0 for size in value):
            shape = "x".join(map(str, value))
            raise InvalidInput(f"a size in the shape {shape} is negative; sizes are 0 or more")
        return TensorSpec(tuple(map(int, value)))
    if isinstance(value, PackedSequence):
        return value
    if isinstance(value, Tensor) and value.is_nested:
        raise InvalidInput("nested tensors have no one shape; give a padded tensor, or a list")
    return _mapped(value, _specified)


def _mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(function(item) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(function(item) for item in value)
    if isinstance(value, Mapping):
        named = copy.copy(value) if isinstance(value, MutableMapping) else dict(value)
        for name, item in value.items():
            named[name] = function(item)
        return named
    if is_dataclass(value) and not isinstance(value, type | TensorSpec):
        record = copy.copy(value)
        for field in fields(value):
            object.__setattr__(record, field.name, function(getattr(value, field.name)))
        return record
    return value


def each_once(value: Any, function: Callable[[Any], Any]) -> Any:
    """The same inputs with a function of every tensor in them; one given twice stays one."""
    made: dict[int, Any] = {}

    def of(item: Any) -> Any:
        if not isinstance(item, Tensor | TensorSpec | PackedSequence):
            return _mapped(item, of)
        if id(item) not in made:
            made[id(item)] = function(item)
        return made[id(item)]

    return of(value)


def with_dtype(value: Any, dtype: torch.dtype) -> Any:
    """The same inputs, where the shapes without a dtype have this one."""
    if isinstance(value, TensorSpec):
        return value.of(dtype)
    if isinstance(value, PackedSequence):
        return value
    return _mapped(value, lambda item: with_dtype(item, dtype))


def cast(value: Any, dtype: torch.dtype | None) -> Any:
    """The same tensors, those of floating point in another dtype."""
    if dtype is None:
        return value

    def in_dtype(item: Any) -> Any:
        if isinstance(item, TensorSpec):
            return item
        floating = (item if isinstance(item, Tensor) else item.data).dtype.is_floating_point
        return item.to(dtype) if floating else item

    return each_once(value, in_dtype)


def on_meta(value: Any) -> Any:
    """The same inputs without data; small integer tensors keep theirs."""
    return each_once(value, _as_shape)


def _as_shape(value: Any) -> Any:
    if isinstance(value, PackedSequence):
        data = _without_data(value.data)
        return PackedSequence(data, value.batch_sizes, value.sorted_indices, value.unsorted_indices)
    if isinstance(value, TensorSpec):
        value = value.of(torch.float32)
        if _keeps_values(value.dtype, value.shape):
            return _random(value)
        return torch.empty(value.shape, dtype=value.dtype, device="meta")
    if has_data(value) and _keeps_values(value.dtype, value.shape):
        return value.detach().to("cpu", copy=True)
    return _without_data(value)


def on_cpu(value: Any) -> Any:
    """The same inputs with data: the given tensors' own, random for shapes."""
    return each_once(value, _with_data)


def _with_data(value: Any) -> Any:
    if isinstance(value, PackedSequence):
        return value
    if isinstance(value, TensorSpec):
        return _random(value)
    if has_data(value):
        copied = value.detach().to("cpu", copy=True)
    else:
        copied = _random(TensorSpec(tuple(value.shape), value.dtype))
    return copied.requires_grad_(value.requires_grad and value.is_leaf)


def shapes_of(value: Any) -> list[tuple[int, ...]]:
    """The shapes of all tensors that are given or wanted."""
    if isinstance(value, Tensor | TensorSpec):
        return [tuple(value.shape)]
    if isinstance(value, PackedSequence):
        return [tuple(value.data.shape)]
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        return [shape for item in value for shape in shapes_of(item)]
    return []


def _keeps_values(dtype: torch.dtype | None, shape: Any) -> bool:
    count = 1
    dtype = dtype or torch.float32
    for size in shape:
        count *= size
    return not (dtype.is_floating_point or dtype.is_complex) and count <= LARGEST_KEPT


def _without_data(tensor: Tensor) -> Tensor:
    if is_sparse(tensor):
        raise DataDependent("an input is sparse")
    if tensor.layout is not torch.strided:
        raise InvalidInput(
            f"inputs of layout {tensor.layout} are not supported; give dense or sparse tensors"
        )
    made = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
    return made.requires_grad_(tensor.requires_grad and tensor.is_leaf)


def _random(spec: TensorSpec) -> Tensor:
    """Random values of that dtype: standard normal, or indices that any vocabulary has."""
    dtype = spec.dtype or torch.float32
    generator = torch.Generator().manual_seed(0)
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(spec.shape, dtype=dtype, generator=generator)
    return torch.randint(0, 2, spec.shape, generator=generator).to(dtype)
