"""What operators made before: an identical call need not be worked out again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from archscope.trace.costs import Cost
from archscope.trace.operators import Operator
from archscope.trace.records import Recurrence, Window
from archscope.trace.sizes import Sizes

META = torch.device("meta")
_LARGEST = 1 << 16


class Effect(NamedTuple):
    """What a call made and cost. ``outputs`` describes a new tensor, or a list of them."""

    outputs: Any
    cost: Cost
    sizes: Sizes
    window: Window | None
    recurrence: Recurrence | None = None


_memory: dict[Any, Effect] = {}


def call_key(facts: Operator, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """A key for a call on meta tensors: all that its effect depends on."""
    key: list[Any] = [facts]
    _describe(args, key)
    for name, value in kwargs.items():
        key.append(name)
        _describe((value,), key)
    return tuple(key)


def recall(key: tuple[Any, ...]) -> Effect | None:
    """The effect of an identical call, if there was one."""
    try:
        return _memory.get(key)
    except TypeError:  # an argument that cannot be part of a key
        return None


def remember(key: tuple[Any, ...], effect: Effect) -> None:
    """Remember what a call made."""
    if len(_memory) < _LARGEST:
        try:
            _memory[key] = effect
        except TypeError:
            return


def forget() -> None:
    """Forget every call, so that the next run takes as long as the first of a process."""
    _memory.clear()


def description(result: Any) -> Any:
    """What it takes to make new tensors like these."""
    if isinstance(result, Tensor):
        held = result.untyped_storage().nbytes()
        larger = held if held > result.numel() * result.itemsize else 0
        return (result.shape, result.stride(), result.dtype, larger)
    if isinstance(result, list | tuple):
        return [description(item) for item in result]
    return None


def made_again(described: Any) -> Any:
    """New meta tensors as described."""
    if type(described) is tuple:
        shape, strides, dtype, larger = described
        if larger:  # a kernel that shrinks what it made keeps all of its storage
            made = torch.empty(larger // dtype.itemsize, dtype=dtype, device=META)
            return made.as_strided(shape, strides)
        return torch.empty_strided(shape, strides, dtype=dtype, device=META)
    if described is None:
        return None
    return tuple(map(made_again, described))


def _describe(values: Sequence[Any], key: list[Any]) -> None:
    """Numbers with their types, for 1 == 1.0 == True; a list of whole numbers has one type."""
    for value in values:
        if isinstance(value, Tensor):
            key += (value.shape, value.stride(), value.dtype)
        elif isinstance(value, list | tuple):
            if value and type(value[0]) is int:
                key.append(tuple(value))
            else:
                inside: list[Any] = []
                _describe(value, inside)
                key.append(tuple(inside))
        else:
            key += (type(value), value)
