"""Operators that take functions, such as cond and flex_attention, run as what they stand for.

Torch traces their functions into graphs before it runs them, to differentiate or to compile. Here
a branch is called, and a loop is a loop, so that what is inside is recorded as if it were written
without them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from archscope.trace import torch_private
from archscope.trace.fused.attention import flex_attention


@contextmanager
def higher_order_operators() -> Iterator[None]:
    """For the length of a run, this thread's calls of such operators are opened."""
    thread = threading.get_ident()

    def opened(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(func: Any, *args: Any, **kwargs: Any) -> Any:
            kernel = _KERNELS.get(func.name())
            if kernel is None or threading.get_ident() != thread:
                return original(func, *args, **kwargs)
            return kernel(*args, **kwargs)

        return call

    with (
        torch_private.higher_order_calls_through(opened),
        torch_private.flex_attention_anywhere(),
    ):
        yield


def _cond(
    predicate: Any,
    if_true: Callable[..., Any],
    if_false: Callable[..., Any],
    operands: Sequence[Any] = (),
) -> Any:
    """The branch that the predicate chooses."""
    return (if_true if bool(predicate) else if_false)(*operands)


def _while_loop(
    condition: Callable[..., Any],
    body: Callable[..., Any],
    carried: Sequence[Any],
    additional: Sequence[Any] = (),
) -> Any:
    while bool(condition(*carried, *additional)):
        carried = body(*carried, *additional)
    return tuple(carried)


def _scan(
    combine: Callable[..., Any],
    carried: Sequence[Tensor],
    elements: Sequence[Tensor],
    additional: Sequence[Any] = (),
) -> Any:
    """Step by step along the first dimension; what every step puts out is stacked."""
    count = len(carried)
    steps = []
    for step in zip(*elements, strict=True):
        outputs = combine(*carried, *step, *additional)
        carried = outputs[:count]
        steps.append(outputs[count:])
    return (*carried, *_stacked(steps))


def _map(
    function: Callable[..., Any], elements: Sequence[Tensor], additional: Sequence[Any] = ()
) -> Any:
    """The function of every element along the first dimension."""
    return _stacked([function(*step, *additional) for step in zip(*elements, strict=True)])


def _stacked(steps: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    return tuple(
        torch.stack(values) if isinstance(values[0], Tensor) else None
        for values in zip(*steps, strict=True)
    )


_KERNELS: dict[str, Callable[..., Any]] = {
    "cond": _cond,
    "while_loop": _while_loop,
    "scan": _scan,
    "map_impl": _map,
    "flex_attention": flex_attention,
}
