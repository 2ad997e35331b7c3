"""Inputs as a person writes them.

``3x224x224``          one sample; the batch is put in front
``int64:128``          the same with a dtype
``ids:int64:1x128``    a keyword input of that whole shape, batch included
``mask:1x128``         the same in the model's own dtype
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archscope.arguments import positive, shown
from archscope.errors import InvalidInput

DTYPES = (
    *("float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2"),
    *("uint8", "int8", "int16", "int32", "int64", "bool", "complex64", "complex128"),
)
GRAMMAR = "3x224x224, int64:128 or ids:int64:1x128"


@dataclass(frozen=True)
class InputSpec:
    """One input: a sample without the batch, or, named, a keyword input with it."""

    shape: tuple[int, ...]
    dtype: str = ""  # the model's own
    name: str = ""


Input = str | InputSpec | tuple[int, ...] | Sequence[str | InputSpec] | None


def parse_input(text: str) -> InputSpec:
    """Read one input: ``[NAME:][DTYPE:]SHAPE``.

    Raises:
        InvalidInput: it cannot be read, or a size is not positive.
    """
    *before, sizes = text.split(":")
    dtype = before.pop() if before and before[-1] in DTYPES else ""
    if len(before) > 1:
        raise InvalidInput(f"input '{text}' has no dtype that is known; write {GRAMMAR}")
    if before == [""] or not re.fullmatch(r"-?\d+(x-?\d+)*", sizes, re.ASCII):
        raise InvalidInput(f"input '{text}' cannot be read; write {GRAMMAR}")
    shape = tuple(map(int, sizes.split("x")))
    return InputSpec(_checked(shape), dtype, before[0] if before else "")


def specs(given: Input) -> tuple[InputSpec, ...]:
    """Inputs given as text, as the shape of one sample, or as a list of texts."""
    if given is None:
        return ()
    if isinstance(given, InputSpec):
        return (given,)
    if isinstance(given, str):
        return (parse_input(given),)
    if not isinstance(given, Iterable) or isinstance(given, Mapping) or hasattr(given, "dtype"):
        raise InvalidInput(f"an input is a shape such as (3, 224, 224) or text, not {shown(given)}")
    given = tuple(given)  # type: ignore[assignment]
    if all(isinstance(size, int) for size in given):
        return (InputSpec(_checked(tuple(given))),)  # type: ignore[arg-type]
    return tuple(spec for item in given for spec in specs(item))  # type: ignore[arg-type]


def arguments(given: tuple[InputSpec, ...], batch: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword inputs, the batch in front of the positional ones."""
    import torch

    from archscope.trace.inputs import TensorSpec

    def tensor(spec: InputSpec, *batch: int) -> TensorSpec:
        dtype = getattr(torch, spec.dtype) if spec.dtype else None
        return TensorSpec((*batch, *spec.shape), dtype)

    positional = tuple(tensor(spec, batch) for spec in given if not spec.name)
    return positional, {spec.name: tensor(spec) for spec in given if spec.name}


def _checked(shape: tuple[int, ...]) -> tuple[int, ...]:
    for size in shape:
        positive("an input size", size)
    return shape
