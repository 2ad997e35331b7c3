"""The sizes of the tensors that an operator reads and writes, whatever their storages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from archscope.trace import torch_private
from archscope.trace.records import Shape


class Sizes(NamedTuple):
    """Shapes and bytes of operands and results, and the dtype of the first result."""

    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    dtype: str
    bytes_read: int
    bytes_written: int


def sizes_of(reads: Sequence[Tensor], writes: Sequence[Tensor], looks_up: bool) -> Sizes:
    """The sizes of an operator's tensors; of a table only what is looked up is read."""
    read = sum([bytes_of(tensor) for tensor in reads])
    written = sum([bytes_of(tensor) for tensor in writes])
    if looks_up and reads:
        read -= max(0, bytes_of(reads[0]) - written)
    typed = writes or reads
    return Sizes(
        input_shapes=tuple([tuple(tensor.shape) for tensor in reads]),
        output_shapes=tuple([tuple(tensor.shape) for tensor in writes]),
        dtype=dtype_name(typed[0].dtype) if typed else "",
        bytes_read=read,
        bytes_written=written,
    )


_SPARSE = frozenset(
    {torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc}
)


def is_sparse(value: Any) -> bool:
    """Whether a value is a tensor that holds some of its elements only."""
    return getattr(value, "layout", None) in _SPARSE


def bytes_of(tensor: Tensor) -> int:
    """The bytes of a tensor's elements; of a sparse one of those it holds, and of their indices."""
    if is_sparse(tensor):
        return sum(part.numel() * part.itemsize for part in torch_private.sparse_parts(tensor))
    return tensor.numel() * tensor.itemsize


@cache
def dtype_name(dtype: torch.dtype) -> str:
    """The name of a dtype, such as "float32"."""
    return str(dtype).removeprefix("torch.")
