"""An operator that has no kernel of its own: its parts hold the memory, it has the cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from archscope.trace.costs import Cost
from archscope.trace.fused.running import running
from archscope.trace.records import Recurrence


def run_in_parts(
    name: str,
    tensors: Sequence[Tensor],
    compute: Callable[[], Any],
    cost: Cost,
    backward_cost: Callable[[Sequence[bool]], Cost],
    *,
    weight_layer: bool = False,
    recurrence: Recurrence | None = None,
) -> Any:
    """Run an operator step by step, and record it as one after its parts.

    Args:
        name: the operator.
        tensors: its operands.
        compute: the steps, which make its result.
        cost: of all of it.
        backward_cost: of its backward, by which operands want a gradient.
        weight_layer: its product makes a weight layer if an operand is learned.
        recurrence: what a recurrent operator went through.
    """
    log = running().recorder.log
    with log.parts():
        result = compute()
    outputs = list(result) if isinstance(result, tuple) else [result]
    log.append(name, tensors, outputs, cost, weight_layer=weight_layer, recurrence=recurrence)
    wanted = tuple(tensor.requires_grad for tensor in tensors)
    going_back = backward_cost(wanted)  # the function holds the operands
    noted = False

    def note(grads: Sequence[Tensor | None]) -> None:
        nonlocal noted
        if not noted:
            noted = True
            arrived = [grad for grad in grads if grad is not None]
            log.append(f"{name}_backward", arrived, [], going_back)

    if torch.is_grad_enabled() and any(wanted):
        for output in outputs:
            if output.grad_fn is not None:
                output.grad_fn.register_prehook(note)
    return result
