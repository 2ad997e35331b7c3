"""The shapes that operators gave before: an identical call need not be worked out again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from archscope.trace.costs import Cost

META = torch.device("meta")
_LARGEST = 1 << 16


class Remembered(NamedTuple):
    """What a call made and cost. ``outputs`` describes a tensor, or a list of them."""

    outputs: Any
    cost: Cost


_memory: dict[Any, Remembered] = {}


def call_key(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A key for a call on meta tensors; None where an argument cannot be part of one."""
    key = (func, _described(args), _described(tuple(kwargs.items())) if kwargs else None)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def recall(key: Any) -> Remembered | None:
    """What an identical call made, if there was one."""
    return _memory.get(key) if key is not None else None


def remember(key: Any, result: Any, cost: Cost) -> None:
    """Remember what a call made."""
    if key is not None and len(_memory) < _LARGEST:
        _memory[key] = Remembered(_description(result), cost)


def made_again(description: Any) -> Any:
    """New meta tensors as described."""
    if type(description) is tuple:
        shape, strides, dtype = description
        return torch.empty_strided(shape, strides, dtype=dtype, device=META)
    if description is None:
        return None
    return tuple(map(made_again, description))


def _described(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(
        (value.shape, value.stride(), value.dtype)
        if isinstance(value, Tensor)
        else _described(value)
        if isinstance(value, list | tuple)
        else (type(value), value)
        for value in values
    )


def _description(result: Any) -> Any:
    if isinstance(result, Tensor):
        return (result.shape, result.stride(), result.dtype)
    if isinstance(result, list | tuple):
        return [_description(item) for item in result]
    return None
