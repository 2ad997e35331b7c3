"""Values that are known in a run on shapes, and operators whose output depends on values.

Beside tensors that are only shapes, a model has small ones of its own making: positions, masks,
lengths. Those made of whole numbers are kept on the CPU with their values, wherever the model
wanted them, so that what they decide (which elements are picked, how many, which branch is taken)
can be answered. What depends on the input cannot, and the model is then run on data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

META = torch.device("meta")
# A tensor of the model's own making keeps its values up to this many elements.
LARGEST_REAL = 1 << 22


class DataDependent(RuntimeError):
    """The model asked for the values of a tensor that has none."""


def result_from_values(
    func: Any,
    name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    is_hollow: Callable[[Tensor], bool],
) -> Any:
    """The operator's result as meta tensors.

    Raises:
        DataDependent: the values that decide are not known.
    """

    def known(tensor: Tensor) -> bool:
        return not tensor.is_meta and not is_hollow(tensor)

    if name == "index":
        return _index(func, args[0], args[1], known)
    if name == "masked_select" and known(args[1]):
        mask = args[1].broadcast_to(torch.broadcast_shapes(args[0].shape, args[1].shape))
        return torch.empty(int(mask.sum()), dtype=args[0].dtype, device=META)
    if name == "_pack_padded_sequence" and known(args[1]):
        return _pack(*args)
    if name == "repeat_interleave" and kwargs.get("output_size") is not None:
        return torch.empty(kwargs["output_size"], dtype=torch.int64, device=META)
    raise DataDependent(f"{name} needs values that depend on the input")


def _index(func: Any, x: Tensor, indices: Any, known: Callable[[Tensor], bool]) -> Tensor:
    """Advanced indexing; a mask stands for the positions at which it is true."""
    positions: list[Tensor | None] = []
    for index in indices:
        if index is None:
            positions.append(None)
        elif index.dtype in (torch.bool, torch.uint8):
            if not known(index):
                raise DataDependent("indexing with a mask needs values that depend on the input")
            positions.extend(index.nonzero(as_tuple=True))
        else:
            positions.append(index)
    return func(_on_meta(x), [i if i is None else _on_meta(i) for i in positions])


def _pack(x: Tensor, lengths: Tensor, batch_first: bool) -> tuple[Tensor, Tensor]:
    """A padded batch as the sequence of its steps: all first elements, all second ones, ..."""
    steps = torch.arange(int(lengths.max()))
    batch_sizes = (lengths[None, :] > steps[:, None]).sum(1)
    data = torch.empty((int(lengths.sum()), *x.shape[2:]), dtype=x.dtype, device=META)
    return data, batch_sizes


def _on_meta(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_meta else torch.empty_like(tensor, device=META)


# -- what stays real -------------------------------------------------------------------------------

_SIZE_FIRST = ("zeros", "ones", "full", "eye", "empty")
_FILLED_IN = ("empty", "zeros", "ones", "full", "rand", "randn")
_NEW = ("new_zeros", "new_ones", "new_full")
_LIKE = ("zeros_like", "ones_like", "full_like")
_MASKS = ("ones", "new_ones")  # of any dtype: a mask that hides nothing, which models look into
MAY_BE_CONSTANT = frozenset({"arange", *_SIZE_FIRST, *_NEW, *_LIKE})


def placed(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Where a tensor is made that is made of no other.

    Whole numbers are made on the CPU, with values. Too large a tensor is a shape, and so is one
    that the model fills in as it goes while autograd watches: written into in place it gets a
    gradient, which has to be on its device.
    """
    constant = as_constant(name, args, kwargs)
    if constant is not None:
        return constant
    sized = bool(args) and isinstance(args[0], list | tuple)
    dtype = kwargs.get("dtype") or torch.get_default_dtype()
    differentiable = dtype.is_floating_point or dtype.is_complex
    filled_in = sized and name in _FILLED_IN and differentiable and torch.is_grad_enabled()
    if filled_in or (sized and _count(args[0]) > LARGEST_REAL):
        return args, {**kwargs, "device": META}
    return args, kwargs


def as_constant(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """The arguments that make a small tensor of known whole numbers, or of ones, on the CPU."""
    if name == "arange":
        whole = all(isinstance(value, int) for value in args)
        dtype, count = torch.int64 if whole else torch.float32, max(map(abs, args), default=0)
    elif name in _SIZE_FIRST:
        fill = args[1] if name == "full" else 1.0
        dtype = torch.bool if fill is True or fill is False else _kind(fill)
        count = _count(args[0]) if isinstance(args[0], list | tuple) else args[0] ** 2
    elif name in _NEW:
        dtype, count = args[0].dtype, _count(args[1])
        args = (torch.empty(0, dtype=dtype), *args[1:])
    elif name in _LIKE:
        dtype, count = args[0].dtype, args[0].numel()
        if count <= LARGEST_REAL:
            args = (torch.empty(args[0].shape, dtype=dtype), *args[1:])
    else:
        return None
    dtype = kwargs.get("dtype") or dtype
    fractional = dtype.is_floating_point or dtype.is_complex
    if (fractional and name not in _MASKS) or count > LARGEST_REAL:
        return None
    return args, {**kwargs, "device": torch.device("cpu")}


def is_to_meta(kwargs: dict[str, Any]) -> bool:
    """Whether a copy to the meta device is asked for."""
    device = kwargs.get("device")
    return device is not None and torch.device(device).type == "meta"


def broadcast_elements(tensors: Sequence[Tensor]) -> int:
    """Elements that an elementwise result of these tensors would have."""
    if len(tensors) == 1:
        return tensors[0].numel()
    sizes: dict[int, int] = {}
    for tensor in tensors:
        for axis, size in enumerate(reversed(tensor.shape)):
            sizes[axis] = max(sizes.get(axis, 1), size)
    return _count(sizes.values())


def _kind(fill: Any) -> torch.dtype:
    return torch.int64 if isinstance(fill, int) else torch.float32


def _count(sizes: Iterable[int]) -> int:
    count = 1
    for size in sizes:
        count *= size
    return count
