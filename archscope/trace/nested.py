"""Tensors inside whatever people pass to models and get from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import SimpleNamespace
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence


def named_tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor in nested tuples, lists, mappings, dataclasses and namespaces, with its path.

    "0.1" is the second of the first, "hidden.0" the first under that key.
    """
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, PackedSequence):
        yield name, value.data
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from named_tensors(item, _below(name, position))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from named_tensors(item, _below(name, key))
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from named_tensors(getattr(value, field.name), _below(name, field.name))
    elif isinstance(value, SimpleNamespace):
        yield from named_tensors(vars(value), name)


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors alone."""
    return [tensor for _, tensor in named_tensors(value)]


def _below(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)
