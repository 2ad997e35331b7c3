"""The sizes of the tensors that an operator reads and writes, whatever their storages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

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
    read = sum([tensor.numel() * tensor.itemsize for tensor in reads])
    written = sum([tensor.numel() * tensor.itemsize for tensor in writes])
    if looks_up and reads:
        read -= max(0, reads[0].numel() * reads[0].itemsize - written)
    typed = writes or reads
    return Sizes(
        input_shapes=tuple([tuple(tensor.shape) for tensor in reads]),
        output_shapes=tuple([tuple(tensor.shape) for tensor in writes]),
        dtype=dtype_name(typed[0].dtype) if typed else "",
        bytes_read=read,
        bytes_written=written,
    )


@cache
def dtype_name(dtype: torch.dtype) -> str:
    """The name of a dtype, such as "float32"."""
    return str(dtype).removeprefix("torch.")
