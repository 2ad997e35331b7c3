"""Operators that take functions, such as flex_attention and cond, under the recorder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from archscope.trace.costs.attention import attention_cost
from archscope.trace.recorder import Recorder
from archscope.trace.records import elements
from archscope.trace.remembered import META


def higher_order_kernel(func: Any) -> Callable[..., Any]:
    """How to run a higher-order operator such as flex_attention under the recorder."""
    kernels = {"flex_attention": _flex_attention, "cond": _cond}
    return kernels.get(func.name(), _not_opened)


def _flex_attention(recorder: Recorder, func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
    if recorder.on_data:
        return _not_opened(recorder, func, args, kwargs)
    query, key, value = args[:3]
    heads = elements(tuple(query.shape[:-2]))
    with recorder.silence():
        out = torch.empty((*query.shape[:-1], value.shape[-1]), dtype=query.dtype, device=META)
        logsumexp = torch.empty(query.shape[:-1], dtype=torch.float32, device=META)
        largest = torch.empty(query.shape[:-1], dtype=torch.float32, device=META)
    made = (out, logsumexp, largest)
    cost = attention_cost(query, key, value, heads, masked=True)
    recorder.log.append("flex_attention", [query, key, value], made, cost)
    return made


def _cond(recorder: Recorder, func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
    """The branch that the predicate chooses; on shapes it has to be known."""
    predicate, if_true, if_false, operands = args
    with recorder:
        return (if_true if bool(predicate) else if_false)(*operands)


def _not_opened(recorder: Recorder, func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
    raise NotImplementedError(f"the higher-order operator {func.name()} cannot be recorded")
