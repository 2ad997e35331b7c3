"""Tensors inside whatever people pass to models and get from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from archscope.trace.torch_private import is_jagged


def named_tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor in nested tuples, lists, mappings, dataclasses and namespaces, with its path.

    "0.1" is the second of the first, "hidden.0" the first under that key.
    """
    if isinstance(value, Tensor):
        yield name, value
    else:
        for key, item in _items(value):
            yield from named_tensors(item, f"{name}.{key}" if name and key != "" else name or key)


def tensors_in(values: Iterable[Any]) -> list[Tensor]:
    """The tensors alone, of several values; every operator and every module call asks this.

    A jagged tensor is one of all its rows.
    """
    found: list[Tensor] = []
    for value in values:
        kind = type(value)
        if kind in _ATOMS:
            continue
        if isinstance(value, Tensor):
            found.append(value if kind in _PLAIN or not is_jagged(kind) else value.values())
        elif kind is list or kind is tuple:
            found += tensors_in(value)
        else:
            found += tensors_in([item for _, item in _items(value)])
    return found


_ATOMS = frozenset({type(None), bool, int, float, str, torch.dtype, torch.device, torch.Size})


_PLAIN = frozenset({Tensor, torch.nn.Parameter})


def _items(value: Any) -> Iterable[tuple[str, Any]]:
    """What a container holds, by name; nothing for anything else."""
    if isinstance(value, PackedSequence):
        return [("", value.data)]
    if isinstance(value, list | tuple):
        return [(str(position), item) for position, item in enumerate(value)]
    if isinstance(value, Mapping):
        return [(str(key), item) for key, item in value.items()]
    if is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, SimpleNamespace):
        return [("", vars(value))]
    return ()
